// Plain decoding and decoding with guesses in turn, so that both see the same machine.
#include "eval/speed_speculation.h"

#include <fmt/format.h>

#include <algorithm>

#include "eval/stopwatch.h"
#include "runtime/speculative_replay.h"

namespace smelt {
namespace {

constexpr int64_t kPromptTokens = 32;
constexpr int64_t kLongestDraft = 8;

std::vector<TokenId> make_prompt(int64_t n_vocab) {
  std::vector<TokenId> prompt;
  for (int64_t i = 0; i < kPromptTokens; ++i) prompt.push_back(static_cast<TokenId>((i + 1) * 7919 % n_vocab));
  return prompt;
}

TokenId most_likely(std::span<const float> logits) {
  return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// Writes n tokens after the prompt into `text`, and says how long they took.
Result<double> write(Session& session, Speculation& speculation, int64_t n, const CancelToken* cancel,
                     std::vector<TokenId>& text) {
  const std::vector<TokenId> prompt = make_prompt(session.model().config().n_vocab);
  text.clear();
  session.truncate(0);
  SMELT_TRY(session.append(prompt, cancel));
  SMELT_TRY(speculation.begin(session, prompt, n, cancel));
  const Stopwatch watch;
  while (true) {
    text.push_back(most_likely(speculation.logits()));
    if (static_cast<int64_t>(text.size()) == n) break;
    if (cancel != nullptr && cancel->cancelled()) return cancelled_error();
    SMELT_TRY(speculation.append(text.back()));
  }
  speculation.end();
  return watch.seconds();
}

struct Samples {
  int right_percent = 0;
  std::vector<double> rates{}, ratios{};
  SpeculationFigures figures{};
};

}  // namespace

Result<std::vector<SpeculationMeasure>> measure_speculation(const LoadedModel& model, const SpeedOptions& options,
                                                            const JobControl& job) {
  const int64_t n = std::max<int64_t>(options.n_predict, 2);
  SMELT_ASSIGN(Session session, Session::create(model.model, {.n_ctx = kPromptTokens + n,
                                                              .n_threads = options.n_threads,
                                                              .pinning = options.pinning,
                                                              .kv_type = options.kv_type,
                                                              .max_draft = kLongestDraft}));
  std::vector<TokenId> recorded, text;
  Speculation one_by_one;
  SMELT_TRY(write(session, one_by_one, n, job.cancel, recorded));
  Samples all[] = {{.right_percent = 80}, {.right_percent = 0}};
  for (int64_t r = 0; r < options.n_repeats; ++r) {
    job.update("speculation", static_cast<uint64_t>(r), static_cast<uint64_t>(options.n_repeats), "runs");
    for (Samples& samples : all) {
      SMELT_ASSIGN(const double plain_seconds, write(session, one_by_one, n, job.cancel, text));
      auto drafter = std::make_unique<ReplayDrafter>(recorded, samples.right_percent / 100.0,
                                                     model.model->config().n_vocab, static_cast<uint64_t>(r) + 1);
      Speculation guessing(std::move(drafter), {.max_draft = kLongestDraft});
      SMELT_ASSIGN(const double seconds, write(session, guessing, n, job.cancel, text));
      if (text != recorded) return input_error("speculative decoding wrote another text than plain decoding");
      samples.rates.push_back(static_cast<double>(n) / seconds);
      samples.ratios.push_back(plain_seconds / seconds);
      samples.figures = guessing.figures();
    }
  }
  std::vector<SpeculationMeasure> measures;
  for (const Samples& samples : all) {
    measures.push_back({fmt::format("spec{}", samples.right_percent), spread_of(samples.rates),
                        spread_of(samples.ratios), samples.figures});
  }
  return measures;
}

}  // namespace smelt
