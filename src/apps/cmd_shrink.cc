// smelt shrink: a budget in, the model of the least loss within it out, with the proof.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <memory>

#include "apps/command.h"
#include "apps/options.h"
#include "apps/output.h"
#include "apps/shrink_report.h"
#include "apps/signals.h"
#include "base/text.h"
#include "base/units.h"
#include "compress/mix_rules.h"
#include "compress/quantize_model.h"
#include "shrink/shrink_model.h"
#include "tensor/block_codes.h"

namespace smelt {
namespace {

struct ShrinkArguments {
  std::string model, output, budget, ram, ppl_rise, types, mode = "full", calibration = "auto", held_out, report,
                                                           rounding;
  double bits = 0, max_kl = 0;
  ShrinkOptions options;
  int64_t n_threads = 0, seed = 0;
  bool force = false, json = false;
};

// "420MB", "1.5GiB", "420000000"; decimal and binary units.
Result<uint64_t> parse_size(const char* option, const std::string& text) {
  struct Unit {
    std::string_view name;
    double bytes;
  };
  constexpr Unit kUnits[] = {{"", 1},          {"B", 1},         {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"KiB", 1024},
                             {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"K", 1e3},  {"M", 1e6},  {"G", 1e9}};
  double number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  for (const Unit& known : kUnits) {
    const double bytes = number * known.bytes;
    if (code == std::errc() && unit == known.name && bytes >= 1 && bytes < 1e18) return static_cast<uint64_t>(bytes);
  }
  return usage_error(
      fmt::format("{} {}: give a size such as 420MB, 1.5GiB or 420000000", option, escape_for_display(text)));
}

// "3%" or "0.03".
Result<double> parse_share(const std::string& text) {
  double number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view rest(end, static_cast<size_t>(text.data() + text.size() - end));
  if (code == std::errc() && (rest.empty() || rest == "%") && number > 0) return rest.empty() ? number : number / 100;
  return usage_error(fmt::format("--max-ppl-rise {}: give a share such as 3% or 0.03", escape_for_display(text)));
}

Result<std::vector<DType>> parse_types(const std::string& text) {
  if (text.empty() || text == "stock") return stock_types();
  std::vector<DType> out;
  std::string known;
  for (const DTypeInfo& info : all_dtypes()) {
    if (find_block_codec(info.dtype) == nullptr) continue;
    known += (known.empty() ? "" : ", ") + std::string(info.name);
    if (text == "all") out.push_back(info.dtype);
  }
  for (size_t begin = 0; text != "all" && begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const auto type = find_dtype(text.substr(begin, end - begin));
    if (!type || find_block_codec(*type) == nullptr)
      return usage_error(fmt::format("--types: '{}' is not one of {}; or 'stock', or 'all'",
                                     escape_for_display(text.substr(begin, end - begin)), known));
    out.push_back(*type);
    begin = end + 1;
  }
  return out;
}

Status read_target(const ShrinkArguments& arguments, ShrinkTarget& target) {
  const bool has_limit = !arguments.budget.empty() || arguments.bits > 0 || !arguments.ram.empty() ||
                         target.tokens_per_second > 0 || arguments.max_kl > 0 || !arguments.ppl_rise.empty();
  if (has_limit == !target.mix.empty())
    return usage_error(
        "give one or several of --budget, --bits, --ram, --tokens-per-second, --max-kl and "
        "--max-ppl-rise, or --mix alone");
  if (arguments.max_kl > 0 && !arguments.ppl_rise.empty())
    return usage_error("give --max-kl or --max-ppl-rise, not both");
  if (target.n_ctx > 0 && arguments.ram.empty())
    return usage_error("--ctx says what --ram has to hold; give --ram too");
  if (!arguments.budget.empty()) {
    SMELT_ASSIGN(target.file_bytes, parse_size("--budget", arguments.budget));
  }
  if (!arguments.ram.empty()) {
    SMELT_ASSIGN(target.memory_bytes, parse_size("--ram", arguments.ram));
  }
  if (!arguments.ppl_rise.empty()) {
    SMELT_ASSIGN(target.max_ppl_rise, parse_share(arguments.ppl_rise));
  }
  target.bits_per_weight = arguments.bits;
  target.max_kl = arguments.max_kl;
  return {};
}

Status read_texts(const ShrinkArguments& arguments, ShrinkOptions& options) {
  const auto name = [](const std::string& path) { return std::filesystem::path(path).filename().string(); };
  if (arguments.calibration != "auto") {
    options.calibration.name = name(arguments.calibration);
    SMELT_ASSIGN(options.calibration.text, read_text_file(arguments.calibration));
    if (options.calibration.text.empty())
      return input_error(fmt::format("{}: is empty; give a text to calibrate by", arguments.calibration));
  }
  if (arguments.held_out.empty()) return {};
  options.held_out.name = name(arguments.held_out);
  SMELT_ASSIGN(options.held_out.text, read_text_file(arguments.held_out));
  return {};
}

std::string summary(const ShrinkReport& report, const std::string& output) {
  std::string out = fmt::format("{}: {} → {} ({} bytes), {:.2f} bits per weight\n", escape_for_display(output, 4096),
                                format_bytes(report.source_bytes), format_bytes(report.file_bytes), report.file_bytes,
                                report.bits_per_weight);
  if (!report.proof) return out + fmt::format("predicted KL divergence {:.5f} nats\n", report.predicted_kl);
  const KlReport& kl = *report.proof;
  if (report.tokens_per_second > 0)
    out += fmt::format("writes {:.1f} tokens per second here (predicted {:.1f})\n", report.tokens_per_second,
                       report.predicted_tokens_per_second);
  return out +
         fmt::format(
             "KL divergence {:.5f} ± {:.5f} nats (predicted {:.5f}), perplexity {:.3f} → {:.3f}, same most likely "
             "token {:.2f} %, over {} held-out tokens; {}, peak memory {}, {}\n",
             kl.mean_kl.value, kl.mean_kl.standard_error, report.predicted_kl, kl.reference.perplexity,
             kl.model.perplexity, 100 * kl.top1_agreement.value, kl.n_tokens, format_duration(report.seconds),
             format_bytes(report.peak_memory_bytes), format_energy(report.energy));
}

Status run_shrink(ShrinkArguments& arguments) {
  ShrinkOptions& options = arguments.options;
  SMELT_TRY(read_target(arguments, options.target));
  SMELT_ASSIGN(options.types, parse_types(arguments.types));
  options.mode = arguments.mode == "fast" ? ShrinkMode::fast : ShrinkMode::full;
  if (arguments.rounding == "scales") options.rounding = RoundingMethod::diagonal;
  if (arguments.rounding == "feedback") options.rounding = RoundingMethod::feedback;
  if (arguments.rounding == "polished") options.rounding = RoundingMethod::polished;
  options.overwrite = arguments.force ? Overwrite::replace : Overwrite::refuse;
  options.n_threads = static_cast<int>(arguments.n_threads);
  options.seed = static_cast<uint64_t>(arguments.seed);
  if (!arguments.force && !options.plan_only && std::filesystem::exists(arguments.output))
    return input_error(
        fmt::format("{}: exists already; --force replaces it", escape_for_display(arguments.output, 4096)));
  SMELT_TRY(read_texts(arguments, options));
  auto bar = std::make_unique<ProgressBar>(stderr);
  const auto report = shrink_model(arguments.model, arguments.output, options, {bar.get(), &interrupt_token()});
  bar.reset();
  if (!report) return job_error(report.error(), arguments.output);
  if (!arguments.report.empty())
    SMELT_TRY(write_file(arguments.report, shrink_html(*report, arguments.output), Overwrite::replace));
  const std::string json = shrink_json(*report, arguments.output);
  if (!options.plan_only) SMELT_TRY(write_file(arguments.output + ".json", json, Overwrite::replace));
  return print(arguments.json ? json : summary(*report, arguments.output));
}

void add_targets(CLI::App& app, ShrinkArguments& arguments) {
  app.add_option("--budget", arguments.budget, "size of the file: 420MB, 1.5GiB")->type_name("SIZE");
  app.add_option("--bits", arguments.bits, "bits per weight, over all weights")->check(CLI::Range(1.0, 16.0));
  app.add_option("--ram", arguments.ram, "memory of the weights and a session of --ctx tokens: 1GiB")
      ->type_name("SIZE");
  add_int(app, "--ctx", arguments.options.target.n_ctx, {1},
          "context that --ram has to hold, its cache in 16 bits (default: the model's)");
  app.add_option("--tokens-per-second", arguments.options.target.tokens_per_second,
                 "writes at least so fast on this device with these threads, as measured")
      ->check(CLI::PositiveNumber);
  app.add_option("--max-kl", arguments.max_kl, "the smallest file within this KL divergence, in nats per token")
      ->check(CLI::PositiveNumber);
  app.add_option("--max-ppl-rise", arguments.ppl_rise, "the smallest file whose perplexity rises by no more: 3%")
      ->type_name("SHARE");
  add_choice(
      app, "--mix", arguments.options.target.mix, quantize_type_names(),
      [](const std::string& name) { return find_mix(name).has_value(); },
      "the types of a mix of 'smelt quantize', rounded as well as can be");
}

Action add(CLI::App& app) {
  auto arguments = std::make_shared<ShrinkArguments>();
  add_model(app, arguments->model);
  app.add_option("-o,--output", arguments->output, "GGUF file to write; OUTPUT.json is its record")
      ->required()
      ->type_name("FILE");
  add_targets(app, *arguments);
  app.add_option(
         "--calib", arguments->calibration,
         "calibration text, of the kind the model is for; 'auto' (default): the model writes 32,768 tokens itself")
      ->type_name("FILE");
  add_int(app, "--seed", arguments->seed, {0}, "of the text that the model writes (default 0)");
  app.add_option(
         "--heldout", arguments->held_out,
         "text to judge the result by (default: the last tenth of the calibration text, which is then kept back)")
      ->type_name("FILE");
  app.add_option(
         "--types", arguments->types,
         "types to choose from: a list such as q4_k,iq4_xs; 'stock' (default: the k-quants, IQ4_XS, Q8_0), or 'all'")
      ->type_name("LIST");
  app.add_option("--mode", arguments->mode,
                 "fast: scales only; full (default): second-order rounding, every tensor measured")
      ->check(CLI::IsMember({"fast", "full"}));
  app.add_option("--rounding", arguments->rounding,
                 "how far weights are rounded, to compare: scales (fast), feedback, polished (full)")
      ->check(CLI::IsMember({"scales", "feedback", "polished"}));
  add_int(app, "--window", arguments->options.n_ctx, {2},
          "tokens of a window of calibration text (default: 512, the model's context if that is less)");
  add_int(app, "--windows", arguments->options.max_windows, {1}, "windows of calibration text at most (default: all)");
  app.add_option("--report", arguments->report, "page with figures and charts to write")->type_name("FILE.html");
  app.add_flag("--plan-only", arguments->options.plan_only, "only measure and predict; write no model");
  app.add_flag("--resume", arguments->options.resume, "go on with what OUTPUT.work holds of a run that was cut short");
  app.add_flag("--allow-requantize", arguments->options.allow_requantize,
               "take a model that is quantized already; a second loss is added to the first");
  app.add_flag("--force", arguments->force, "replace the output if it exists");
  add_threads(app, arguments->n_threads);
  add_json(app, arguments->json);
  return [arguments] { return run_shrink(*arguments); };
}

}  // namespace

extern const Command shrink_command;
const Command shrink_command = {
    .name = "shrink",
    .summary = "The smallest loss within a budget: measured, rounded by second-order information, proved",
    .details =
        "Measures what each tensor costs in each type, chooses types within the budget, rounds layer by layer so that "
        "outputs change least, and judges the result on text that it was not calibrated on. The file is an ordinary "
        "GGUF. What is done so far lies in OUTPUT.work until the end.",
    .examples =
        "  smelt shrink my-model/ -o small.gguf --budget 420MB --calib calibration.txt --report small.html\n"
        "  smelt shrink my-model/ -o small.gguf --ram 1GiB --ctx 4096 --tokens-per-second 20 --calib calibration.txt\n"
        "  smelt shrink my-model/ -o small.gguf --max-ppl-rise 3% --calib calibration.txt --heldout judge.txt\n"
        "  smelt shrink my-model/ -o small.gguf --bits 3.4 --calib calibration.txt --plan-only\n",
    .add = add,
};

}  // namespace smelt
