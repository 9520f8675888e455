// Every family of families.inc against logits of the reference implementation (tests/golden/FAMILY/CASE, made by
// tests/golden/scripts/make_family_fixtures.py and its elders). A family without such a case fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/mapped_file.h"
#include "models/canonical.h"
#include "models/family.h"
#include "models/model.h"
#include "models/test_checkpoints.h"
#include "models/test_forward.h"

namespace smelt {
namespace {

namespace fs = std::filesystem;

const fs::path kGolden = fs::path(SMELT_SOURCE_DIR) / "tests" / "golden";
constexpr float kMaxError = 1e-4F;

struct GoldenCase {
  std::string family;
  fs::path folder;
};

std::vector<GoldenCase> golden_cases() {
  std::vector<GoldenCase> cases;
  for (const ModelFamily* family : all_families()) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(kGolden / family->name, error)) {
      if (fs::exists(entry.path() / "logits.f32")) cases.push_back({family->name, entry.path()});
    }
  }
  return cases;
}

struct Golden {
  std::shared_ptr<const Model> model;
  std::vector<TokenId> source;  // of models with an encoder
  std::vector<TokenId> tokens;
  std::vector<TokenId> greedy;  // what the reference writes after them; empty: not recorded
  std::vector<float> logits;    // [tokens][n_vocab]
};

Golden load_golden(const fs::path& folder) {
  Golden golden;
  auto checkpoint = Checkpoint::open(folder.string());
  EXPECT_TRUE(checkpoint) << checkpoint.error().message;
  if (!checkpoint) return golden;
  auto model = Model::load(std::make_shared<const Checkpoint>(std::move(*checkpoint)));
  EXPECT_TRUE(model) << model.error().message;
  if (!model) return golden;
  golden.model = *model;
  auto json = read_file((folder / "golden.json").string(), 1 << 20);
  auto bytes = read_file((folder / "logits.f32").string(), 1 << 24);
  EXPECT_TRUE(json && bytes);
  const auto recorded = nlohmann::json::parse(*json);
  golden.tokens = recorded["tokens"].get<std::vector<TokenId>>();
  golden.source = recorded.value("source", std::vector<TokenId>());
  golden.greedy = recorded.value("greedy", std::vector<TokenId>());
  golden.logits.resize(bytes->size() / sizeof(float));
  std::memcpy(golden.logits.data(), bytes->data(), bytes->size());
  EXPECT_EQ(golden.logits.size(), golden.tokens.size() * static_cast<size_t>(golden.model->config().n_vocab));
  return golden;
}

std::vector<float> all_logits(const std::shared_ptr<const Checkpoint>& checkpoint, const Golden& golden,
                              RopeLayout layout) {
  auto model = Model::load(checkpoint);
  EXPECT_TRUE(model) << model.error().message;
  if (!model) return {};
  EXPECT_EQ((*model)->config().rope_layout, layout);
  const auto n = static_cast<int64_t>(golden.tokens.size());
  return TestRun(*model, n, 2, KvType::f32, golden.source).append(golden.tokens, n);
}

float max_error(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  float error = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) error = std::max(error, std::fabs(a[i] - b[i]));
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

class GoldenTest : public testing::TestWithParam<GoldenCase> {};

TEST(Golden, EveryFamilyHasACase) {
  const std::vector<GoldenCase> cases = golden_cases();
  for (const ModelFamily* family : all_families()) {
    if (family->load == nullptr) continue;  // encoder_golden_test.cc's
    const bool has_case =
        std::any_of(cases.begin(), cases.end(), [&](const GoldenCase& c) { return c.family == family->name; });
    EXPECT_TRUE(has_case) << "no golden case in " << kGolden / family->name << "; see docs/howto-add-model-family.md";
  }
}

TEST_P(GoldenTest, LogitsEqualTheReference) {
  const Golden golden = load_golden(GetParam().folder);
  ASSERT_NE(golden.model, nullptr);
  EXPECT_EQ(golden.model->config().family, GetParam().family);
  const auto n = static_cast<int64_t>(golden.tokens.size());
  TestRun run(golden.model, n, 2, KvType::f32, golden.source);
  const std::vector<float> logits = run.append(golden.tokens, n);
  EXPECT_LT(max_error(logits, golden.logits), kMaxError);
  RecordProperty("max_error", std::to_string(max_error(logits, golden.logits)));
}

TEST_P(GoldenTest, GreedyTokensEqualTheReference) {
  const Golden golden = load_golden(GetParam().folder);
  ASSERT_NE(golden.model, nullptr);
  const auto n = static_cast<int64_t>(golden.tokens.size());
  TestRun run(golden.model, n + static_cast<int64_t>(golden.greedy.size()), 2, KvType::f32, golden.source);
  std::vector<float> logits = run.append(golden.tokens, 1);
  std::vector<TokenId> written;
  while (written.size() < golden.greedy.size()) {
    written.push_back(argmax(logits));
    logits = run.append({&written.back(), 1}, 1);
  }
  EXPECT_EQ(written, golden.greedy);
}

// GGUF files of families with reordered rows rotate neighbours.
RopeLayout gguf_rope(const std::string& family) {
  for (const ModelFamily* each : all_families()) {
    if (each->name != family) continue;
    const TensorName* q = find_tensor_name(*each, "blk.{}.attn_q.weight", Dialect::gguf);
    if (q != nullptr && q->order == RowOrder::query_heads) return RopeLayout::interleaved;
  }
  return RopeLayout::half_split;
}

// Hugging Face folders rotate the two halves of a head, some families' GGUF files its neighbours; the folder as a GGUF
// file, and that file as a folder again, are the same model.
TEST_P(GoldenTest, TranslationsHaveTheSameLogits) {
  const Golden golden = load_golden(GetParam().folder);
  auto folder = Checkpoint::open(GetParam().folder.string());
  ASSERT_TRUE(folder) << folder.error().message;
  auto as_gguf = to_gguf_terms(std::make_shared<const Checkpoint>(std::move(*folder)));
  ASSERT_TRUE(as_gguf) << as_gguf.error().message;
  const auto gguf = materialise(std::move(*as_gguf), Dialect::gguf);
  EXPECT_LT(max_error(all_logits(gguf, golden, gguf_rope(GetParam().family)), golden.logits), kMaxError);
  auto as_folder = to_hugging_face_terms(gguf);
  ASSERT_TRUE(as_folder) << as_folder.error().message;
  const auto again = materialise(std::move(*as_folder), Dialect::hugging_face);
  EXPECT_LT(max_error(all_logits(again, golden, RopeLayout::half_split), golden.logits), kMaxError);
}

// A cache in f16 rounds keys and values to 11 bits, and passes of many tokens may attend in bf16, of 8 bits.
TEST_P(GoldenTest, HalfPrecisionCacheIsClose) {
  const Golden golden = load_golden(GetParam().folder);
  ASSERT_NE(golden.model, nullptr);
  const auto n = static_cast<int64_t>(golden.tokens.size());
  TestRun run(golden.model, n, 1, KvType::f16, golden.source);
  EXPECT_LT(max_error(run.append(golden.tokens, n), golden.logits), 1e-1F);
}

TEST_P(GoldenTest, Int8IsCloseToTheSameBlocksInF32) {
  const Golden golden = load_golden(GetParam().folder);
  ASSERT_NE(golden.model, nullptr);
  const auto checkpoint = in_q8_0(GetParam().folder);
  const auto n = static_cast<int64_t>(golden.tokens.size());
  std::vector<float> logits[2];
  for (const Compute compute : {Compute::f32, Compute::int8}) {
    auto model = Model::load(checkpoint, compute);
    ASSERT_TRUE(model) << model.error().message;
    logits[compute == Compute::int8 ? 1 : 0] =
        TestRun(*model, n, 2, KvType::f32, golden.source).append(golden.tokens, n);
  }
  // A router may choose between two experts that are as good as equal for it otherwise.
  const float bound = golden.model->config().n_experts > 0 ? 0.4F : 0.06F;
  EXPECT_LT(relative_error(logits[1], logits[0]), bound);
  EXPECT_LT(relative_error(logits[1], golden.logits), bound);
}

TEST_P(GoldenTest, PassesAndThreadsDoNotChangeABit) {
  const Golden golden = load_golden(GetParam().folder);
  ASSERT_NE(golden.model, nullptr);
  const auto n = static_cast<int64_t>(golden.tokens.size());
  TestRun whole(golden.model, n, 1, KvType::f32, golden.source);
  const std::vector<float> expected = whole.append(golden.tokens, n);
  for (const int n_threads : {1, 2, 3}) {
    for (const size_t chunk : {size_t{1}, size_t{2}, size_t{7}}) {
      TestRun run(golden.model, n, n_threads, KvType::f32, golden.source);
      std::vector<float> logits;
      for (size_t at = 0; at < golden.tokens.size(); at += chunk) {
        const auto part = std::span(golden.tokens).subspan(at, std::min(chunk, golden.tokens.size() - at));
        const std::vector<float> some = run.append(part, static_cast<int64_t>(part.size()));
        logits.insert(logits.end(), some.begin(), some.end());
      }
      ASSERT_EQ(logits.size(), expected.size());
      EXPECT_EQ(std::memcmp(logits.data(), expected.data(), expected.size() * sizeof(float)), 0)
          << n_threads << " threads, chunks of " << chunk;
    }
  }
}

// Two sequences that write together: each token's logits are those that it has alone, bit for bit.
TEST_P(GoldenTest, ABatchEqualsItsSequencesAlone) {
  const Golden golden = load_golden(GetParam().folder);
  ASSERT_NE(golden.model, nullptr);
  const auto n_vocab = static_cast<size_t>(golden.model->config().n_vocab);
  const auto n = static_cast<int64_t>(golden.tokens.size());
  const std::span<const TokenId> tokens = golden.tokens;
  const auto alone = [&](size_t n_prompt, TokenId next) {
    TestRun run(golden.model, n, 1, KvType::f32, golden.source);
    run.append(tokens.first(n_prompt), 1);
    return run.append({&next, 1}, 1);
  };
  TestRun first(golden.model, n, 2, KvType::f32, golden.source);
  TestRun second(golden.model, n, 2, KvType::f32, golden.source);
  first.append(tokens.first(10), 1);
  second.append(tokens.first(3), 1);
  const TokenId both[] = {tokens[20], tokens[7]};
  const SequenceSlice slices[] = {first.slice(1), second.slice(1)};
  std::vector<float> logits(2 * n_vocab);
  first.run({.kind = PassKind::decode, .tokens = both, .slices = slices, .logits = logits.data()});
  std::vector<float> expected = alone(10, both[0]);
  const std::vector<float> more = alone(3, both[1]);
  expected.insert(expected.end(), more.begin(), more.end());
  EXPECT_EQ(std::memcmp(logits.data(), expected.data(), expected.size() * sizeof(float)), 0);
}

TEST_P(GoldenTest, OnlyTheAskedLogitsAreWritten) {
  const Golden golden = load_golden(GetParam().folder);
  ASSERT_NE(golden.model, nullptr);
  const auto n_vocab = static_cast<size_t>(golden.model->config().n_vocab);
  TestRun run(golden.model, static_cast<int64_t>(golden.tokens.size()), 1, KvType::f32, golden.source);
  run.append(std::span(golden.tokens).first(5), 0);
  const std::vector<float> last = run.append(std::span(golden.tokens).subspan(5), 1);
  const std::vector<float> expected(golden.logits.end() - static_cast<std::ptrdiff_t>(n_vocab), golden.logits.end());
  EXPECT_LT(max_error(last, expected), kMaxError);
}

INSTANTIATE_TEST_SUITE_P(All, GoldenTest, testing::ValuesIn(golden_cases()), [](const auto& each) {
  return each.param.family + "_" + each.param.folder.filename().string();
});

}  // namespace
}  // namespace smelt
