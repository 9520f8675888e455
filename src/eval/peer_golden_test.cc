// Files that llama.cpp's llama-quantize wrote: tokens, greedy text and perplexity equal llama.cpp's
// (tests/golden/peers, made by tests/golden/scripts/make_peer_fixtures.py; tests/peers compares much more of it).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/mapped_file.h"
#include "eval/evaluate.h"

namespace smelt {
namespace {

using nlohmann::json;

const std::string kFolder = std::string(SMELT_SOURCE_DIR) + "/tests/golden/peers/";
constexpr double kExact = 2e-4;     // both compute in f32 from the same blocks; the peer's keys and values are in f16
constexpr double kRounded = 0.005;  // the peer rounds activations to 8 bits

std::vector<json> golden_files() {
  const auto text = read_file(kFolder + "golden.json", 1 << 20);
  if (!text) return {};
  return json::parse(*text).get<std::vector<json>>();
}

TEST(PeerGoldens, AreThere) { EXPECT_GE(golden_files().size(), 5U); }

class PeerGolden : public testing::TestWithParam<json> {
 protected:
  void SetUp() override {
    auto loaded = load_model(kFolder + GetParam()["file"].get<std::string>(), Compute::f32);
    ASSERT_TRUE(loaded) << loaded.error().message;
    model_ = std::move(*loaded);
  }
  LoadedModel model_;
};

TEST_P(PeerGolden, GreedyTextIsThePeers) {
  const auto prompt = model_.tokenizer->encode(GetParam()["prompt"].get<std::string>(), {.add_special = true});
  EXPECT_EQ(prompt, GetParam()["prompt_ids"].get<std::vector<TokenId>>());
  const auto expected = GetParam()["ids"].get<std::vector<TokenId>>();
  ASSERT_GE(expected.size(), 64U);
  auto session = Session::create(model_.model, {.n_ctx = 128, .n_threads = 2, .kv_type = KvType::f32});
  ASSERT_TRUE(session) << session.error().message;
  const GenerateOptions options{.n_predict = static_cast<int64_t>(expected.size()),
                                .sampling = {.temperature = 0},
                                .stop = {},
                                .ignore_end = true};
  const auto result = generate(*session, *model_.tokenizer, prompt, options, [](std::string_view) { return true; });
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->ids, expected);
}

TEST_P(PeerGolden, PerplexityIsThePeers) {
  const auto text = read_file(kFolder + "text.txt", 1 << 20);
  ASSERT_TRUE(text) << text.error().message;
  const auto report = evaluate_perplexity(model_, *text, {.n_threads = 2, .kv_type = KvType::f32}, {});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_GE(report->n_windows, 2);
  const double of_f32 = GetParam()["perplexity_f32"];
  const double of_its_kernels = GetParam()["perplexity"];
  EXPECT_NEAR(report->perplexity, of_f32, kExact * of_f32);
  EXPECT_NEAR(report->perplexity, of_its_kernels, kRounded * of_its_kernels);
}

// The models are tiny and partly random: a larger effect than on any that is of use.
TEST_P(PeerGolden, IntegerArithmeticStaysNear) {
  constexpr double kInt8 = 0.01;
  const auto text = read_file(kFolder + "text.txt", 1 << 20);
  ASSERT_TRUE(text) << text.error().message;
  const auto model = load_model(kFolder + GetParam()["file"].get<std::string>(), Compute::int8);
  ASSERT_TRUE(model) << model.error().message;
  const auto report = evaluate_perplexity(*model, *text, {.n_threads = 2}, {});
  ASSERT_TRUE(report) << report.error().message;
  const double of_f32 = GetParam()["perplexity_f32"];
  EXPECT_NEAR(report->perplexity, of_f32, kInt8 * of_f32);
}

INSTANTIATE_TEST_SUITE_P(Files, PeerGolden, testing::ValuesIn(golden_files()), [](const auto& one) {
  std::string name = one.param["file"];
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
});

}  // namespace
}  // namespace smelt
