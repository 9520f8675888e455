// smelt/quantize.h over compress/.
#include "smelt/quantize.h"

#include "api/guard.h"
#include "base/text.h"
#include "compress/quantize_model.h"
#include "models/canonical.h"

namespace smelt {
namespace {

Result<DType> parse_element_type(const std::string& name, const char* field) {
  if (const std::optional<DType> dtype = find_dtype(name)) return *dtype;
  std::string known;
  for (const DTypeInfo& info : all_dtypes()) known += (known.empty() ? "" : ", ") + std::string(info.name);
  return usage_error(std::string(field) + ": no element type '" + escape_for_display(name) + "'; there are " + known);
}

Result<QuantizeOptions> to_options(const QuantizeRequest& request) {
  QuantizeOptions options;
  options.type = request.type;
  options.allow_requantize = request.allow_requantize;
  options.overwrite = request.replace_output ? Overwrite::replace : Overwrite::refuse;
  options.n_threads = request.n_threads;
  for (const auto& [pattern, type] : request.overrides) {
    SMELT_ASSIGN(const DType dtype, parse_element_type(type, "overrides"));
    options.overrides.emplace_back(pattern, dtype);
  }
  if (!request.output_head_type.empty()) {
    SMELT_ASSIGN(options.output_type, parse_element_type(request.output_head_type, "output_head_type"));
  }
  return options;
}

QuantizeSummary to_summary(const QuantizePlan& plan) {
  QuantizeSummary summary{.source_bytes = plan.source_bytes,
                          .file_bytes = plan.file_bytes,
                          .bits_per_weight = plan.bits_per_weight,
                          .peak_memory_bytes = plan.peak_memory_bytes};
  for (const TensorPlan& tensor : plan.tensors) {
    summary.tensors.push_back({.name = tensor.name,
                               .type_from = dtype_name(tensor.from),
                               .type_to = dtype_name(tensor.to),
                               .bytes_from = tensor.bytes_from,
                               .bytes_to = tensor.bytes_to,
                               .note = tensor.note});
  }
  return summary;
}

}  // namespace

std::vector<std::string> quantize_types() { return quantize_type_names(); }

Result<QuantizeSummary> plan_quantize(const QuantizeRequest& request) {
  return guarded([&]() -> Result<QuantizeSummary> {
    SMELT_ASSIGN(const QuantizeOptions options, to_options(request));
    SMELT_ASSIGN(Checkpoint checkpoint, Checkpoint::open(request.input));
    SMELT_ASSIGN(const CanonicalModel model, to_gguf_terms(std::make_shared<const Checkpoint>(std::move(checkpoint))));
    SMELT_ASSIGN(const QuantizePlan plan, plan_quantization(model, options));
    return to_summary(plan);
  });
}

Result<QuantizeSummary> quantize(const QuantizeRequest& request, const JobControl& job) {
  return guarded([&]() -> Result<QuantizeSummary> {
    SMELT_ASSIGN(const QuantizeOptions options, to_options(request));
    SMELT_ASSIGN(const QuantizePlan plan, quantize_model(request.input, request.output, options, job));
    return to_summary(plan);
  });
}

}  // namespace smelt
