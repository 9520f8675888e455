// Embeddings against those of sentence-transformers (tests/golden/scripts/make_encoder_fixtures.py), from the folder.
#include "runtime/embedder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/mapped_file.h"

namespace smelt {
namespace {

const std::string kGolden = std::string(SMELT_SOURCE_DIR) + "/tests/golden/";

using Vectors = std::vector<std::vector<float>>;

struct Recorded {
  std::vector<std::string> texts;
  Vectors embeddings;
};

Recorded load_recorded(const std::string& fixture) {
  auto text = read_file(kGolden + fixture + "/golden.json", 1 << 20);
  EXPECT_TRUE(text) << text.error().message;
  const auto json = nlohmann::json::parse(*text);
  return {json["texts"].get<std::vector<std::string>>(), json["embeddings"].get<Vectors>()};
}

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double dot = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    aa += static_cast<double>(a[i]) * static_cast<double>(a[i]);
    bb += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return dot / std::sqrt(aa * bb);
}

Vectors embed(const std::string& fixture, std::span<const std::string> texts, EmbedOptions options) {
  auto embedder = Embedder::open(kGolden + fixture, options);
  EXPECT_TRUE(embedder) << embedder.error().message;
  if (!embedder) return {};
  auto out = embedder->embed(texts);
  EXPECT_TRUE(out) << out.error().message;
  return out ? *out : Vectors();
}

class EmbedderTest : public testing::TestWithParam<const char*> {};

TEST_P(EmbedderTest, EqualsSentenceTransformers) {
  const Recorded recorded = load_recorded(GetParam());
  for (const int n_threads : {1, 3}) {
    const Vectors out = embed(GetParam(), recorded.texts, {.n_threads = n_threads, .compute = Compute::f32});
    ASSERT_EQ(out.size(), recorded.texts.size());
    for (size_t i = 0; i < out.size(); ++i) {
      EXPECT_GT(cosine(out[i], recorded.embeddings[i]), 1 - 1e-6) << "text " << i;
      for (size_t j = 0; j < out[i].size(); ++j) ASSERT_NEAR(out[i][j], recorded.embeddings[i][j], 1e-4) << i;
    }
  }
}

TEST_P(EmbedderTest, ABatchEqualsItsTextsAlone) {
  const Recorded recorded = load_recorded(GetParam());
  const Vectors out = embed(GetParam(), recorded.texts, {.n_threads = 2});
  for (size_t i = 0; i < out.size(); ++i) {
    EXPECT_EQ(embed(GetParam(), std::span(recorded.texts).subspan(i, 1), {.n_threads = 1}).at(0), out[i]) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(All, EmbedderTest,
                         testing::Values("bert/embedding", "bert/cls", "distilbert/embedding", "roberta/embedding",
                                         "roberta/xlmr", "modernbert/embedding", "qwen3/embedding"),
                         [](const auto& each) {
                           std::string name = each.param;
                           name[name.find('/')] = '_';
                           return name;
                         });

TEST(Embedder, PoolsAsAsked) {
  const std::vector<float> rows = {1, 2, 3, 4, 8, 0};
  std::vector<float> out(2);
  pool_into(Pooling::cls, rows, out);
  EXPECT_EQ(out, (std::vector<float>{1, 2}));
  pool_into(Pooling::mean, rows, out);
  EXPECT_EQ(out, (std::vector<float>{4, 2}));
  pool_into(Pooling::last, rows, out);
  EXPECT_EQ(out, (std::vector<float>{8, 0}));
}

TEST(Embedder, OptionsReplaceTheModelsOwn) {
  const std::vector<std::string> texts = {"Anna met Peter."};
  const Vectors plain = embed("bert/embedding", texts, {.pooling = Pooling::cls, .normalize = false});
  const Vectors normal = embed("bert/embedding", texts, {.pooling = Pooling::cls, .normalize = true});
  EXPECT_GT(cosine(plain.at(0), normal.at(0)), 1 - 1e-6);
  EXPECT_NE(plain, normal);
  EXPECT_LT(cosine(normal.at(0), embed("bert/embedding", texts, {}).at(0)), 0.99);
}

}  // namespace
}  // namespace smelt
