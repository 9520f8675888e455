// From budget to proof on the repository's trained model: the file keeps the budget, loses less than plain quantizing
// at equal bytes, and is the same whatever the threads and wherever the run was cut.
#include "shrink/shrink_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/test_folder.h"
#include "compress/quantize_model.h"
#include "shrink/test_books.h"

namespace smelt {
namespace {

ShrinkOptions quick_options() {
  const std::string text = books_text();
  const size_t half = text.find('\n', text.size() / 2) + 1;
  return {.calibration = {"first half", text.substr(0, half)},
          .held_out = {"second half", text.substr(half, 8000)},
          .n_ctx = 128,
          .max_windows = 16,
          .n_threads = 2};
}

std::string bytes_of(const std::string& path) { return *read_file(path, 1 << 24); }

TEST(Shrink, EndsWithinTheBudgetAndLosesLessThanPlainQuantizing) {
  const TestFolder folder;
  ASSERT_TRUE(quantize_model(kBooks, folder.file("plain.gguf"), {.type = "Q3_K_M"}, {}));
  const uint64_t budget = std::filesystem::file_size(folder.file("plain.gguf"));
  ShrinkOptions options = quick_options();
  options.target.file_bytes = budget;
  const auto report = shrink_model(kBooks, folder.file("small.gguf"), options, {});
  ASSERT_TRUE(report) << report.error().message;
  const uint64_t size = std::filesystem::file_size(folder.file("small.gguf"));
  EXPECT_EQ(size, report->file_bytes);
  EXPECT_LE(size, budget);
  EXPECT_GT(static_cast<double>(size), 0.998 * static_cast<double>(budget));
  EXPECT_FALSE(std::filesystem::exists(folder.file("small.gguf.work")));

  const auto plain = load_model(folder.file("plain.gguf"), Compute::f32), original = load_model(kBooks, Compute::f32);
  const auto kl = evaluate_kl(*plain, *original, options.held_out.text, {.n_ctx = 128, .kv_type = KvType::f32}, {});
  ASSERT_TRUE(kl);
  EXPECT_LT(report->proof->mean_kl.value, 0.85 * kl->mean_kl.value);
}

// Cancels when a label has been reported so many times.
class CuttingSink : public ProgressSink {
 public:
  CuttingSink(std::string label, int times, CancelToken& token)
      : label_(std::move(label)), times_(times), token_(token) {}
  void update(const std::string& label, uint64_t, uint64_t, const std::string&) override {
    if (label == label_ && --times_ == 0) token_.cancel();
  }

 private:
  std::string label_;
  int times_;
  CancelToken& token_;
};

TEST(Shrink, ARunThatWasCutEndsInTheSameBytesAsOneOnOtherThreads) {
  const TestFolder folder;
  ShrinkOptions options = quick_options();
  options.target.bits_per_weight = 3.5;
  options.max_windows = 8;
  options.n_threads = 3;
  ASSERT_TRUE(shrink_model(kBooks, folder.file("whole.gguf"), options, {}));

  options.n_threads = 1;
  CancelToken token;
  CuttingSink sink("rounding", 3, token);
  const auto cut = shrink_model(kBooks, folder.file("cut.gguf"), options, {&sink, &token});
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().kind, ErrorKind::cancelled);
  EXPECT_FALSE(std::filesystem::exists(folder.file("cut.gguf")));
  EXPECT_TRUE(std::filesystem::exists(folder.file("cut.gguf.work")));
  options.resume = true;
  const auto resumed = shrink_model(kBooks, folder.file("cut.gguf"), options, {});
  ASSERT_TRUE(resumed) << resumed.error().message;
  EXPECT_EQ(bytes_of(folder.file("cut.gguf")), bytes_of(folder.file("whole.gguf")));
}

TEST(Shrink, KeepsAFloorOfAccuracyAndALimitOfMemory) {
  const TestFolder folder;
  ShrinkOptions options = quick_options();
  options.max_windows = 2;
  options.held_out.text.resize(3000);
  options.mode = ShrinkMode::fast;
  options.target.max_kl = 0.02;
  const auto close = shrink_model(kBooks, folder.file("close.gguf"), options, {});
  ASSERT_TRUE(close) << close.error().message;
  EXPECT_LE(close->proof->mean_kl.value, 0.02);
  EXPECT_GT(close->proof->mean_kl.value, 0.01);  // and no larger file than that wants
  EXPECT_GT(close->energy.joules, 0);

  options.target = {.memory_bytes = 2 * close->file_bytes, .n_ctx = 64, .tokens_per_second = 0.5, .max_ppl_rise = 0.5};
  const auto loose = shrink_model(kBooks, folder.file("loose.gguf"), options, {});
  ASSERT_TRUE(loose) << loose.error().message;
  EXPECT_LE(loose->memory_bytes, 2 * close->file_bytes);
  EXPECT_GT(loose->memory_bytes, loose->file_bytes);
  EXPECT_LE(loose->proof->log_perplexity_ratio.value, std::log(1.5));
  EXPECT_GE(loose->tokens_per_second, 0.5);
  EXPECT_GT(loose->predicted_tokens_per_second, 0.5);
}

TEST(Shrink, SaysWhichLimitCannotBeKept) {
  const TestFolder folder;
  ShrinkOptions options = quick_options();
  options.max_windows = 1;
  options.mode = ShrinkMode::fast;
  options.target = {.memory_bytes = 10'000, .n_ctx = 64};
  const auto small = shrink_model(kBooks, folder.file("a.gguf"), options, {});
  ASSERT_FALSE(small);
  EXPECT_THAT(small.error().message, testing::HasSubstr("does not hold the session alone"));
  options.target = {.tokens_per_second = 1e9};
  const auto fast = shrink_model(kBooks, folder.file("b.gguf"), options, {});
  ASSERT_FALSE(fast);
  EXPECT_THAT(fast.error().message, testing::HasSubstr("fast enough"));
  options.target = {.file_bytes = 1'500'000, .max_kl = 1e-5};
  const auto both = shrink_model(kBooks, folder.file("c.gguf"), options, {});
  ASSERT_FALSE(both);
  EXPECT_THAT(both.error().message, testing::HasSubstr("allow more"));
}

TEST(Shrink, RefusesQuantizedSourcesAndImpossibleBudgets) {
  const TestFolder folder;
  ShrinkOptions options = quick_options();
  options.max_windows = 1;
  options.mode = ShrinkMode::fast;
  options.plan_only = true;
  options.target.file_bytes = 1000;
  const auto tiny = shrink_model(kBooks, folder.file("tiny.gguf"), options, {});
  ASSERT_FALSE(tiny);
  EXPECT_THAT(tiny.error().message, testing::HasSubstr("too small for this model"));
  ASSERT_TRUE(quantize_model(kBooks, folder.file("q.gguf"), {.type = "Q8_0"}, {}));
  const auto twice = shrink_model(folder.file("q.gguf"), folder.file("s.gguf"), options, {});
  ASSERT_FALSE(twice);
  EXPECT_THAT(twice.error().message, testing::HasSubstr("--allow-requantize"));
}

}  // namespace
}  // namespace smelt
