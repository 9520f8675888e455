// From a target to types: the solver's items, their sizes in the file, and for what only a written file can show, its
// loss and its speed, the search for the types that keep it.
#pragma once

#include <functional>

#include "compress/quantize_model.h"
#include "shrink/latency_table.h"
#include "shrink/shrink_model.h"

namespace smelt {

// One choice of types carried out.
struct Trial {
  TypeChoice types{};
  QuantizePlan plan{};
  std::map<size_t, RoundingLoss> losses{};
  KlReport proof{};
  double tokens_per_second = 0;  // measured where speed is limited
};

class TargetSolver {
 public:
  // latency: empty where speed is not limited.
  TargetSolver(const SourceModel& source, const std::vector<TensorCost>& costs, const LatencyTable& latency,
               const ShrinkOptions& options);

  // Within the limits as predicted. With a floor of accuracy: the first guess.
  Result<TypeChoice> choose() const;
  // Whether only trials tell if the target is met.
  bool needs_search() const;
  // Tries choices until one meets floor and speed closely; gives the best that does.
  using Attempt = std::function<Result<Trial>(const TypeChoice&)>;
  Result<TypeChoice> search(const TypeChoice& first, const Attempt& attempt) const;
  // Sizes and predictions, without proof.
  Result<ShrinkReport> describe(const TypeChoice& types) const;

 private:
  // What the next choice aims at, in predicted terms.
  struct Aim {
    double kl = 0;       // the smallest file within it; 0: the least loss
    double seconds = 0;  // a token, in the products with weights; 0: not limited
  };
  bool has_floor() const;
  Aim first_aim() const;
  bool meets(const Trial& trial) const;
  Aim next_aim(const Aim& aim, const Trial& trial) const;
  Result<TypeChoice> choose_for(const Aim& aim) const;
  Result<TypeChoice> choose_mix(const std::string& mix) const;
  // Of the file; the tightest of the limits of size. 0: none.
  Result<uint64_t> file_limit() const;
  Result<uint64_t> bytes_of_bits(double bits_per_weight) const;
  Result<uint64_t> session_bytes() const;   // beside the weights, in memory
  Result<uint64_t> overhead_bytes() const;  // of the file, beside the tensors to choose for
  Error too_small(const BudgetLimits& limits, uint64_t overhead) const;
  double predicted_seconds(const TypeChoice& types) const;
  TypeChoice to_types(const BudgetChoice& choice) const;
  Status add_limits(const TypeChoice& types, ShrinkReport& report) const;
  Status add_curves(ShrinkReport& report) const;
  static bool knows(const TensorCost& cost, const TypeChoice& types);

  const SourceModel& source_;
  const std::vector<TensorCost>& costs_;
  const ShrinkOptions& options_;
  std::vector<BudgetItem> items_;
};

}  // namespace smelt
