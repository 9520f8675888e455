// From a target to types: the solver's items, their sizes in the file, and for floors of accuracy the search for the
// budget that meets them.
#pragma once

#include <functional>

#include "compress/quantize_model.h"
#include "shrink/shrink_model.h"

namespace smelt {

// One choice of types carried out.
struct Trial {
  TypeChoice types{};
  QuantizePlan plan{};
  std::map<size_t, RoundingLoss> losses{};
  KlReport proof{};
};

class TargetSolver {
 public:
  TargetSolver(const SourceModel& source, const std::vector<TensorCost>& costs, const ShrinkOptions& options);

  // For a budget of bytes or bits, or a mix. For a floor: the first guess.
  Result<TypeChoice> choose() const;
  bool is_floor() const;
  // Tries choices until one meets the floor closely; gives the smallest that does.
  using Attempt = std::function<Result<Trial>(const TypeChoice&)>;
  Result<TypeChoice> search_floor(const TypeChoice& first, const Attempt& attempt) const;
  // Sizes and predictions, without proof.
  Result<ShrinkReport> describe(const TypeChoice& types) const;

 private:
  Result<uint64_t> overhead_bytes() const;  // of the file, beside the tensors to choose for
  Result<TypeChoice> choose_bytes(uint64_t file_bytes) const;
  Result<TypeChoice> choose_kl(double kl) const;  // the smallest file of this predicted KL
  Result<TypeChoice> choose_mix(const std::string& mix) const;
  TypeChoice to_types(const BudgetChoice& choice) const;
  Status add_curves(ShrinkReport& report) const;
  static bool knows(const TensorCost& cost, const TypeChoice& types);

  const SourceModel& source_;
  const std::vector<TensorCost>& costs_;
  const ShrinkOptions& options_;
  std::vector<BudgetItem> items_;
};

}  // namespace smelt
