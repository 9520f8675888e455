// smelt shrink: a budget goes in, the model of the least loss within it comes out, with the proof. shrink_model.cc is
// the page; its parts are cost_table.h (what each tensor costs), budget_solver.h, round_model.h and proof.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/energy.h"
#include "shrink/cost_table.h"

namespace smelt {

// What is given is kept, all of it: sizes and speed are limits within which the loss is least; a floor of accuracy (one
// of the two) asks for the smallest file that keeps it, within the limits. A mix stands alone.
struct ShrinkTarget {
  uint64_t file_bytes = 0;
  double bits_per_weight = 0;    // over all tensors, as quantize counts
  uint64_t memory_bytes = 0;     // of the weights and a session of n_ctx tokens, the KV cache in 16 bits
  int64_t n_ctx = 0;             // of that session; 0: the model's training context
  double tokens_per_second = 0;  // written, on this device with this number of threads
  double max_kl = 0;             // nats per token on the held-out text
  double max_ppl_rise = 0;       // 0.03: perplexity at most 3 % higher
  std::string mix;               // the types of this mix, rounded as well as can be
};

enum class ShrinkMode : uint8_t {
  fast,  // no second-order rounding, tensors of a few layers measured
  full,
};

struct NamedText {
  std::string name, text;
};

struct ShrinkOptions {
  ShrinkTarget target{};
  NamedText calibration;  // without text: the model writes it itself
  int64_t sampled_tokens = 32768;
  uint64_t seed = 0;           // of that
  NamedText held_out;          // empty: the last tenth of the calibration text is kept back for it
  std::vector<DType> types{};  // to choose from; empty: stock_types()
  ShrinkMode mode = ShrinkMode::full;
  std::optional<RoundingMethod> rounding{};  // instead of the mode's: to measure what each step gains
  int64_t n_ctx = 0, max_windows = 0;        // of the calibration text
  bool plan_only = false, resume = false, allow_requantize = false;
  Overwrite overwrite = Overwrite::refuse;
  int n_threads = 0;
};

struct ShrunkTensor {
  std::string name;
  DType from = DType::f32, to = DType::f32;
  uint64_t bytes = 0;
  double predicted_kl = 0;
  double gain_of_rounding = 0;  // share of the loss that second-order rounding took away, 0 … 1
};

struct CurvePoint {
  std::string name;  // of the mix
  uint64_t file_bytes = 0;
  double predicted_kl = 0;
};

struct ShrinkReport {
  std::vector<ShrunkTensor> tensors;
  uint64_t source_bytes = 0, file_bytes = 0;
  uint64_t budget_bytes = 0;                           // of the file: the tightest of the limits of size; 0: none
  uint64_t memory_budget_bytes = 0, memory_bytes = 0;  // 0 where memory is not limited
  int64_t memory_n_ctx = 0;
  // 0 where speed is not limited; measured is 0 when only planned.
  double wanted_tokens_per_second = 0, predicted_tokens_per_second = 0, tokens_per_second = 0;
  double bits_per_weight = 0;
  double predicted_kl = 0;
  double kl_of_next_megabyte = 0;  // what one more MiB would take away, predicted
  std::vector<CurvePoint> curve;   // this method at other sizes
  std::vector<CurvePoint> mixes;   // standard mixes, rounded in the same way
  std::optional<KlReport> proof;   // on the held-out text; nothing when only planned
  std::string calibration_name, held_out_name;
  uint64_t calibration_hash = 0, held_out_hash = 0;
  int64_t calibration_tokens = 0;
  double seconds = 0;
  uint64_t peak_memory_bytes = 0;
  Energy energy;  // of the shrinking
};

// The types to choose from by default: those that stock GGUF programs run well.
std::vector<DType> stock_types();

Result<ShrinkReport> shrink_model(const std::string& input, const std::string& output, const ShrinkOptions& options,
                                  const JobControl& job);

}  // namespace smelt
