// What each tensor costs in each type: bytes, and the KL divergence that rounding it is predicted to add.
//
//   predicted KL = sensitivity * loss        loss: sum of e H' e^T of the rows (compress/second_order.h)
//
// The sensitivity of a tensor is measured: it alone is rounded, and the true KL on calibration text divided by its
// loss. Small errors of different tensors add up, as a KL is quadratic in them. In large models only some layers are
// measured and those between them interpolated.
#pragma once

#include <string>
#include <vector>

#include "eval/evaluate.h"
#include "shrink/budget_solver.h"
#include "shrink/round_model.h"

namespace smelt {

struct TypeCost {
  DType type = DType::f32;
  uint64_t bytes = 0;
  double loss = 0;
};

struct TensorCost {
  size_t index = 0;        // of CanonicalModel::tensors
  double sensitivity = 0;  // nats per token and unit of loss
  bool is_measured = false;
  std::vector<TypeCost> types;  // the first: as it is, or in 16 bits
};

struct CostOptions {
  std::vector<DType> types;     // to choose from
  int64_t layers_measured = 0;  // of each kind of tensor, evenly spread; 0: all
  int64_t probe_windows = 8;    // of the calibration text, for the true KL
  RoundTensorOptions rounding;
  int n_threads = 0;
};

struct CalibrationText {
  std::string_view text;
  const Windows& windows;
  std::string reference_path;  // to be written: the model's predictions on the first windows
};

Result<std::vector<TensorCost>> measure_costs(const SourceModel& source, const CalibrationText& calibration,
                                              const CostOptions& options, ThreadPool& threads, const JobControl& job);

std::vector<BudgetItem> budget_items(const std::vector<TensorCost>& costs);
// Of a choice of types; those not among the candidates count as nothing.
double predicted_kl(const std::vector<TensorCost>& costs, const TypeChoice& types);

}  // namespace smelt
