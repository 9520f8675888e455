#include "shrink/shrunk_file.h"

#include <algorithm>

#include "base/check.h"
#include "compress/gguf_output.h"
#include "compress/mix_rules.h"
#include "compress/recode.h"

namespace smelt {
namespace {

// The mix that the file is said to be: the first whose base type has most of the bytes.
std::string nearest_mix(const SourceModel& source, const TypeChoice& types) {
  std::map<DType, int64_t> values;
  for (const auto& [index, type] : types) values[type] += source.canonical.tensors[index].shape.values();
  const auto most =
      std::max_element(values.begin(), values.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  for (const MixInfo& mix : all_mixes()) {
    if (most != values.end() && mix.base == most->first) return mix.name;
  }
  return "F16";
}

}  // namespace

Result<QuantizePlan> plan_types(const SourceModel& source, const TypeChoice& types, QuantizeOptions& options) {
  options.type = nearest_mix(source, types);
  options.overrides.clear();
  for (const auto& [index, type] : types)
    options.overrides.emplace_back("^\\Q" + source.canonical.tensors[index].name + "\\E$", type);
  return plan_quantization(source.canonical, options);
}

Status write_shrunk(const SourceModel& source, const QuantizePlan& plan, const NewTensors& rounded,
                    const std::string& output, const QuantizeOptions& options, const JobControl& job) {
  const auto mix = find_mix(options.type);
  SMELT_CHECK(mix.has_value());
  SMELT_ASSIGN(GgufWriter writer, GgufWriter::create(output, output_metadata(source.canonical, *mix),
                                                     declare_tensors(plan), options.overwrite));
  Recoder recoder(*source.checkpoint, options.n_threads, job, "writing", plan.source_bytes);
  const ByteSink sink = [&](std::span<const std::byte> bytes) { return writer.write(bytes); };
  for (size_t i = 0; i < plan.tensors.size(); ++i) {
    if (i > 0) SMELT_TRY(writer.next_tensor());
    const auto at = rounded.find(i);
    if (at != rounded.end()) {
      SMELT_CHECK(at->second.dtype == plan.tensors[i].to);
      SMELT_TRY(writer.write(*at->second.bytes));
    } else {
      SMELT_TRY(recoder.recode(source.canonical.tensors[i], plan.tensors[i].to, sink));
    }
  }
  if (job.cancelled()) return cancelled_error();
  return writer.commit();
}

}  // namespace smelt
