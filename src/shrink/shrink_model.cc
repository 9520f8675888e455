// The story of shrinking, on one page: open, measure what each tensor costs in each type, choose types within the
// budget, round them layer by layer, write, prove.
#include "shrink/shrink_model.h"

#include <fmt/format.h>

#include "base/hash.h"
#include "base/units.h"
#include "compress/convert_model.h"
#include "compress/gguf_output.h"
#include "eval/speed.h"
#include "eval/stopwatch.h"
#include "shrink/choose_types.h"
#include "shrink/proof.h"
#include "shrink/sample_text.h"
#include "shrink/shrink_folder.h"
#include "shrink/shrunk_file.h"
#include "shrink/texts.h"

namespace smelt {
namespace {

RoundTensorOptions rounding_of(const ShrinkOptions& options) {
  RoundTensorOptions out;
  if (options.mode == ShrinkMode::fast) out.rounding.method = RoundingMethod::diagonal;
  if (options.rounding) out.rounding.method = *options.rounding;
  return out;
}

// What results are made from: of another key they are not taken up again.
uint64_t key_of(const SourceModel& source, const Windows& windows, const ShrinkOptions& options) {
  Hasher hasher;
  hasher.add(hash_ids(windows));
  hasher.add(source.checkpoint->file_bytes());
  for (const CanonicalTensor& tensor : source.canonical.tensors) {
    hasher.add(hash_bytes(tensor.name));
    hasher.add(hash_bytes(tensor.source->view.bytes.first(std::min<size_t>(4096, tensor.source->view.bytes.size()))));
  }
  hasher.add(static_cast<uint64_t>(options.mode));
  hasher.add(static_cast<uint64_t>(rounding_of(options).rounding.method));
  for (const DType type : options.types) hasher.add(static_cast<uint64_t>(type));
  return hasher.value();
}

uint64_t key_of(uint64_t base, const TypeChoice& types) {
  Hasher hasher;
  hasher.add(base);
  for (const auto& [index, type] : types) {
    hasher.add(index);
    hasher.add(static_cast<uint64_t>(type));
  }
  return hasher.value();
}

// Everything a shrink holds while it runs.
struct Shrink {
  const std::string& output;
  const ShrinkOptions& options;
  const JobControl& job;
  ShrinkFolder& work;
  const SourceModel& source;
  const Windows& windows;
  uint64_t key;
  ThreadPool& threads;

  Result<std::vector<TensorCost>> costs() const {
    if (auto known = options.resume ? work.load_costs(key) : std::nullopt) return std::move(*known);
    const CalibrationText text{options.calibration.text, windows, work.file("calibration.ref")};
    const CostOptions cost_options{.types = options.types,
                                   .layers_measured = layers_measured(),
                                   .rounding = rounding_of(options),
                                   .n_threads = options.n_threads};
    SMELT_ASSIGN(auto measured, measure_costs(source, text, cost_options, threads, job));
    SMELT_TRY(work.save_costs(key, measured));
    return measured;
  }

  // So that probing takes no longer than a few passes over the text.
  int64_t layers_measured() const {
    constexpr int64_t kSmall = 100'000'000;  // parameters
    if (options.mode == ShrinkMode::fast) return 1;
    int64_t n_values = 0;
    for (const CanonicalTensor& tensor : source.canonical.tensors) n_values += tensor.shape.values();
    return n_values < kSmall ? 0 : 3;
  }

  // Rounds, writes and proves one choice of types.
  Result<Trial> attempt(const TypeChoice& types, const std::string& path, Overwrite overwrite, Proof& proof) const {
    QuantizeOptions file_options{.allow_requantize = true, .overwrite = overwrite, .n_threads = options.n_threads};
    Trial trial{.types = types};
    SMELT_ASSIGN(trial.plan, plan_types(source, types, file_options));
    SMELT_ASSIGN(
        RoundedModel rounded,
        round_model(source, windows, types, {.tensor = rounding_of(options), .store = work.tensors(key_of(key, types))},
                    threads, job));
    SMELT_TRY(write_shrunk(source, trial.plan, rounded.tensors, path, file_options, job));
    trial.losses = std::move(rounded.losses);
    SMELT_ASSIGN(trial.proof, proof.measure(path));
    if (options.target.tokens_per_second > 0) {
      SMELT_ASSIGN(trial.tokens_per_second, measure_writing(path));
    }
    return trial;
  }

  // Tokens a second, as `smelt bench` measures writing.
  Result<double> measure_writing(const std::string& path) const {
    const SpeedOptions speed{
        .n_prompt = 0, .n_predict = 32, .depth = 0, .n_sequences = 0, .n_repeats = 5, .n_threads = options.n_threads};
    SMELT_ASSIGN(const SpeedReport report, measure_speed(path, speed, {nullptr, job.cancel}));
    return report.measures.front().tokens_per_second.median;
  }

  Result<LatencyTable> latency(const std::vector<TensorCost>& measured) const {
    if (options.target.tokens_per_second <= 0) return LatencyTable{};
    return measure_latency(source, measured, threads, job);
  }

  Result<ShrinkReport> run() const {
    SMELT_ASSIGN(const std::vector<TensorCost> measured, costs());
    SMELT_ASSIGN(const LatencyTable table, latency(measured));
    const TargetSolver chooser(source, measured, table, options);
    SMELT_ASSIGN(TypeChoice types, chooser.choose());
    if (options.plan_only) return chooser.describe(types);
    SMELT_ASSIGN(Proof proof, Proof::create(source, options, work, job));
    if (chooser.needs_search()) {
      SMELT_ASSIGN(types, chooser.search(types, [&](const TypeChoice& t) {
        return attempt(t, work.file("trial.gguf"), Overwrite::replace, proof);
      }));
    }
    SMELT_ASSIGN(const Trial best, attempt(types, output, options.overwrite, proof));
    SMELT_ASSIGN(ShrinkReport report, chooser.describe(best.types));
    report.tokens_per_second = best.tokens_per_second;
    add_proof(best, report);
    return report;
  }

  void add_proof(const Trial& trial, ShrinkReport& report) const {
    report.proof = trial.proof;
    for (ShrunkTensor& tensor : report.tensors) {
      for (const auto& [index, loss] : trial.losses) {
        if (source.canonical.tensors[index].name != tensor.name || !(loss.diagonal > 0)) continue;
        tensor.gain_of_rounding = 1 - loss.chosen / loss.diagonal;
      }
    }
  }
};

// 32-bit sources keep their precision on the way.
DType source_type(const SourceModel& source) {
  for (const CanonicalTensor& tensor : source.canonical.tensors) {
    if (tensor.shape.rank > 1) return tensor.source->view.dtype == DType::f32 ? DType::f32 : DType::f16;
  }
  return DType::f16;
}

Status refuse_quantized(const SourceModel& source, const ShrinkOptions& options) {
  for (const CanonicalTensor& tensor : source.canonical.tensors) {
    if (options.allow_requantize || !is_quantized(tensor.source->view.dtype)) continue;
    return input_error(fmt::format(
        "{}: is {} already, and shrinking it would add a second loss; start from the original, or allow it with "
        "--allow-requantize",
        source.checkpoint->describe(*tensor.source), dtype_name(tensor.source->view.dtype)));
  }
  return {};
}

// A Hugging Face folder is brought into GGUF's terms first: rows and names are then those of the output.
Result<SourceModel> in_gguf_terms(SourceModel source, const std::string& input, const ShrinkFolder& work,
                                  const ShrinkOptions& options, const JobControl& job) {
  if (source.checkpoint->dialect() == Dialect::gguf) return source;
  const std::string path = work.file("source.gguf");
  const ConvertOptions convert{
      .type = source_type(source), .overwrite = Overwrite::replace, .n_threads = options.n_threads};
  SMELT_TRY(convert_model(input, path, convert, job));
  return open_source_model(path);
}

}  // namespace

Result<ShrinkReport> shrink_model(const std::string& input, const std::string& output, const ShrinkOptions& given,
                                  const JobControl& job) {
  const Stopwatch watch;
  EnergyMeter meter;
  ShrinkOptions options = given;
  if (options.types.empty()) options.types = stock_types();
  SMELT_ASSIGN(SourceModel opened, open_source_model(input));
  SMELT_TRY(refuse_same_file(*opened.checkpoint, input, output));
  SMELT_TRY(refuse_quantized(opened, options));
  SMELT_ASSIGN(ShrinkFolder work, ShrinkFolder::open(output + ".work", options.resume));
  SMELT_ASSIGN(const SourceModel source, in_gguf_terms(std::move(opened), input, work, options, job));
  if (options.calibration.text.empty()) {
    options.calibration.name = fmt::format("sampled from the model, seed {}", options.seed);
    SMELT_ASSIGN(options.calibration.text,
                 sample_text(source.loaded, options.sampled_tokens, options.seed, options.n_threads, job));
  }
  SMELT_TRY(settle_texts(options.calibration, options.held_out));
  SMELT_ASSIGN(const WindowSettings settings,
               make_window_settings({.n_ctx = options.n_ctx, .max_windows = options.max_windows},
                                    source.loaded.model->config().n_ctx_train));
  SMELT_ASSIGN(
      const Windows windows,
      cut_windows(*source.loaded.tokenizer, options.calibration.text, settings).with_context(options.calibration.name));
  ThreadPool threads(options.n_threads);
  const Shrink shrink{output, options, job, work, source, windows, key_of(source, windows, options), threads};
  SMELT_ASSIGN(ShrinkReport report, shrink.run());
  work.remove();
  report.calibration_name = options.calibration.name;
  report.held_out_name = options.held_out.name;
  report.calibration_hash = hash_bytes(options.calibration.text);
  report.held_out_hash = hash_bytes(options.held_out.text);
  report.calibration_tokens = std::ssize(windows.ids);
  report.seconds = watch.seconds();
  report.peak_memory_bytes = peak_rss_bytes();
  report.energy = meter.used();
  return report;
}

std::vector<DType> stock_types() {
  return {DType::q2_k, DType::q3_k, DType::iq4_xs, DType::q4_k, DType::q5_k, DType::q6_k, DType::q8_0};
}

}  // namespace smelt
