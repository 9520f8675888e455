// All matrices of a model rounded to given types, layer after layer: the inputs by which a layer is rounded are those
// that the rounded layers before it give.
#pragma once

#include <functional>
#include <map>

#include "eval/windows.h"
#include "shrink/round_tensor.h"

namespace smelt {

// Types of tensors, by index. Those that are not quantized types, or the tensor's own, leave it as it is.
using TypeChoice = std::map<size_t, DType>;

// Rounded tensors of an earlier run that was cut short (resume.h); both may be empty.
struct RoundedTensorStore {
  std::function<std::optional<RoundedTensor>(size_t index, DType type)> find;
  std::function<Status(size_t index, const RoundedTensor& rounded)> save;
};

struct RoundModelOptions {
  RoundTensorOptions tensor;
  bool quantized_prefix = true;  // else by the inputs of the unchanged model
  RoundedTensorStore store{};
};

struct RoundedModel {
  NewTensors tensors;
  std::map<size_t, RoundingLoss> losses;
};

Result<RoundedModel> round_model(const SourceModel& source, const Windows& windows, const TypeChoice& types,
                                 const RoundModelOptions& options, ThreadPool& threads, const JobControl& job);

}  // namespace smelt
