// How fast a model runs here, and how near that is to what the machine can do: prompts, writing, writing behind a long
// text, several sequences at once, loading. `smelt bench`. Ids are arbitrary; only the time they take counts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "runtime/generate.h"

namespace smelt {

struct SpeedOptions {
  int64_t n_prompt = 512;   // tokens of the prompt, computed in passes of 512; 0: not measured
  int64_t n_predict = 128;  // tokens written, one pass each; 0: not measured
  int64_t depth = 4096;     // tokens in the cache before n_predict are written behind them; 0: not measured
  int64_t n_sequences = 8;  // that write n_predict tokens each, together; 0: not measured
  int64_t n_repeats = 5;    // at least 1
  bool speculation = false;
  int n_threads = 0;
  Pinning pinning = Pinning::free;
  KvType kv_type = KvType::f16;
  Compute compute = Compute::int8;
};

// Of the repeats.
struct Spread {
  double median = 0, min = 0, max = 0;
};
Spread spread_of(std::vector<double> samples);

struct SpeedMeasure {
  std::string name;  // "pp512", "tg128", "tg128@4096", "batch8"
  Spread tokens_per_second;
  double bytes_per_token = 0;  // weights and cache that must be read, on average
  double ops_per_token = 0;    // of the products with weights, two for a multiplication and its addition
  // Of what the machine could do just before and after, by probe.h.
  Spread read_share, int8_share;
};

struct SpeculationMeasure {
  std::string name;  // "spec80": 80 % of the guesses are right; "spec0"
  Spread tokens_per_second;
  Spread ratio;                // to plain decoding just before
  SpeculationFigures figures;  // of the last repeat
};

struct SpeedLimits {
  Spread int8_ops_per_second, bf16_ops_per_second, f32_ops_per_second;  // 0: no such instruction
  Spread read_bytes_per_second;
};

struct SpeedReport {
  int n_threads = 0;
  bool pinned = false;              // workers on processors of their own
  uint64_t weights_bytes = 0;       // all tensors
  uint64_t kv_bytes_per_token = 0;  // of one position of the cache
  // Pages of the file may be in memory already. first_token: from the start of loading until the logits after a prompt
  // of n_prompt tokens are there (of one token if n_prompt is 0).
  Spread load_seconds, first_token_seconds;
  uint64_t peak_rss_bytes = 0;  // before the probe takes memory
  std::vector<SpeedMeasure> measures;
  std::vector<SpeculationMeasure> speculation;
  SpeedLimits limits;
};

Result<SpeedReport> measure_speed(const std::string& path, const SpeedOptions& options, const JobControl& job);

}  // namespace smelt
