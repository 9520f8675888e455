// 8-bit floats as DeepSeek, Qwen and Mistral publish them ("quant_method": "fp8"): a module has weight F8_E4M3 (or
// F8_E5M2) and weight_scale_inv (or weight_scale), whose numbers multiply: one a block of "weight_block_size" {rows,
// columns} (ceil(rows / block) of them), one a row, or one. W = code * scale, in the type that the model computes in.
// Scales of activations are dropped: activations are not rounded here. Facts from transformers' Fp8Dequantize
// (Apache-2.0). Modules whose weight is no 8-bit float are not quantized.
#include <fmt/format.h>

#include "formats/packed/scaled_codes.h"

namespace smelt::packed {

extern const Form fp8_form;
extern const Form fbgemm_fp8_form;

namespace {

struct Settings {
  int64_t block_rows = 0, block_columns = 0;  // 0: no blocks
};

constexpr std::string_view kKeys[] = {"activation_scheme", "weight_block_size",      "fmt",
                                      "scale_fmt",         "modules_to_not_convert", "ignored_layers",
                                      "dequantize",        "weight_per_tensor",      "act_per_tensor",
                                      "kv_cache_scheme",   "activation_scale_ub"};

Result<Settings> read_settings(const Folder& folder) {
  SMELT_TRY(folder.check_keys(kKeys));
  SMELT_ASSIGN(const std::string scale_type, folder.find_string("scale_fmt", "float"));
  if (scale_type != "float" && scale_type != "ue8m0") return folder.bad_value("scale_fmt", scale_type, "wanted float");
  SMELT_ASSIGN(const auto block, folder.metadata().find_ints(std::string(kPrefix) + "weight_block_size"));
  if (!block) return Settings{};
  if (block->size() != 2 || (*block)[0] < 1 || (*block)[1] < 1) {
    return folder.bad_value("weight_block_size", fmt::format("a list of {}", block->size()),
                            "wanted two numbers of at least 1");
  }
  return Settings{(*block)[0], (*block)[1]};
}

Status read_module(Folder& folder, const std::string& module, const RawTensor& weight, const Settings& settings) {
  const RawTensor* scales = folder.take(module + ".weight_scale_inv");
  if (scales == nullptr) {
    SMELT_ASSIGN(scales, folder.take(module + ".weight_scale", weight));
  }
  folder.take(weight.name);
  for (const char* of_activations : {".activation_scale", ".input_scale", ".input_scale_ub", ".k_scale", ".v_scale"}) {
    folder.take(module + of_activations);
  }
  if (weight.shape.rank != 2) return folder.error(weight, "is not a matrix");
  ScaledCodes codes = {.rows = weight.shape[0],
                       .columns = weight.shape[1],
                       .codes = weight.bytes.data(),
                       .table = table_of(weight.type),
                       .scales = FloatTensor(*scales)};
  SMELT_ASSIGN(codes.grid, grid_of(folder, *scales, weight.shape, settings.block_rows, settings.block_columns));
  return folder.add({.name = weight.name,
                     .dtype = folder.model_dtype(DType::bf16),
                     .shape = weight.shape,
                     .decoder = std::make_unique<ScaledDecoder>(codes)},
                    weight);
}

Result<std::string> read_fp8(Folder& folder) {
  SMELT_ASSIGN(const Settings settings, read_settings(folder));
  for (const RawTensor& tensor : folder.tensors()) {
    const bool is_fp8 = tensor.type == StorageType::f8_e4m3 || tensor.type == StorageType::f8_e5m2;
    const auto module = without_suffix(tensor.name, ".weight");
    if (is_fp8 && module) SMELT_TRY(read_module(folder, *module, tensor, settings));
  }
  if (settings.block_rows == 0) return std::string("FP8");
  return fmt::format("FP8, blocks of {} x {}", settings.block_rows, settings.block_columns);
}

}  // namespace

extern const Form fp8_form = {.method = "fp8", .read = read_fp8};
extern const Form fbgemm_fp8_form = {.method = "fbgemm_fp8", .read = read_fp8};

}  // namespace smelt::packed
