// Options of `smelt run` and `smelt chat` about sampling and about the session.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/options_speculation.h"
#include "base/result.h"
#include "runtime/generate.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace smelt {

struct GenerationArguments {
  GenerateOptions generate;
  SessionOptions session;
  SpeculationArguments speculation;
  Compute compute = Compute::int8;
  int64_t n_threads = 0;
  int64_t top_k = SamplerOptions{}.top_k;
  int64_t seed = 0;
  const CLI::Option* seed_option = nullptr;
};

void add_generation_options(CLI::App& app, GenerationArguments& arguments);
// Checks ranges and fills in what was not given: a seed by chance, the interruption token.
Status finish_generation_options(GenerationArguments& arguments);
uint64_t random_seed();

}  // namespace smelt
