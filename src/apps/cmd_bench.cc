// smelt bench: how fast a model runs here. Measured by eval/speed.cc.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <memory>

#include "apps/bench_report.h"
#include "apps/command.h"
#include "apps/options.h"
#include "apps/output.h"
#include "apps/signals.h"
#include "base/text.h"

namespace smelt {
namespace {

constexpr int kMaxThreads = 1024;

struct BenchArguments {
  std::string model;
  SpeedOptions options;
  std::vector<int> threads;
  bool json = false;
};

// "1,2": each in turn.
std::vector<int> parse_threads(const std::string& text) {
  std::vector<int> out;
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    int n = 0;
    const char *begin = text.data() + at, *end = text.data() + comma;
    const auto [stop, error] = std::from_chars(begin, end, n);
    if (error != std::errc() || stop != end || n < 1 || n > kMaxThreads) {
      throw CLI::ValidationError("--threads", fmt::format("'{}' is not a list of numbers from 1 to {} like 1,2",
                                                          escape_for_display(text), kMaxThreads));
    }
    out.push_back(n);
    at = comma + 1;
  }
  return out;
}

Status run_bench(BenchArguments& arguments) {
  if (arguments.threads.empty()) arguments.threads.push_back(0);
  std::vector<SpeedReport> reports;
  for (const int n_threads : arguments.threads) {
    arguments.options.n_threads = n_threads;
    auto bar = std::make_unique<ProgressBar>(stderr);
    auto report = measure_speed(arguments.model, arguments.options, {bar.get(), &interrupt_token()});
    bar.reset();
    if (!report) return report.error();
    if (!arguments.json) SMELT_TRY(print_now(format_speed_text(*report)));
    reports.push_back(std::move(*report));
  }
  if (!arguments.json) return {};
  return print(format_speed_json(arguments.model, arguments.options, reports));
}

Action add(CLI::App& app) {
  auto arguments = std::make_shared<BenchArguments>();
  SpeedOptions& options = arguments->options;
  constexpr int64_t kMaxTokens = int64_t{1} << 24;
  add_model(app, arguments->model);
  add_int(app, "-p,--n-prompt", options.n_prompt, {0, kMaxTokens}, "tokens of the prompt, 0 for none (default 512)");
  add_int(app, "-n,--n-predict", options.n_predict, {0, kMaxTokens}, "tokens to write, 0 for none (default 128)");
  add_int(app, "-d,--depth", options.depth, {0, kMaxTokens},
          "tokens in the cache behind which as many are written again, 0 for none (default 4096)");
  add_int(app, "-b,--batch", options.n_sequences, {0, 1024},
          "sequences that write at the same time, 0 for none (default 8)");
  add_int(app, "-r,--repeats", options.n_repeats, {1, 1000}, "of each measurement (default 5)");
  app.add_option_function<std::string>(
         "-t,--threads", [arguments](const std::string& text) { arguments->threads = parse_threads(text); },
         "threads, or several numbers to be measured one after another (default: all processors this process may use)")
      ->type_name("N,N…");
  app.add_flag("--speculative", options.speculation,
               "also write with guesses of which 80 %, and none, are right, and compare with plain writing");
  add_pinning(app, options.pinning);
  add_kv_type(app, options.kv_type, "type of the KV cache (default f16)");
  add_compute(app, options.compute);
  add_json(app, arguments->json);
  return [arguments] { return run_bench(*arguments); };
}

}  // namespace

extern const Command bench_command;
const Command bench_command = {
    .name = "bench",
    .summary = "Measure how fast a model runs: prompts, writing, several sequences, loading",
    .details =
        "Shows the median of the repeats, the least and the most. pp512: a prompt of 512 tokens. tg128: 128 tokens "
        "written one by one, from an empty cache; tg128@4096: behind 4096 tokens. batch8: 8 sequences written "
        "together, "
        "tokens of all of them. Beside each: the bytes of weights and cache that a token must read, the share of the "
        "speed at which this machine reads memory, and the share of its int8 peak that the products with weights are. "
        "Both limits are measured between the runs, since other programs move them.",
    .examples =
        "  smelt bench small.gguf\n"
        "  smelt bench small.gguf -p 512 -n 128 -d 0 -t 1,2 -r 3\n"
        "  smelt bench small.gguf --kv-type q8 --json\n",
    .add = add,
};

}  // namespace smelt
