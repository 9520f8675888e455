// The story of converting: open the checkpoint, see it in the terms of the target container, stream the tensors
// through. To GGUF it is quantizing by one of the plain mixes; to a folder see hf_output.cc.
#include "compress/convert_model.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>

#include "base/text.h"
#include "compress/gguf_output.h"
#include "compress/hf_output.h"
#include "compress/quantize_model.h"

namespace smelt {
namespace {

constexpr std::array kFileSuffixes = {".bin", ".safetensors", ".pt", ".pth", ".ggml", ".json", ".model"};

bool is_gguf_name(const std::string& output) { return output.ends_with(".gguf"); }

Status check_request(const std::string& output, DType type) {
  const bool plain = type == DType::f32 || type == DType::f16 || type == DType::bf16;
  if (!plain && type != DType::q8_0)
    return usage_error(fmt::format(
        "cannot convert to {}; one of f32, f16, bf16, q8_0 (smelt quantize makes the others)", dtype_name(type)));
  if (is_gguf_name(output)) return {};
  if (!plain)
    return usage_error(fmt::format("{}: a Hugging Face folder holds f32, f16 or bf16; for {} name the output *.gguf",
                                   escape_for_display(output, 4096), dtype_name(type)));
  for (const char* suffix : kFileSuffixes) {
    if (!output.ends_with(suffix)) continue;
    return usage_error(fmt::format("{}: name a GGUF file (*.gguf) or a folder", escape_for_display(output, 4096)));
  }
  return {};
}

// Replacing a folder must not delete the input that lies somewhere inside it.
Status refuse_input_inside(const std::string& input, const std::string& output) {
  std::error_code code;
  const auto inner = std::filesystem::canonical(input, code);
  if (code) return {};
  const auto outer = std::filesystem::canonical(output, code);
  if (code) return {};  // not there yet: nothing to replace
  const auto relative = inner.lexically_relative(outer);
  if (relative.empty() || *relative.begin() == "..") return {};
  return usage_error(
      fmt::format("{}: the input lies there; give the output another name", escape_for_display(output, 4096)));
}

Result<ConvertReport> convert_to_gguf(const CanonicalModel& model, const std::string& output,
                                      const ConvertOptions& options, const JobControl& job) {
  const QuantizeOptions as_mix{.type = dtype_name(options.type),
                               .overrides = {},
                               .output_type = std::nullopt,
                               .allow_requantize = options.allow_requantize,
                               .overwrite = options.overwrite,
                               .n_threads = options.n_threads};
  SMELT_ASSIGN(const QuantizePlan plan, plan_quantization(model, as_mix));
  SMELT_TRY(write_gguf(model, plan, output, as_mix, job));
  return ConvertReport{plan.tensors.size(), plan.source_bytes, plan.file_bytes};
}

}  // namespace

Result<ConvertReport> convert_model(const std::string& input, const std::string& output, const ConvertOptions& options,
                                    const JobControl& job) {
  SMELT_TRY(check_request(output, options.type));
  SMELT_ASSIGN(Checkpoint opened, Checkpoint::open(input));
  auto checkpoint = std::make_shared<const Checkpoint>(std::move(opened));
  SMELT_TRY(refuse_same_file(*checkpoint, input, output));
  if (is_gguf_name(output)) {
    SMELT_ASSIGN(const CanonicalModel model, to_gguf_terms(checkpoint));
    return convert_to_gguf(model, output, options, job);
  }
  SMELT_TRY(refuse_input_inside(input, output));
  SMELT_ASSIGN(const CanonicalModel model, to_hugging_face_terms(checkpoint));
  return write_hf_folder(model, output, options, job);
}

}  // namespace smelt
