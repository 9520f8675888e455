// measure_speed: load, one round that warms up and shows how much memory is needed, then rounds of all measurements in
// turn with probes of the machine's limits between them.
#include "eval/speed.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/hash.h"
#include "base/units.h"
#include "eval/speed_cost.h"
#include "eval/speed_limits.h"
#include "eval/speed_speculation.h"
#include "eval/stopwatch.h"
#include "runtime/batch.h"

namespace smelt {
namespace {

constexpr double kLoadingSeconds = 5;  // loading is not repeated beyond this

class Ids {
 public:
  Ids(int64_t n, int64_t n_vocab) {
    for (int64_t i = 0; i < n; ++i) {
      Hasher hasher;
      hasher.add(static_cast<uint64_t>(i));
      ids_.push_back(static_cast<TokenId>(hasher.value() % static_cast<uint64_t>(n_vocab)));
    }
  }
  std::span<const TokenId> first(int64_t n) const { return std::span(ids_).first(static_cast<size_t>(n)); }
  TokenId at(int64_t i) const { return ids_[static_cast<size_t>(i) % ids_.size()]; }

 private:
  std::vector<TokenId> ids_;
};

SessionOptions session_options(const SpeedOptions& options) {
  SessionOptions out;
  const int64_t behind = options.depth > 0 ? options.depth + options.n_predict : options.n_predict;
  out.n_ctx = std::max({int64_t{1}, options.n_prompt, behind});
  out.n_threads = options.n_threads;
  out.pinning = options.pinning;
  out.kv_type = options.kv_type;
  return out;
}

Status check(const SpeedOptions& o) {
  if (o.n_repeats < 1) return usage_error("at least one repeat is needed");
  if (o.n_prompt < 0 || o.n_predict < 0 || o.depth < 0 || o.n_sequences < 0)
    return usage_error("numbers of tokens and sequences cannot be negative");
  if (o.n_prompt == 0 && o.n_predict == 0) return usage_error("nothing to measure: no prompt and nothing to write");
  return {};
}

// One measurement, to be made many times.
struct Test {
  std::string name;
  int64_t n_tokens = 0;  // of one run, all sequences
  double bytes_per_token = 0, ops_per_token = 0;
  std::function<Status()> prepare, run;
  bool behind = false;  // a long text, which takes long to compute
  std::vector<double> rates{}, read_shares{}, int8_shares{};
};

class SpeedRun {
 public:
  SpeedRun(const SpeedOptions& options, const JobControl& job, LoadedModel model, Session session)
      : options_(options),
        job_(job),
        model_(std::move(model)),
        session_(std::move(session)),
        ids_(session_.n_ctx(), model_.model->config().n_vocab),
        cost_(speed_cost(*model_.model, options.kv_type)) {}

  const LoadedModel& model() const { return model_; }
  Result<SpeedReport> measure() {
    SMELT_TRY(add_tests());
    SMELT_TRY(warm_up());
    SpeedReport report;
    report.n_threads = session_.threads().size();
    report.pinned = session_.threads().pinned();
    report.weights_bytes = cost_.weights_bytes;
    report.kv_bytes_per_token = static_cast<uint64_t>(cost_.kv_bytes_per_token);
    report.peak_rss_bytes = peak_rss_bytes();
    SMELT_ASSIGN(LimitProbe probe, LimitProbe::create(session_.threads()));
    for (const bool behind : {true, false}) {  // the long text is still there from the warming up
      for (int64_t r = 0; r < options_.n_repeats; ++r) SMELT_TRY(measure_all(behind, probe));
    }
    for (const Test& test : tests_) {
      report.measures.push_back({test.name, spread_of(test.rates), test.bytes_per_token, test.ops_per_token,
                                 spread_of(test.read_shares), spread_of(test.int8_shares)});
    }
    report.limits = probe.limits();
    return report;
  }

 private:
  Status add_tests() {
    if (options_.n_prompt > 0) add_prompt();
    if (options_.n_predict == 0) return {};
    add_writing(fmt::format("tg{}", options_.n_predict), 0);
    if (options_.depth > 0) add_writing(fmt::format("tg{}@{}", options_.n_predict, options_.depth), options_.depth);
    return options_.n_sequences > 0 ? add_batch() : Status();
  }

  void add_prompt() {
    const auto n = static_cast<double>(options_.n_prompt);
    // Weights once for each pass; logits of the last token only.
    const double passes = std::ceil(n / static_cast<double>(SessionOptions{}.prefill_chunk));
    tests_.push_back({.name = fmt::format("pp{}", options_.n_prompt),
                      .n_tokens = options_.n_prompt,
                      .bytes_per_token = cost_.decode_bytes * passes / n + cost_.row_bytes,
                      .ops_per_token = cost_.layer_ops + cost_.head_ops / n,
                      .prepare = [this] { return rewind(0); },
                      .run = [this] { return session_.append(ids_.first(options_.n_prompt), job_.cancel); }});
  }

  // Positions that are read before each token, on average.
  double mean_position(int64_t start) const {
    const int64_t window = model_.model->config().window;
    int64_t sum = 0;
    for (int64_t i = start; i < start + options_.n_predict; ++i) sum += window > 0 ? std::min(i, window - 1) : i;
    return static_cast<double>(sum) / static_cast<double>(options_.n_predict);
  }

  void add_writing(std::string name, int64_t start) {
    tests_.push_back(
        {.name = std::move(name),
         .n_tokens = options_.n_predict,
         .bytes_per_token = cost_.decode_bytes + cost_.row_bytes + mean_position(start) * cost_.kv_bytes_per_token,
         .ops_per_token = cost_.layer_ops + cost_.head_ops,
         .prepare = [this, start] { return rewind(start); },
         .run = [this] { return write(); },
         .behind = start > 0});
  }

  Status add_batch() {
    SessionOptions each = session_options(options_);
    each.n_ctx = options_.n_predict;
    SMELT_ASSIGN(Batch batch, Batch::create(model_.model, options_.n_sequences, each));
    batch_ = std::make_unique<Batch>(std::move(batch));
    tests_.push_back({.name = fmt::format("batch{}", options_.n_sequences),
                      .n_tokens = options_.n_sequences * options_.n_predict,
                      .bytes_per_token = cost_.decode_bytes / static_cast<double>(options_.n_sequences) +
                                         cost_.row_bytes + mean_position(0) * cost_.kv_bytes_per_token,
                      .ops_per_token = cost_.layer_ops + cost_.head_ops,
                      .prepare = [this] { return rewind_batch(); },
                      .run = [this] { return write_batch(); }});
    return {};
  }

  // Whatever is in the cache up to there serves: all tests use the same ids in the same places.
  Status rewind(int64_t start) {
    session_.truncate(std::min(start, session_.position()));
    const auto missing = ids_.first(start).subspan(static_cast<size_t>(session_.position()));
    return missing.empty() ? Status() : session_.append(missing, job_.cancel);
  }

  Status write() {
    for (int64_t i = 0; i < options_.n_predict; ++i) {
      const TokenId id = ids_.at(session_.position());
      SMELT_TRY(session_.append({&id, 1}, job_.cancel));
    }
    return {};
  }

  Status rewind_batch() {
    for (int64_t s = 0; s < batch_->size(); ++s) batch_->sequence(s).truncate(0);
    return {};
  }

  Status write_batch() {
    std::vector<BatchToken> tokens(static_cast<size_t>(batch_->size()));
    std::vector<Status> errors(tokens.size());
    for (int64_t i = 0; i < options_.n_predict; ++i) {
      if (job_.cancelled()) return cancelled_error();
      for (int64_t s = 0; s < batch_->size(); ++s) tokens[static_cast<size_t>(s)] = {s, ids_.at(i + 7 * s)};
      SMELT_TRY(batch_->decode(tokens, errors));
      for (const Status& error : errors) SMELT_TRY(error);
    }
    return {};
  }

  std::vector<Test*> tests_that(bool behind) {
    std::vector<Test*> out;
    for (Test& test : tests_) {
      if (test.behind == behind) out.push_back(&test);
    }
    return out;
  }

  Status warm_up() {
    for (const bool behind : {false, true}) {
      for (Test* test : tests_that(behind)) {
        report_progress(test->name);
        SMELT_TRY(test->prepare());
        SMELT_TRY(test->run());
        ++n_done_;
      }
    }
    return {};
  }

  Status measure_all(bool behind, LimitProbe& probe) {
    const std::vector<Test*> tests = tests_that(behind);
    if (tests.empty()) return {};
    LimitsNow before = probe.probe();
    for (Test* each : tests) {
      Test& test = *each;
      report_progress(test.name);
      SMELT_TRY(test.prepare());
      const Stopwatch watch;
      SMELT_TRY(test.run());
      const double rate = static_cast<double>(test.n_tokens) / watch.seconds();
      const LimitsNow after = probe.probe();
      test.rates.push_back(rate);
      test.read_shares.push_back(rate * test.bytes_per_token / std::max(before.read, after.read));
      test.int8_shares.push_back(rate * test.ops_per_token / std::max(before.int8, after.int8));
      before = after;
      ++n_done_;
    }
    return {};
  }

  void report_progress(const std::string& name) {
    const auto rounds = static_cast<uint64_t>(options_.n_repeats) + 1;
    job_.update(fmt::format("{}, {} threads", name, session_.threads().size()), n_done_, rounds * tests_.size(),
                "runs");
  }

  SpeedOptions options_;
  JobControl job_;
  LoadedModel model_;
  Session session_;
  std::unique_ptr<Batch> batch_;
  Ids ids_;
  SpeedCost cost_;
  std::vector<Test> tests_;
  uint64_t n_done_ = 0;
};

struct Loading {
  std::vector<double> load_seconds, first_token_seconds;
};

// Loads, and computes the first prompt: what a user waits for. Several times, if that is quick; the last is kept.
Result<std::unique_ptr<SpeedRun>> load(const std::string& path, const SpeedOptions& options, const JobControl& job,
                                       Loading& times) {
  const Stopwatch all;
  while (true) {
    job.update("loading", times.load_seconds.size(), static_cast<uint64_t>(options.n_repeats), "runs");
    const Stopwatch watch;
    SMELT_ASSIGN(LoadedModel model, load_model(path, options.compute));
    SMELT_ASSIGN(Session session, Session::create(model.model, session_options(options)));
    times.load_seconds.push_back(watch.seconds());
    const int64_t n_prompt = std::max<int64_t>(1, options.n_prompt);
    const Ids ids(n_prompt, model.model->config().n_vocab);
    SMELT_TRY(session.append(ids.first(n_prompt), job.cancel));
    times.first_token_seconds.push_back(watch.seconds());
    const bool enough = static_cast<int64_t>(times.load_seconds.size()) >= options.n_repeats;
    if (enough || all.seconds() > kLoadingSeconds)
      return std::make_unique<SpeedRun>(options, job, std::move(model), std::move(session));
    if (job.cancelled()) return cancelled_error();
  }
}

}  // namespace

Spread spread_of(std::vector<double> samples) {
  if (samples.empty()) return {};
  std::sort(samples.begin(), samples.end());
  const size_t n = samples.size();
  return {(samples[(n - 1) / 2] + samples[n / 2]) / 2, samples.front(), samples.back()};
}

Result<SpeedReport> measure_speed(const std::string& path, const SpeedOptions& options, const JobControl& job) {
  SMELT_TRY(check(options));
  reset_peak_rss();  // of an earlier call, with the memory of its probe
  Loading times;
  SMELT_ASSIGN(std::unique_ptr<SpeedRun> run, load(path, options, job, times));
  SMELT_ASSIGN(SpeedReport report, run->measure());
  const LoadedModel model = run->model();
  run.reset();
  if (options.speculation) {
    SMELT_ASSIGN(report.speculation, measure_speculation(model, options, job));
  }
  report.load_seconds = spread_of(times.load_seconds);
  report.first_token_seconds = spread_of(times.first_token_seconds);
  return report;
}

}  // namespace smelt
