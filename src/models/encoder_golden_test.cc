// Every family of encoders against hidden states and logits of the reference implementation (tests/golden/FAMILY/CASE,
// made by tests/golden/scripts/make_encoder_fixtures.py). A family without such a case fails.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/mapped_file.h"
#include "models/canonical.h"
#include "models/encoder.h"
#include "models/family.h"
#include "models/test_checkpoints.h"

namespace smelt {
namespace {

namespace fs = std::filesystem;

const fs::path kGolden = fs::path(SMELT_SOURCE_DIR) / "tests" / "golden";
constexpr float kMaxError = 1e-4F;

using Texts = std::vector<std::vector<TokenId>>;

struct EncoderCase {
  std::string family;
  fs::path folder;
};

std::vector<EncoderCase> encoder_cases() {
  std::vector<EncoderCase> cases;
  for (const ModelFamily* family : all_families()) {
    if (family->load_encoder == nullptr) continue;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(kGolden / family->name, error)) {
      if (fs::exists(entry.path() / "hidden.f32")) cases.push_back({family->name, entry.path()});
    }
  }
  return cases;
}

std::shared_ptr<const Checkpoint> open(const fs::path& folder) {
  auto checkpoint = Checkpoint::open(folder.string());
  EXPECT_TRUE(checkpoint) << checkpoint.error().message;
  return checkpoint ? std::make_shared<const Checkpoint>(std::move(*checkpoint)) : nullptr;
}

std::shared_ptr<const Encoder> load(const std::shared_ptr<const Checkpoint>& checkpoint,
                                    Compute compute = Compute::f32) {
  auto encoder = Encoder::load(checkpoint, compute);
  EXPECT_TRUE(encoder) << encoder.error().message;
  return encoder ? *encoder : nullptr;
}

// Rows of all tokens of these texts, in one pass.
std::vector<float> encode(const Encoder& encoder, const Texts& texts, int n_threads) {
  ThreadPool threads(n_threads);
  std::vector<TokenId> tokens;
  std::vector<int64_t> lengths;
  for (const std::vector<TokenId>& text : texts) {
    tokens.insert(tokens.end(), text.begin(), text.end());
    lengths.push_back(static_cast<int64_t>(text.size()));
  }
  const EncoderLimits limits = {.n_tokens = static_cast<int64_t>(tokens.size()),
                                .n_texts = static_cast<int64_t>(texts.size()),
                                .longest = *std::max_element(lengths.begin(), lengths.end()),
                                .n_threads = n_threads};
  std::vector<float> workspace(static_cast<size_t>(encoder.workspace_floats(limits)), NAN);
  std::vector<float> hidden(tokens.size() * static_cast<size_t>(encoder.config().d_model), NAN);
  encoder.forward({.tokens = tokens, .lengths = lengths, .workspace = workspace.data(), .hidden = hidden.data()},
                  threads);
  return hidden;
}

float max_error(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  float error = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (!(std::fabs(a[i] - b[i]) <= error)) error = std::fabs(a[i] - b[i]);
  }
  return error;
}

// Root of the mean squares, as a share of the reference's.
float relative_error(const std::vector<float>& a, const std::vector<float>& reference) {
  EXPECT_EQ(a.size(), reference.size());
  double error = 0;
  double size = 0;
  for (size_t i = 0; i < std::min(a.size(), reference.size()); ++i) {
    error += std::pow(static_cast<double>(a[i] - reference[i]), 2);
    size += std::pow(static_cast<double>(reference[i]), 2);
  }
  return static_cast<float>(std::sqrt(error / size));
}

struct EncoderGolden {
  nlohmann::json recorded;
  Texts texts;
  std::vector<float> hidden;
};

EncoderGolden load_golden(const fs::path& folder) {
  EncoderGolden golden;
  auto json = read_file((folder / "golden.json").string(), 1 << 20);
  auto bytes = read_file((folder / "hidden.f32").string(), 1 << 24);
  EXPECT_TRUE(json && bytes);
  golden.recorded = nlohmann::json::parse(*json);
  golden.texts = golden.recorded["ids"].get<Texts>();
  golden.hidden.resize(bytes->size() / sizeof(float));
  std::memcpy(golden.hidden.data(), bytes->data(), bytes->size());
  return golden;
}

// The head's logits of all texts, or of all their tokens.
std::vector<float> label_all(const Encoder& encoder, const Texts& texts, const std::vector<float>& hidden) {
  ThreadPool threads(2);
  const auto d = static_cast<size_t>(encoder.config().d_model);
  const EncoderConfig& c = encoder.encoder_config();
  std::vector<float> rows;
  size_t first = 0;
  for (const std::vector<TokenId>& text : texts) {
    const float* x = hidden.data() + first * d;
    first += text.size();
    if (c.head == LabelHead::token) {
      rows.insert(rows.end(), x, x + text.size() * d);
      continue;
    }
    const size_t n = c.head_pooling == Pooling::mean ? text.size() : 1;
    for (size_t j = 0; j < d; ++j) {
      float sum = 0;
      for (size_t i = 0; i < n; ++i) sum += x[i * d + j];
      rows.push_back(sum / static_cast<float>(n));
    }
  }
  std::vector<float> logits(rows.size() / d * c.labels.size());
  encoder.label_rows(rows, logits, threads);
  return logits;
}

std::vector<float> flat(const nlohmann::json& values) {
  std::vector<float> out;
  for (const nlohmann::json& value : values) {
    if (value.is_array()) {
      const std::vector<float> inner = flat(value);
      out.insert(out.end(), inner.begin(), inner.end());
    } else {
      out.push_back(value.get<float>());
    }
  }
  return out;
}

class EncoderGoldenTest : public testing::TestWithParam<EncoderCase> {};

TEST(EncoderGolden, EveryFamilyHasACase) {
  const std::vector<EncoderCase> cases = encoder_cases();
  for (const ModelFamily* family : all_families()) {
    if (family->load_encoder == nullptr) continue;
    const bool has_case =
        std::any_of(cases.begin(), cases.end(), [&](const EncoderCase& c) { return c.family == family->name; });
    EXPECT_TRUE(has_case) << "no golden case in " << kGolden / family->name << "; see docs/howto-add-model-family.md";
  }
}

TEST(EncoderGolden, ModelsThatWriteTextAreNoEncoders) {
  const auto encoder = Encoder::load(open(kGolden / "qwen3" / "untied"));
  ASSERT_FALSE(encoder);
  EXPECT_NE(encoder.error().message.find("qwen3 models write text"), std::string::npos) << encoder.error().message;
}

TEST_P(EncoderGoldenTest, HiddenStatesAndLogitsEqualTheReference) {
  const EncoderGolden golden = load_golden(GetParam().folder);
  const auto encoder = load(open(GetParam().folder));
  ASSERT_NE(encoder, nullptr);
  EXPECT_EQ(encoder->config().family, GetParam().family);
  const std::vector<float> hidden = encode(*encoder, golden.texts, 2);
  EXPECT_LT(max_error(hidden, golden.hidden), kMaxError);
  const std::vector<float> logits = flat(golden.recorded["logits"]);
  EXPECT_EQ(encoder->encoder_config().head == LabelHead::none, logits.empty());
  if (logits.empty()) return;
  EXPECT_LT(max_error(label_all(*encoder, golden.texts, hidden), logits), kMaxError);
}

TEST_P(EncoderGoldenTest, TokenizerGivesTheReferencesIds) {
  const EncoderGolden golden = load_golden(GetParam().folder);
  auto tokenizer = load_tokenizer(*open(GetParam().folder));
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  for (size_t i = 0; i < golden.texts.size(); ++i) {
    std::vector<TokenId> ids =
        (*tokenizer)->encode(golden.recorded["texts"][i].get<std::string>(), {.add_special = true});
    ids.resize(std::min(ids.size(), golden.texts[i].size()));  // one is longer than the model takes
    EXPECT_EQ(ids, golden.texts[i]) << "text " << i;
  }
}

TEST_P(EncoderGoldenTest, ABatchAndThreadsDoNotChangeABit) {
  const EncoderGolden golden = load_golden(GetParam().folder);
  for (const auto& checkpoint : {open(GetParam().folder), in_q8_0(GetParam().folder)}) {
    const auto encoder = load(checkpoint, Compute::int8);
    ASSERT_NE(encoder, nullptr);
    std::vector<float> alone;
    for (const std::vector<TokenId>& text : golden.texts) {
      const std::vector<float> rows = encode(*encoder, {text}, 1);
      alone.insert(alone.end(), rows.begin(), rows.end());
    }
    for (const int n_threads : {1, 3}) EXPECT_EQ(encode(*encoder, golden.texts, n_threads), alone) << n_threads;
  }
}

// As a GGUF file, and that file as a folder again.
TEST_P(EncoderGoldenTest, TranslationsAreTheSameModel) {
  const EncoderGolden golden = load_golden(GetParam().folder);
  const std::vector<float> logits = flat(golden.recorded["logits"]);
  const auto check = [&](const std::shared_ptr<const Checkpoint>& checkpoint) {
    const auto encoder = load(checkpoint);
    ASSERT_NE(encoder, nullptr);
    EXPECT_EQ(encoder->config().family, GetParam().family);
    const std::vector<float> hidden = encode(*encoder, golden.texts, 2);
    EXPECT_LT(max_error(hidden, golden.hidden), kMaxError);
    EXPECT_EQ(encoder->encoder_config().head == LabelHead::none, logits.empty());
    if (logits.empty()) return;
    EXPECT_LT(max_error(label_all(*encoder, golden.texts, hidden), logits), kMaxError);
  };
  auto as_gguf = to_gguf_terms(open(GetParam().folder));
  ASSERT_TRUE(as_gguf) << as_gguf.error().message;
  const auto gguf = materialise(std::move(*as_gguf), Dialect::gguf);
  check(gguf);
  auto as_folder = to_hugging_face_terms(gguf);
  ASSERT_TRUE(as_folder) << as_folder.error().message;
  const auto original = open(GetParam().folder);
  const auto again = materialise(std::move(*as_folder), Dialect::hugging_face);
  for (const TensorEntry& tensor : original->tensors()) {
    const TensorEntry* same = again->find_tensor(tensor.name);
    // Those of models without a head may have got the prefix of those with one.
    if (logits.empty()) continue;
    ASSERT_NE(same, nullptr) << tensor.name;
    EXPECT_EQ(same->view.shape, tensor.view.shape) << tensor.name;
  }
  check(again);
}

// Blocks of 8 bits in int8 arithmetic, beside the same blocks decoded to f32 and beside the reference.
TEST_P(EncoderGoldenTest, Int8IsClose) {
  const EncoderGolden golden = load_golden(GetParam().folder);
  const auto checkpoint = in_q8_0(GetParam().folder);
  const auto exact = load(checkpoint, Compute::f32);
  const auto encoder = load(checkpoint, Compute::int8);
  ASSERT_TRUE(exact != nullptr && encoder != nullptr);
  const std::vector<float> hidden = encode(*encoder, golden.texts, 2);
  EXPECT_LT(relative_error(hidden, encode(*exact, golden.texts, 2)), 0.06F);
  EXPECT_LT(relative_error(hidden, golden.hidden), 0.06F);
}

INSTANTIATE_TEST_SUITE_P(All, EncoderGoldenTest, testing::ValuesIn(encoder_cases()), [](const auto& each) {
  return each.param.family + "_" + each.param.folder.filename().string();
});

}  // namespace
}  // namespace smelt
