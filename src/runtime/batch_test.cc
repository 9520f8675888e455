// Sequences decoded together: each has the logits it would have alone, bit for bit, and a fault of one is its own.
#include "runtime/batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "runtime/test_stories.h"

namespace smelt {
namespace {

using testing::HasSubstr;

const std::vector<std::string> kPrompts = {
    "Once upon a time",   "The king said",  "A",           "One day, a little girl",
    "It was raining and", "In the morning", "Two friends", "Why"};

// In int8, in f32, and with weights of several types.
std::vector<std::string> model_files() {
  const std::string peers = std::string(SMELT_SOURCE_DIR) + "/tests/golden/peers/";
  return {kStories + "stories260K.bin", peers + "stories260K-Q8_0.gguf", peers + "rows256-Q4_K_M.gguf",
          peers + "rows256-Q2_K.gguf", peers + "rows256-IQ4_XS.gguf"};
}

LoadedModel load(const std::string& path) {
  auto loaded = load_model(path);
  EXPECT_TRUE(loaded) << loaded.error().message;
  return std::move(*loaded);
}

TokenId most_likely(std::span<const float> logits) {
  return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// All logits on the way, of n_steps greedy tokens.
std::vector<std::vector<float>> alone(const LoadedModel& loaded, const std::vector<TokenId>& prompt, int n_steps) {
  Session session = make_session(loaded, {.n_ctx = 64, .n_threads = 1});
  EXPECT_TRUE(session.append(prompt));
  std::vector<std::vector<float>> rows;
  for (int i = 0; i < n_steps; ++i) {
    const TokenId id = most_likely(session.logits());
    EXPECT_TRUE(session.append({&id, 1}));
    rows.emplace_back(session.logits().begin(), session.logits().end());
  }
  return rows;
}

Batch make_batch(const LoadedModel& loaded, int64_t n, const SessionOptions& options) {
  auto batch = Batch::create(loaded.model, n, options);
  EXPECT_TRUE(batch) << batch.error().message;
  return std::move(*batch);
}

// One greedy token for each sequence: all in one pass, or the odd ones first, since composition has no part in it.
void step_all(Batch& batch, bool in_two_passes) {
  std::vector<Status> errors(static_cast<size_t>(batch.size()));
  for (const int64_t part : in_two_passes ? std::vector<int64_t>{1, 0} : std::vector<int64_t>{2}) {
    std::vector<BatchToken> tokens;
    for (int64_t i = 0; i < batch.size(); ++i) {
      if (part == 2 || i % 2 == part) tokens.push_back({i, most_likely(batch.sequence(i).logits())});
    }
    ASSERT_TRUE(batch.decode(tokens, std::span(errors).first(tokens.size())));
  }
}

class BatchTest : public testing::TestWithParam<std::string> {
 protected:
  static constexpr int kSteps = 12;
  void check(const LoadedModel& loaded, int n_threads) {
    Batch batch = make_batch(loaded, 8, {.n_ctx = 64, .n_threads = n_threads});
    std::vector<std::vector<std::vector<float>>> expected;
    for (int64_t i = 0; i < batch.size(); ++i) {
      const auto prompt = encode(loaded, kPrompts[static_cast<size_t>(i)]);
      expected.push_back(alone(loaded, prompt, kSteps));
      ASSERT_TRUE(batch.sequence(i).append(prompt));
    }
    for (size_t step = 0; step < kSteps; ++step) {
      step_all(batch, step % 3 == 0);
      for (int64_t i = 0; i < batch.size(); ++i) {
        const auto logits = batch.sequence(i).logits();
        const auto& row = expected[static_cast<size_t>(i)][step];
        ASSERT_EQ(std::memcmp(logits.data(), row.data(), row.size() * sizeof(float)), 0) << i << ", step " << step;
      }
    }
  }
};

TEST_P(BatchTest, EightPromptsAloneAndTogetherHaveTheSameLogits) {
  const LoadedModel loaded = load(GetParam());
  check(loaded, 1);
  check(loaded, 2);
}

INSTANTIATE_TEST_SUITE_P(Models, BatchTest, testing::ValuesIn(model_files()), [](const auto& one) {
  std::string name = one.param.substr(one.param.rfind('/') + 1);
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
});

TEST(Batch, WrongArgumentsAreRefusedBeforeAnythingIsComputed) {
  const LoadedModel loaded = load_stories();
  Batch batch = make_batch(loaded, 2, {.n_ctx = 4, .n_threads = 1});
  std::vector<Status> errors(2);
  const BatchToken twice[] = {{0, 5}, {0, 6}};
  EXPECT_THAT(batch.decode(twice, errors).error().message, HasSubstr("two tokens"));
  const BatchToken unknown[] = {{0, 5}, {1, 100000}};
  EXPECT_THAT(batch.decode(unknown, errors).error().message, HasSubstr("not in the vocabulary"));
  ASSERT_TRUE(batch.sequence(1).append(std::vector<TokenId>{1, 2, 3, 4}));
  const BatchToken full[] = {{0, 5}, {1, 6}};
  EXPECT_THAT(batch.decode(full, errors).error().message, HasSubstr("context is full"));
  EXPECT_EQ(batch.sequence(0).position(), 0);
  EXPECT_TRUE(batch.decode({}, {}));
  EXPECT_EQ(Batch::create(loaded.model, 0, {}).error().kind, ErrorKind::usage);
  EXPECT_FALSE(Batch::create(loaded.model, 5000, {}));
}

TEST(Batch, MemoryIsPlannedForAllSequences) {
  const LoadedModel loaded = load_stories();
  const SessionOptions options{.n_ctx = 512, .n_threads = 1};
  const auto one = Session::bytes_needed(*loaded.model, options);
  const auto eight = Batch::bytes_needed(*loaded.model, 8, options);
  ASSERT_TRUE(one && eight);
  EXPECT_GT(*eight, *one);
  EXPECT_LT(*eight, 8 * *one);  // the workspace is shared
  SessionOptions tight = options;
  tight.memory_budget_bytes = loaded.model->checkpoint().file_bytes() + *eight - 1;
  const auto refused = Batch::create(loaded.model, 8, tight);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("8 sequences of 512 tokens"));
  tight.memory_budget_bytes += 1;
  EXPECT_TRUE(Batch::create(loaded.model, 8, tight));
}

}  // namespace
}  // namespace smelt
