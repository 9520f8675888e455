// Declares the planned tensors, then streams each through the Recoder into the writer.
#include "compress/gguf_output.h"

#include <fmt/format.h>

#include "base/check.h"
#include "base/mapped_file.h"
#include "base/text.h"
#include "compress/recode.h"

namespace smelt {

// 2: the version of the block layouts that every reader of today knows (ggml.h, GGML_QNT_VERSION).
constexpr uint32_t kQuantizationVersion = 2;

Metadata output_metadata(const CanonicalModel& model, const MixInfo& mix, const Importance* importance) {
  Metadata metadata = model.metadata;
  for (const char* key : {"general.file_type", "general.quantization_version"}) metadata.erase(key);  // at the end
  metadata.set("general.file_type", MetaValue::of_u32(mix.file_type));
  metadata.set("general.quantization_version", MetaValue::of_u32(kQuantizationVersion));
  if (importance != nullptr) importance->describe(metadata);
  return metadata;
}

std::vector<TensorDeclaration> declare_tensors(const QuantizePlan& plan) {
  std::vector<TensorDeclaration> out;
  out.reserve(plan.tensors.size());
  for (const TensorPlan& t : plan.tensors) out.push_back({t.name, t.to, t.shape});
  return out;
}

Status refuse_same_file(const Checkpoint& checkpoint, const std::string& input, const std::string& output) {
  bool same = same_file(input, output);
  for (const auto& file : checkpoint.files()) same = same || same_file(file->path(), output);
  if (!same) return {};
  return usage_error(
      fmt::format("{}: is both input and output; give the output another name", escape_for_display(output, 4096)));
}

Status write_gguf(const CanonicalModel& model, const QuantizePlan& plan, const std::string& output,
                  const QuantizeOptions& options, const JobControl& job) {
  const auto mix = find_mix(options.type);
  SMELT_CHECK(mix && plan.tensors.size() == model.tensors.size());
  SMELT_ASSIGN(GgufWriter writer, GgufWriter::create(output, output_metadata(model, *mix, plan.importance.get()),
                                                     declare_tensors(plan), options.overwrite));
  Recoder recoder(*model.checkpoint, options.n_threads, job, mix->name, plan.source_bytes);
  recoder.set_importance(plan.importance.get());
  const ByteSink sink = [&](std::span<const std::byte> bytes) { return writer.write(bytes); };
  for (size_t i = 0; i < plan.tensors.size(); ++i) {
    if (i > 0) SMELT_TRY(writer.next_tensor());
    SMELT_TRY(recoder.recode(model.tensors[i], plan.tensors[i].to, sink));
  }
  if (job.cancelled()) return cancelled_error();
  return writer.commit();
}

}  // namespace smelt
