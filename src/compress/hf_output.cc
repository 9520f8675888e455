// One safetensors file, config.json and the attachments, inside an AtomicFolder.
#include "compress/hf_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "compress/recode.h"
#include "formats/atomic_folder.h"
#include "formats/hf_folder.h"
#include "formats/safetensors.h"

namespace smelt {
namespace {

constexpr const char* kWeightsFile = "model.safetensors";
constexpr const char* kConfigFile = "config.json";

// The names of transformers for the element type (config.json "torch_dtype").
const char* torch_name(DType type) {
  if (type == DType::f16) return "float16";
  return type == DType::bf16 ? "bfloat16" : "float32";
}

Result<DType> output_type(const CanonicalModel& model, const CanonicalTensor& tensor, const ConvertOptions& options) {
  const DType from = tensor.source->view.dtype;
  if (from == DType::i8) return from;
  if (is_quantized(from) && !options.allow_requantize)
    return input_error(
        fmt::format("{}: is quantized ({}); unpacking it does not bring back what was lost: start from "
                    "the original, or allow it with --allow-requantize",
                    model.checkpoint->describe(*tensor.source), dtype_name(from)));
  const bool is_vector = tensor.shape.rank < 2;
  return is_vector && !is_quantized(from) && from != options.type ? DType::f32 : options.type;  // vectors lose nothing
}

struct FolderTensor {
  const CanonicalTensor* tensor;
  DType type;
};

// Widest types first, as the safetensors writer asks; otherwise in the model's order.
Result<std::vector<FolderTensor>> plan_folder(const CanonicalModel& model, const ConvertOptions& options) {
  std::vector<FolderTensor> out;
  for (const CanonicalTensor& tensor : model.tensors) {
    SMELT_ASSIGN(const DType type, output_type(model, tensor, options));
    out.push_back({&tensor, type});
  }
  std::stable_sort(out.begin(), out.end(), [](const FolderTensor& a, const FolderTensor& b) {
    return dtype_info(a.type).block_bytes > dtype_info(b.type).block_bytes;
  });
  return out;
}

Result<ConvertReport> write_weights(const CanonicalModel& model, const std::string& path, const ConvertOptions& options,
                                    const JobControl& job) {
  SMELT_ASSIGN(const std::vector<FolderTensor> plan, plan_folder(model, options));
  std::vector<TensorDeclaration> declared;
  for (const auto& [tensor, type] : plan) declared.push_back({tensor->name, type, tensor->shape});
  // transformers insists on this entry to know which framework the tensors are for.
  SMELT_ASSIGN(SafetensorsWriter writer,
               SafetensorsWriter::create(path, declared, {{"format", "pt"}}, Overwrite::refuse));
  ConvertReport report;
  report.n_tensors = plan.size();
  for (const CanonicalTensor& tensor : model.tensors) report.source_bytes += tensor.source_bytes();
  Recoder recoder(*model.checkpoint, options.n_threads, job, "convert", report.source_bytes);
  const ByteSink sink = [&](std::span<const std::byte> bytes) {
    report.output_bytes += bytes.size();
    return writer.write(bytes);
  };
  for (size_t i = 0; i < plan.size(); ++i) {
    if (i > 0) SMELT_TRY(writer.next_tensor());
    SMELT_TRY(recoder.recode(*plan[i].tensor, plan[i].type, sink));
  }
  SMELT_TRY(writer.commit());
  return report;
}

// Names of attachments come from files: nothing may be written outside the folder or over its main files.
bool is_safe_name(const std::string& name) {
  return !name.empty() && name.find('/') == std::string::npos && name.find('\0') == std::string::npos && name != "." &&
         name != ".." && name != kWeightsFile && name != kConfigFile;
}

Status write_small_files(const CanonicalModel& model, const AtomicFolder& folder, DType type) {
  Metadata config = model.metadata;
  config.erase("dtype");  // the newer name of the same; readers know both
  config.set("torch_dtype", MetaValue::of_string(torch_name(type)));
  SMELT_TRY(write_file(folder.file(kConfigFile), format_json_metadata(config), Overwrite::refuse));
  for (const Attachment& attachment : model.attachments) {
    if (!is_safe_name(attachment.name))
      return input_error(fmt::format("attachment '{}': not a plain file name", escape_for_display(attachment.name)));
    SMELT_TRY(write_file(folder.file(attachment.name), attachment.bytes, Overwrite::refuse));
  }
  return {};
}

}  // namespace

Result<ConvertReport> write_hf_folder(const CanonicalModel& model, const std::string& output,
                                      const ConvertOptions& options, const JobControl& job) {
  SMELT_ASSIGN(AtomicFolder folder, AtomicFolder::create(output, options.overwrite));
  auto report = write_weights(model, folder.file(kWeightsFile), options, job);
  if (!report) return folder.in_place(std::move(report).error());
  if (Status status = write_small_files(model, folder, options.type); !status)
    return folder.in_place(std::move(status).error());
  if (job.cancelled()) return cancelled_error();
  SMELT_TRY(folder.commit());
  return report;
}

}  // namespace smelt
