#include "train/train_model.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <filesystem>

#include "base/hash.h"
#include "base/log.h"
#include "base/mapped_file.h"
#include "base/text.h"
#include "base/thread_pool.h"
#include "base/units.h"
#include "corpus/window_order.h"
#include "train/adamw.h"
#include "train/live_model.h"
#include "train/llama_module.h"
#include "train/prepare.h"
#include "train/run_log.h"
#include "train/training_state.h"

namespace smelt {
namespace {

constexpr int64_t kMaxJudgedTokens = 1 << 19;  // of the held-out text, at the end

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::span<float> span_of(torch::Tensor& tensor) {
  return {tensor.data_ptr<float>(), static_cast<size_t>(tensor.numel())};
}

// Rises over the warm-up, then falls by half a cosine to the final rate.
double learning_rate(const ScheduleConfig& s, int64_t step) {
  if (step < s.warmup) return s.learning_rate * static_cast<double>(step + 1) / static_cast<double>(s.warmup);
  const double share =
      static_cast<double>(step - s.warmup) / static_cast<double>(std::max<int64_t>(1, s.steps - s.warmup));
  return s.learning_rate * (s.final_rate + (1 - s.final_rate) * 0.5 * (1 + std::cos(M_PI * share)));
}

// Windows of a store as a batch: each begins with the begin token where the vocabulary has one.
struct Batch {
  torch::Tensor inputs, targets;  // [windows][n], int64
};
Batch make_batch(const TokenStore& store, std::span<const int64_t> starts, int64_t n, const Vocab& vocab) {
  const auto rows = static_cast<int64_t>(starts.size());
  Batch batch{torch::empty({rows, n}, torch::kLong), torch::empty({rows, n}, torch::kLong)};
  auto* inputs = batch.inputs.data_ptr<int64_t>();
  auto* targets = batch.targets.data_ptr<int64_t>();
  for (const int64_t start : starts) {
    *inputs++ = vocab.bos.value_or(store[std::max<int64_t>(0, start - 1)]);
    for (int64_t i = 0; i + 1 < n; ++i) *inputs++ = store[start + i];
    for (int64_t i = 0; i < n; ++i) *targets++ = store[start + i];
  }
  return batch;
}

torch::Tensor cross_entropy(const torch::Tensor& logits, const torch::Tensor& targets) {
  return torch::cross_entropy_loss(logits.flatten(0, 1).to(torch::kFloat), targets.flatten());
}

class Trainer {
 public:
  Trainer(const TrainConfig& config, const PreparedRun& run, const WorkFolder& work, LlamaModule module, int n_threads)
      : config_(config),
        run_(run),
        work_(work),
        module_(std::move(module)),
        optimizer_(module_.parameters().values(), module_.parameters().n_decaying()),
        order_(run.training.size(), run.n_window, config.schedule.batch, config.schedule.seed),
        checkpoints_(work.path()),
        n_threads_(n_threads) {
    progress_.key = work.key();
    progress_.n_threads = n_threads;
  }

  // Before the first step: all that can be wrong with a configuration and its data together.
  Status check() const {
    const int64_t per_epoch = order_.steps_per_epoch();
    if (per_epoch == 0)
      return input_error(fmt::format("the training text has {} tokens, too few for a step of {} windows of {}",
                                     run_.training.size(), config_.schedule.batch, run_.n_window));
    if (config_.schedule.steps > kMaxEpochs * per_epoch)
      return input_error(
          fmt::format("field 'train.steps': {} steps read the text {:.1f} times; {} times are allowed: {} "
                      "steps, or more text",
                      config_.schedule.steps, epochs(config_.schedule.steps), kMaxEpochs, kMaxEpochs * per_epoch));
    return {};
  }

  Status begin() {
    SMELT_ASSIGN(const auto loaded, checkpoints_.load(work_.key(), buffers()));
    if (loaded) take(*loaded);
    SMELT_ASSIGN(RunLog log, RunLog::open(work_.path(), progress_.log_bytes, progress_.csv_bytes));
    log_ = std::make_unique<RunLog>(std::move(log));
    if (loaded) return {};
    SMELT_TRY(log_->add_start(fmt::format(
        "\"parameters\":{},\"training_tokens\":{},\"training_documents\":{},\"held_out_tokens\":{},"
        "\"held_out_documents\":{},\"steps\":{},\"tokens_per_step\":{},\"threads\":{}",
        module_.parameters().size(), run_.training.size(), run_.training.figures().n_documents, run_.held_out.size(),
        run_.held_out.figures().n_documents, config_.schedule.steps, tokens_per_step(), n_threads_)));
    return evaluate_and_sample();
  }

  bool done() const { return progress_.step >= config_.schedule.steps; }

  Status step() {
    const double started = now_seconds();
    const double loss = compute_gradients();
    const double rate = learning_rate(config_.schedule, progress_.step);
    const double norm = clip_gradients(module_.parameters().gradients(), config_.schedule.clip);
    if (!std::isfinite(loss) || !std::isfinite(norm))
      return input_error(
          fmt::format("step {}: the loss or its gradient is not finite; lower 'train.learning_rate' (the "
                      "checkpoint before this is kept)",
                      progress_.step + 1));
    const ScheduleConfig& s = config_.schedule;
    optimizer_.update(module_.parameters().values(), module_.parameters().gradients(), progress_.step,
                      {.learning_rate = rate,
                       .weight_decay = s.weight_decay,
                       .beta1 = s.beta1,
                       .beta2 = s.beta2,
                       .epsilon = s.epsilon});
    ++progress_.step;
    progress_.loss_sum += loss;
    ++progress_.loss_steps;
    const double took = now_seconds() - started;
    progress_.seconds += took;
    interval_seconds_ += took;
    ++interval_steps_;
    return tell(rate, norm);
  }

  Status save() {
    SMELT_TRY(log_->sync());
    progress_.log_bytes = log_->log_bytes();
    progress_.csv_bytes = log_->csv_bytes();
    const torch::Tensor random = at::detail::getDefaultCPUGenerator().get_state();
    const auto* bytes = reinterpret_cast<const std::byte*>(random.data_ptr<uint8_t>());
    return checkpoints_.save(progress_, buffers(), {bytes, static_cast<size_t>(random.numel())});
  }

  Result<HeldOutFigures> evaluate(int64_t n_tokens) {
    const torch::NoGradGuard no_gradients;
    const int64_t n = run_.n_window;
    const int64_t n_windows = std::max<int64_t>(1, std::min(n_tokens, run_.held_out.size()) / n);
    double nll = 0;
    int64_t n_bytes = 0;
    for (int64_t w = 0; w < n_windows; ++w) {
      const int64_t start = w * n;
      const Batch batch = make_batch(run_.held_out, {&start, 1}, n, run_.tokenizer->vocab());
      const MixedPrecision mixed(config_.schedule.bf16);
      nll += cross_entropy(module_.forward(batch.inputs), batch.targets).item<double>() * static_cast<double>(n);
      for (int64_t i = start; i < start + n; ++i)
        n_bytes += static_cast<int64_t>(run_.tokenizer->token_bytes(run_.held_out[i]).size());
    }
    const int64_t judged = n_windows * n;
    return HeldOutFigures{.step = progress_.step,
                          .loss = nll / static_cast<double>(judged),
                          .bits_per_byte = nll / M_LN2 / static_cast<double>(std::max<int64_t>(1, n_bytes)),
                          .n_tokens = judged,
                          .seconds = progress_.seconds};
  }

  // After the last step: the judgement, and the folder.
  Result<TrainReport> finish(const std::string& output, Overwrite overwrite, const JobControl& job) {
    SMELT_ASSIGN(const HeldOutFigures judged, evaluate(kMaxJudgedTokens));
    SMELT_TRY(log_->add(judged));
    SMELT_TRY(log_->sync());
    LiveModel model = live_model();
    for (const char* name : {"log.jsonl", "log.csv"}) {
      SMELT_ASSIGN(std::string text, read_file(work_.file(name), uint64_t{1} << 32));
      model.attach(name, std::move(text));
    }
    model.attach("train.toml", config_.text);
    SMELT_TRY(export_model(model, output, config_.output_type, overwrite, job));
    return TrainReport{.n_parameters = module_.parameters().size(),
                       .steps = progress_.step,
                       .n_tokens = progress_.step * tokens_per_step(),
                       .epochs = epochs(progress_.step),
                       .held_out_loss = judged.loss,
                       .bits_per_byte = judged.bits_per_byte,
                       .held_out_tokens = judged.n_tokens,
                       .seconds = progress_.seconds};
  }

  int64_t n_done() const { return progress_.step; }
  double last_loss() const { return last_loss_; }

 private:
  int64_t tokens_per_step() const { return config_.schedule.batch * run_.n_window; }
  double epochs(int64_t steps) const {
    return static_cast<double>(steps) / static_cast<double>(order_.steps_per_epoch());
  }
  TrainingBuffers buffers() {
    return {span_of(module_.parameters().values()), span_of(optimizer_.first_moments()),
            span_of(optimizer_.second_moments())};
  }

  void take(const TrainingCheckpoints::Loaded& loaded) {
    progress_ = loaded.progress;
    torch::Tensor random = torch::empty({static_cast<int64_t>(loaded.random.size())}, torch::kByte);
    std::memcpy(random.data_ptr<uint8_t>(), loaded.random.data(), loaded.random.size());
    auto generator = at::detail::getDefaultCPUGenerator();
    generator.set_state(random);
    if (progress_.n_threads != n_threads_)
      log(LogLevel::warning, fmt::format("the run began with {} threads and goes on with {}: results will differ in "
                                         "the last bits from a run that was not interrupted",
                                         progress_.n_threads, n_threads_));
    log(LogLevel::note, fmt::format("going on from step {}", progress_.step));
  }

  // The mean loss of the batch; gradients are those of the mean.
  double compute_gradients() {
    const ScheduleConfig& s = config_.schedule;
    module_.parameters().gradients().zero_();
    const std::vector<int64_t> starts = order_.starts(progress_.step);
    const auto part = static_cast<size_t>(s.batch / s.accumulate);
    double sum = 0;
    for (size_t at = 0; at < starts.size(); at += part) {
      const Batch batch =
          make_batch(run_.training, std::span(starts).subspan(at, part), run_.n_window, run_.tokenizer->vocab());
      torch::Tensor logits;
      {
        const MixedPrecision mixed(s.bf16);
        logits = module_.forward(batch.inputs);
      }
      const torch::Tensor loss = cross_entropy(logits, batch.targets) / static_cast<double>(s.accumulate);
      loss.backward();
      sum += loss.item<double>();
    }
    return sum;
  }

  // Lines of the log, evaluations and checkpoints that are due after a step.
  Status tell(double rate, double norm) {
    const int64_t step = progress_.step;
    const auto due = [&](int64_t every) { return step % every == 0 || done(); };
    if (due(config_.report.log_every)) {
      last_loss_ = progress_.loss_sum / static_cast<double>(progress_.loss_steps);
      SMELT_TRY(log_->add(
          StepFigures{.step = step,
                      .tokens = step * tokens_per_step(),
                      .loss = last_loss_,
                      .learning_rate = rate,
                      .gradient_norm = norm,
                      .tokens_per_second = static_cast<double>(interval_steps_ * tokens_per_step()) / interval_seconds_,
                      .seconds = progress_.seconds}));
      progress_.loss_sum = 0;
      progress_.loss_steps = interval_steps_ = 0;
      interval_seconds_ = 0;
    }
    if (step % config_.report.evaluate_every == 0 && !done()) SMELT_TRY(evaluate_and_sample());
    if (due(config_.report.checkpoint_every)) SMELT_TRY(save());
    return {};
  }

  Status evaluate_and_sample() {
    SMELT_ASSIGN(const HeldOutFigures figures, evaluate(config_.report.evaluate_tokens));
    SMELT_TRY(log_->add(figures));
    for (const std::string& prompt : config_.report.prompts) {
      SMELT_ASSIGN(const std::string text,
                   write_sample(live_model(), run_.tokenizer, prompt, config_.report.sample_tokens, n_threads_));
      SMELT_TRY(log_->add_sample(progress_.step, prompt, text));
    }
    return {};
  }

  LiveModel live_model() const {
    LiveModel model{.config_json = run_.config_json, .attachments = run_.attachments, .tensors = {}};
    for (const ParameterSpec& spec : module_.parameters().specs())
      model.tensors.push_back({spec.name, spec.shape, module_.parameters().data() + spec.offset});
    return model;
  }

  const TrainConfig& config_;
  const PreparedRun& run_;
  const WorkFolder& work_;
  LlamaModule module_;
  AdamW optimizer_;
  WindowOrder order_;
  TrainingCheckpoints checkpoints_;
  std::unique_ptr<RunLog> log_;
  TrainingProgress progress_;
  int n_threads_;
  double interval_seconds_ = 0, last_loss_ = 0;
  int64_t interval_steps_ = 0;
};

Result<LlamaModule> make_module(const PreparedRun& run, uint64_t seed) {
  SMELT_ASSIGN(LlamaModule module, LlamaModule::create(run.model));
  if (run.start) {
    SMELT_TRY(module.load(*run.start));
  } else {
    module.initialise(seed);
  }
  return module;
}

Result<TrainReport> run_training(const TrainOptions& options, const JobControl& job) {
  SMELT_ASSIGN(const std::string text, read_file(options.config_file, 1 << 20));
  SMELT_ASSIGN(const TrainConfig config, parse_train_config(text, options.config_file, options.data_folder));
  const int chosen = options.n_threads > 0 ? options.n_threads : config.schedule.threads;
  const int n_threads = chosen > 0 ? chosen : default_threads();
  at::set_num_threads(n_threads);
  const bool replaces = options.overwrite == Overwrite::replace;
  if (!replaces && std::filesystem::exists(options.output))
    return input_error(
        fmt::format("{}: exists already; --force replaces it", escape_for_display(options.output, 4096)));
  const auto start = options.resume ? WorkFolder::Start::resume
                     : replaces     ? WorkFolder::Start::anew
                                    : WorkFolder::Start::fresh;
  SMELT_ASSIGN(const WorkFolder work, WorkFolder::open(options.output, hash_bytes(config.text), start));
  SMELT_ASSIGN(const PreparedRun run, prepare_run(config, work, job));
  SMELT_ASSIGN(LlamaModule module, make_module(run, config.schedule.seed));
  Trainer trainer(config, run, work, std::move(module), n_threads);
  SMELT_TRY(trainer.check());
  SMELT_TRY(trainer.begin());
  while (!trainer.done()) {
    SMELT_TRY(trainer.step());
    job.update(fmt::format("loss {:.3f}", trainer.last_loss()), static_cast<uint64_t>(trainer.n_done()),
               static_cast<uint64_t>(config.schedule.steps), "steps");
    if (!job.cancelled() || trainer.done()) continue;
    SMELT_TRY(trainer.save());
    return Error{ErrorKind::cancelled,
                 fmt::format("interrupted at step {}; --resume goes on from it", trainer.n_done())};
  }
  SMELT_ASSIGN(const TrainReport report, trainer.finish(options.output, options.overwrite, job));
  work.remove();
  return report;
}

}  // namespace

Result<TrainReport> train_model(const TrainOptions& options, const JobControl& job) {
  try {
    return run_training(options, job);
  } catch (const c10::Error& error) {
    return input_error(fmt::format("libtorch: {}", error.what_without_backtrace()));
  }
}

}  // namespace smelt
