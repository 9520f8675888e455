// Evaluations end to end on stories260K: threads, reference files, refusals, interruption, progress.
#include "eval/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "eval/reference_file.h"
#include "eval/test_models.h"

namespace smelt {
namespace {

using testing::HasSubstr;

const EvalOptions kOptions = {.n_ctx = 64, .n_threads = 2};

std::string save(const LoadedModel& model, const TestFolder& folder, const EvalOptions& options = kOptions) {
  const auto saved = save_reference(model, evaluation_text(), {folder.file("x.ref")}, options, {});
  EXPECT_TRUE(saved) << saved.error().message;
  return folder.file("x.ref");
}

std::string message_of(const Result<KlReport>& result) { return result ? "no error" : result.error().message; }

TEST(Evaluate, ThreadsDoNotChangeTheResult) {
  const LoadedModel reference = load_stories();
  const CoarseStories coarse;
  const LoadedModel model = coarse.load();
  const auto one =
      evaluate_kl(model, reference, evaluation_text(), {.n_ctx = 64, .max_windows = 6, .n_threads = 1}, {});
  ASSERT_TRUE(one) << message_of(one);
  for (const int n_threads : {2, 3, 5}) {
    const auto many =
        evaluate_kl(model, reference, evaluation_text(), {.n_ctx = 64, .max_windows = 6, .n_threads = n_threads}, {});
    ASSERT_TRUE(many) << message_of(many);
    EXPECT_EQ(many->mean_kl.value, one->mean_kl.value);
    EXPECT_EQ(many->mean_kl.standard_error, one->mean_kl.standard_error);
    EXPECT_EQ(many->kl_max, one->kl_max);
    EXPECT_EQ(many->model.perplexity, one->model.perplexity);
    EXPECT_EQ(many->reference.mean_nll, one->reference.mean_nll);
    EXPECT_EQ(many->rms_delta_p.value, one->rms_delta_p.value);
  }
}

TEST(Evaluate, ComparisonHasThePerplexitiesOfEach) {
  const LoadedModel reference = load_stories();
  const CoarseStories coarse;
  const LoadedModel model = coarse.load();
  const auto both = evaluate_kl(model, reference, evaluation_text(), {}, {});
  ASSERT_TRUE(both) << message_of(both);
  EXPECT_EQ(both->model.n_ctx, 512);
  EXPECT_EQ(both->model.perplexity, evaluate_perplexity(model, evaluation_text(), {}, {})->perplexity);
  EXPECT_EQ(both->reference.perplexity, evaluate_perplexity(reference, evaluation_text(), {}, {})->perplexity);
  EXPECT_NEAR(both->log_perplexity_ratio.value, std::log(both->model.perplexity / both->reference.perplexity), 1e-9);
  EXPECT_GE(both->kl_p999, both->kl_p99);
  EXPECT_GE(both->kl_max, both->kl_p999);
  EXPECT_LE(both->delta_p_p01, both->delta_p_p99);
}

TEST(Evaluate, AModelDoesNotDivergeFromItself) {
  const LoadedModel model = load_stories();
  const auto report = evaluate_kl(model, model, evaluation_text(), kOptions, {});
  ASSERT_TRUE(report) << message_of(report);
  EXPECT_LT(report->kl_max, 1e-12);
  EXPECT_EQ(report->top1_agreement.value, 1);
  EXPECT_EQ(report->rms_delta_p.value, 0);
  EXPECT_EQ(report->log_perplexity_ratio.value, 0);
}

TEST(Evaluate, ReferenceFileGivesWhatTheModelGives) {
  const TestFolder folder;
  const LoadedModel reference = load_stories();
  const CoarseStories coarse;
  const std::string path = save(reference, folder);
  const auto exact = evaluate_kl(coarse.load(), reference, evaluation_text(), kOptions, {});
  const auto stored = evaluate_kl_against_file(coarse.load(), path, evaluation_text(), {}, {});
  ASSERT_TRUE(stored) << message_of(stored);
  EXPECT_EQ(stored->n_tokens, exact->n_tokens);
  EXPECT_EQ(stored->model.n_ctx, 64);  // from the file
  EXPECT_NEAR(stored->mean_kl.value, exact->mean_kl.value, 0.01 * exact->mean_kl.value);
  EXPECT_EQ(stored->top1_agreement.value, exact->top1_agreement.value);
  EXPECT_EQ(stored->model.perplexity, exact->model.perplexity);
  EXPECT_NEAR(stored->reference.perplexity, exact->reference.perplexity, 1e-6 * exact->reference.perplexity);
  EXPECT_NEAR(stored->rms_delta_p.value, exact->rms_delta_p.value, 1e-6);
  const auto itself = evaluate_kl_against_file(reference, path, evaluation_text(), {}, {});
  ASSERT_TRUE(itself) << message_of(itself);
  EXPECT_LT(itself->mean_kl.value, 1e-7);
  EXPECT_EQ(itself->top1_agreement.value, 1);
}

TEST(Evaluate, ReferenceFileForFewerWindows) {
  const TestFolder folder;
  const LoadedModel model = load_stories();
  const std::string path = save(model, folder, {.n_ctx = 64, .max_windows = 5});
  EXPECT_EQ(evaluate_kl_against_file(model, path, evaluation_text(), {}, {})->model.n_windows, 5);
  EXPECT_EQ(evaluate_kl_against_file(model, path, evaluation_text(), {.max_windows = 2}, {})->model.n_windows, 2);
  EXPECT_THAT(message_of(evaluate_kl_against_file(model, path, evaluation_text(), {.max_windows = 6}, {})),
              HasSubstr("--windows 5 or less"));
}

TEST(Evaluate, ReferenceFileOfSomethingElseIsRefused) {
  const TestFolder folder;
  const LoadedModel model = load_stories();
  const std::string path = save(model, folder);
  const auto refusal = [&](const std::string& text, const EvalOptions& options) {
    return message_of(evaluate_kl_against_file(model, path, text, options, {}));
  };
  EXPECT_THAT(refusal(evaluation_text() + "x", {}), HasSubstr("made from another text"));
  std::string changed = evaluation_text();
  changed[100] ^= 1;
  EXPECT_THAT(refusal(changed, {}), HasSubstr("made from another text"));
  EXPECT_THAT(refusal(evaluation_text(), {.n_ctx = 128}), HasSubstr("use -c 64"));
  EXPECT_THAT(refusal(evaluation_text(), {.first_scored = 1}), HasSubstr("--first-scored 32"));
  EXPECT_TRUE(evaluate_kl_against_file(model, path, evaluation_text(), {.n_ctx = 64, .first_scored = 32}, {}));
}

// Token 400 is renamed to `text`.
LoadedModel with_renamed_token(const std::string& text) {
  LoadedModel model = load_stories();
  Vocab vocab = model.tokenizer->vocab();
  vocab.tokens[400].text = text;
  model.tokenizer = *make_tokenizer(std::move(vocab));
  return model;
}

TEST(Evaluate, AnotherVocabularyIsRefused) {
  const TestFolder folder;
  const LoadedModel model = load_stories();
  const LoadedModel renamed = with_renamed_token("zebra");
  const std::string on_the_fly = message_of(evaluate_kl(renamed, model, evaluation_text(), kOptions, {}));
  EXPECT_THAT(on_the_fly, HasSubstr("token 400"));
  EXPECT_THAT(on_the_fly, HasSubstr("zebra"));
  EXPECT_THAT(message_of(evaluate_kl_against_file(renamed, save(model, folder), evaluation_text(), {}, {})),
              HasSubstr("another vocabulary"));
}

TEST(Evaluate, TextsTooShortAndWindowsTooLong) {
  const LoadedModel model = load_stories();
  const auto too_short = evaluate_perplexity(model, "Once upon a time", {}, {});
  ASSERT_FALSE(too_short);
  EXPECT_THAT(too_short.error().message, HasSubstr("fewer than one window of 512"));
  const auto too_long = evaluate_perplexity(model, evaluation_text(), {.n_ctx = 1024}, {});
  ASSERT_FALSE(too_long);
  EXPECT_THAT(too_long.error().message, HasSubstr("context of 512"));
}

TEST(Evaluate, DamagedWeightsAreAnError) {
  const LoadedModel good = load_stories();
  const ChangedStories damaged([](float) { return std::numeric_limits<float>::quiet_NaN(); });
  const LoadedModel bad = damaged.load();
  const TestFolder folder;
  const auto perplexity = evaluate_perplexity(bad, evaluation_text(), kOptions, {});
  ASSERT_FALSE(perplexity);
  EXPECT_THAT(perplexity.error().message, HasSubstr("not finite"));
  EXPECT_THAT(message_of(evaluate_kl(good, bad, evaluation_text(), kOptions, {})), HasSubstr("not finite"));
  EXPECT_THAT(message_of(evaluate_kl(bad, good, evaluation_text(), kOptions, {})), HasSubstr("not finite"));
  EXPECT_FALSE(save_reference(bad, evaluation_text(), {folder.file("x.ref")}, kOptions, {}));
  EXPECT_TRUE(folder.names().empty());
}

// Counts, and cancels after a while.
class CountingSink : public ProgressSink {
 public:
  explicit CountingSink(int cancel_after = 1 << 30) : cancel_after_(cancel_after) {}
  void update(const std::string&, uint64_t done, uint64_t total, const std::string& unit) override {
    EXPECT_GE(done, last_);
    EXPECT_LE(done, total);
    EXPECT_EQ(unit, "tokens");
    last_ = done;
    total_ = total;
    if (++n_updates_ == cancel_after_) token_.cancel();
  }
  JobControl control() { return {this, &token_}; }
  bool complete() const { return last_ == total_; }
  int n_updates() const { return n_updates_; }

 private:
  int cancel_after_;
  int n_updates_ = 0;
  uint64_t last_ = 0, total_ = 0;
  CancelToken token_;
};

TEST(Evaluate, ProgressReachesItsEnd) {
  CountingSink sink;
  ASSERT_TRUE(evaluate_perplexity(load_stories(), evaluation_text(), kOptions, sink.control()));
  EXPECT_TRUE(sink.complete());
  EXPECT_EQ(sink.n_updates(), 30);  // 29 windows and the end
}

TEST(Evaluate, CancelledBetweenPieces) {
  const LoadedModel model = load_stories();
  const TestFolder folder;
  CountingSink first(3);
  const auto perplexity = evaluate_perplexity(model, evaluation_text(), kOptions, first.control());
  ASSERT_FALSE(perplexity);
  EXPECT_EQ(perplexity.error().kind, ErrorKind::cancelled);
  EXPECT_EQ(first.n_updates(), 3);
  CountingSink second(3);
  const auto saved = save_reference(model, evaluation_text(), {folder.file("x.ref")}, kOptions, second.control());
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().kind, ErrorKind::cancelled);
  EXPECT_TRUE(folder.names().empty());
}

}  // namespace
}  // namespace smelt
