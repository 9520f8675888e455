// Sampling and session options.
#include "apps/options_sampling.h"

#include <CLI/CLI.hpp>
#include <random>

#include "apps/options.h"
#include "apps/signals.h"

namespace smelt {
namespace {

constexpr FloatRange kShare = {.min = 0, .max = 1, .min_allowed = false};
constexpr FloatRange kAboveZero = {.min = 0, .min_allowed = false};

}  // namespace

void add_generation_options(CLI::App& app, GenerationArguments& arguments) {
  GenerateOptions& generate = arguments.generate;
  SamplerOptions& sampling = generate.sampling;
  add_int(app, "-n,--n-predict", generate.n_predict, {-1},
          "tokens to write at most (default 256); -1: until the end token or a full context");
  add_int(app, "-c,--ctx", arguments.session.n_ctx, {1}, "context in tokens (default: as trained, if memory allows)");
  add_threads(app, arguments.n_threads);
  add_pinning(app, arguments.session.pinning);
  add_kv_type(app, arguments.session.kv_type, "type of the KV cache (default f16); q8 takes half the memory of f16");
  add_compute(app, arguments.compute);
  add_float(app, "--temp", sampling.temperature, {0}, "temperature (default 0.8); 0: always the most likely token");
  add_int(app, "--top-k", arguments.top_k, {0, INT32_MAX}, "draw from the K most likely tokens (default 40); 0: off");
  add_float(app, "--top-p", sampling.top_p, kShare,
            "draw from the most likely tokens of this share (default 0.95); 1: off");
  add_float(app, "--min-p", sampling.min_p, {0, 1},
            "drop tokens less likely than this times the best (default 0.05); 0: off");
  add_float(app, "--typical", sampling.typical_p, kShare,
            "locally typical sampling, share of probability (default 1: off)");
  add_float(app, "--repeat-penalty", sampling.repeat_penalty, kAboveZero,
            "divide the scores of recent tokens (default 1: off)");
  add_float(app, "--presence", sampling.presence_penalty, {}, "subtract from the scores of recent tokens (default 0)");
  add_float(app, "--frequency", sampling.frequency_penalty, {},
            "subtract from the scores of recent tokens for each time they came (default 0)");
  arguments.seed_option =
      add_int(app, "--seed", arguments.seed, {0}, "the same seed gives the same text (default: by chance, and told)");
  add_strings(app, "--stop", generate.stop, "TEXT", "end before this text; may be repeated");
  add_speculation_options(app, arguments.speculation);
}

uint64_t random_seed() {
  std::random_device device;
  return device();  // 32 bits: short enough to type again
}

Status finish_generation_options(GenerationArguments& arguments) {
  SamplerOptions& sampling = arguments.generate.sampling;
  sampling.top_k = static_cast<int32_t>(arguments.top_k);
  sampling.seed = arguments.seed_option->count() > 0 ? static_cast<uint64_t>(arguments.seed) : random_seed();
  arguments.session.n_threads = static_cast<int>(arguments.n_threads);
  plan_speculation(arguments.speculation, arguments.session);
  arguments.generate.cancel = &interrupt_token();
  for (const std::string& stop : arguments.generate.stop) {
    if (stop.empty()) return usage_error("--stop: the text is empty");
  }
  return check_sampler_options(sampling);
}

}  // namespace smelt
