// compressed-tensors (LLM Compressor, vLLM). By "format" a module has
//
//   pack-quantized                     weight_packed I32 [rows][ceil(columns * bits / 32)], codes less 2^(bits-1);
//                                      weight_shape I64 [2]; weight_zero_point I32 [ceil(rows * bits / 32)][groups]
//   int-, float- and naive-quantized   weight I8 or F8_E4M3; weight_zero_point as weight
//
// and weight_scale: [1], [rows][1], [rows][groups], or one a block; W = (code - zero) * scale in the type of the
// scales. weight_g_idx gives the group of each column. What says how activations are rounded is dropped: they are not
// rounded here. Facts from compressed-tensors' PackedQuantizationCompressor and NaiveQuantizationCompressor
// (Apache-2.0). Modules that are "ignore"d have a plain weight.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "formats/packed/scaled_codes.h"

namespace smelt::packed {

extern const Form compressed_tensors_form;

namespace {

constexpr std::array kFormats = {"pack-quantized",  "int-quantized",   "float-quantized",
                                 "naive-quantized", "mixed-precision", "dense"};

// Of one group in config_groups; those that a folder has must agree where the tensors do not say which they are of.
struct Settings {
  std::vector<int64_t> bits;  // of packed weights
  int64_t block_rows = 0, block_columns = 0;
};

constexpr std::string_view kKeys[] = {
    "config_groups.", "format",           "quantization_status", "global_compression_ratio",
    "ignore",         "kv_cache_scheme.", "sparsity_config.",    "transform_config.",
    "version",        "run_compressed"};
constexpr std::string_view kWeightKeys[] = {"num_bits", "type", "symmetric", "group_size", "strategy",
                                            "block_structure", "dynamic", "actorder", "scale_dtype", "zp_dtype",
                                            // How the scales were found.
                                            "observer", "observer_kwargs."};

bool is_one_of(std::string_view name, std::span<const std::string_view> known) {
  return std::any_of(known.begin(), known.end(),
                     [&](std::string_view k) { return k == name || (k.ends_with('.') && name.starts_with(k)); });
}

class SettingsReader {
 public:
  explicit SettingsReader(const Folder& folder) : folder_(folder) {}

  Result<Settings> read() {
    SMELT_TRY(folder_.check_keys(kKeys));
    SMELT_TRY(check_format("format"));
    SMELT_ASSIGN(const std::string sparsity, folder_.find_string("sparsity_config.format", "dense"));
    if (sparsity != "dense") return folder_.bad_value("sparsity_config.format", sparsity, "wanted dense");
    for (const auto& [key, value] : folder_.metadata().entries()) {
      if (!key.starts_with(kPrefix)) continue;
      SMELT_TRY(read_key(key.substr(kPrefix.size())));
    }
    return settings_;
  }

 private:
  Status check_format(const std::string& key) const {
    SMELT_ASSIGN(const std::string format, folder_.find_string(key, "dense"));
    const bool is_known = std::find(kFormats.begin(), kFormats.end(), format) != kFormats.end();
    if (is_known) return {};
    return folder_.bad_value(key, format, fmt::format("supported are {}", fmt::join(kFormats, ", ")));
  }

  // "config_groups.group_0.weights.num_bits"
  Status read_key(const std::string& key) {
    if (key.starts_with("transform_config.")) {
      return folder_.bad_value(key, "there", "but weights that are rotated so are not supported");
    }
    if (!key.starts_with("config_groups.")) return {};
    if (key.ends_with(".format")) return check_format(key);
    const size_t at = key.find(".weights.");
    if (at == std::string::npos) return {};  // targets, and how activations are rounded
    const std::string name = key.substr(at + std::string_view(".weights.").size());
    if (!is_one_of(name, kWeightKeys)) return folder_.bad_value(key, "there", "but is not known here");
    if (name == "num_bits") return read_bits(key);
    if (name == "block_structure") return read_blocks(key);
    if (name != "type") return {};
    SMELT_ASSIGN(const std::string type, folder_.find_string(key, "int"));
    return type == "int" || type == "float" ? Status() : folder_.bad_value(key, type, "wanted int or float");
  }

  Status read_bits(const std::string& key) {
    SMELT_ASSIGN(const auto bits, folder_.find_int(key));
    if (*bits < 2 || *bits > 8) return folder_.bad_value(key, std::to_string(*bits), "wanted 2 … 8");
    settings_.bits.push_back(*bits);
    return {};
  }

  Status read_blocks(const std::string& key) {
    SMELT_ASSIGN(const auto block, folder_.metadata().find_ints(std::string(kPrefix) + key));
    if (!block || block->size() != 2 || (*block)[0] < 1 || (*block)[1] < 1) {
      return folder_.bad_value(key, "there", "but is not two numbers of at least 1");
    }
    const bool is_other =
        settings_.block_rows != 0 && (settings_.block_rows != (*block)[0] || settings_.block_columns != (*block)[1]);
    if (is_other) return folder_.bad_value(key, "there", "but differs from that of another group");
    settings_.block_rows = (*block)[0];
    settings_.block_columns = (*block)[1];
    return {};
  }

  const Folder& folder_;
  Settings settings_;
};

class Reader {
 public:
  Reader(Folder& folder, const Settings& settings) : folder_(folder), s_(settings) {}

  Status read_packed(const std::string& module, const RawTensor& packed) {
    SMELT_TRY(folder_.check_type(packed, {StorageType::i32}));
    if (packed.shape.rank != 2) return folder_.error(packed, "is not a matrix");
    SMELT_ASSIGN(const RawTensor* shape, folder_.take(module + ".weight_shape", packed));
    SMELT_ASSIGN(const Shape matrix, read_shape(*shape, packed));
    ScaledCodes codes = {.rows = matrix[0], .columns = matrix[1], .codes = packed.bytes.data()};
    SMELT_ASSIGN(codes.bits, find_bits(packed, matrix[1]));
    SMELT_TRY(add_scales(module, packed, matrix, codes));
    const RawTensor* zeros = folder_.take(module + ".weight_zero_point");
    if (zeros != nullptr) {
      const int64_t grid_rows = (matrix[0] - 1) / codes.grid.block_rows + 1;
      SMELT_TRY(folder_.check_type(*zeros, {StorageType::i32}));
      SMELT_TRY(folder_.check_shape(*zeros, {words_for(grid_rows, codes.bits), codes.grid.columns}));
      codes.zeros = zeros->bytes.data();
    }
    return add(module, packed, codes);
  }

  Status read_bytes(const std::string& module, const RawTensor& weight) {
    if (weight.shape.rank != 2) return folder_.error(weight, "is not a matrix");
    ScaledCodes codes = {.rows = weight.shape[0],
                         .columns = weight.shape[1],
                         .codes = weight.bytes.data(),
                         .table = table_of(weight.type)};
    SMELT_TRY(add_scales(module, weight, weight.shape, codes));
    const RawTensor* zeros = folder_.take(module + ".weight_zero_point");
    if (zeros != nullptr) {
      SMELT_TRY(folder_.check_type(*zeros, {weight.type}));
      const int64_t n = ((codes.rows - 1) / codes.grid.block_rows + 1) * codes.grid.columns;
      if (zeros->shape.values() != n) {
        return folder_.error(*zeros, fmt::format("has {} numbers, but there are {} scales", zeros->shape.values(), n));
      }
      codes.zeros = zeros->bytes.data();
    }
    return add(module, weight, codes);
  }

 private:
  Result<Shape> read_shape(const RawTensor& shape, const RawTensor& packed) const {
    SMELT_TRY(folder_.check_shape(shape, {2}));
    SMELT_TRY(folder_.check_type(shape, {StorageType::i64, StorageType::i32}));
    const auto number = [&](int64_t i) -> int64_t {
      return shape.type == StorageType::i32 ? load_little_endian<int32_t>(shape.bytes.data() + i * 4)
                                            : load_little_endian<int64_t>(shape.bytes.data() + i * 8);
    };
    const bool fits = number(0) == packed.shape[0] && number(1) > 0 && number(1) / 32 <= packed.shape[1];
    if (fits) return Shape{number(0), number(1)};
    return folder_.error(
        shape, fmt::format("says {} x {}, but the codes are {}", number(0), number(1), packed.shape.to_string()));
  }

  // Groups with different numbers of bits are told apart by the length of rows.
  Result<int> find_bits(const RawTensor& packed, int64_t columns) const {
    int64_t found = 0;
    for (const int64_t bits : s_.bits) {
      if (words_for(columns, bits) != packed.shape[1] || bits == found) continue;
      if (found != 0) return folder_.error(packed, fmt::format("could have {} or {} bits", found, bits));
      found = bits;
    }
    if (found != 0) return static_cast<int>(found);
    return folder_.error(packed, fmt::format("rows of {} words fit no 'num_bits' of config_groups for {} columns",
                                             packed.shape[1], columns));
  }

  Status add_scales(const std::string& module, const RawTensor& weight, const Shape& matrix, ScaledCodes& codes) {
    SMELT_ASSIGN(const RawTensor* scales, folder_.take(module + ".weight_scale", weight));
    const bool is_blocked = s_.block_rows > 0 && scales->shape.rank == 2 && scales->shape[1] > 1;
    SMELT_ASSIGN(codes.grid, grid_of(folder_, *scales, matrix, is_blocked ? s_.block_rows : 0, s_.block_columns));
    codes.scales = FloatTensor(*scales);
    const RawTensor* g_idx = folder_.take(module + ".weight_g_idx");
    if (g_idx == nullptr) return {};
    SMELT_TRY(folder_.check_type(*g_idx, {StorageType::i32}));
    SMELT_TRY(folder_.check_shape(*g_idx, {matrix[1]}));
    for (int64_t i = 0; i < matrix[1]; ++i) {
      const auto group = load_little_endian<int32_t>(g_idx->bytes.data() + i * 4);
      if (group >= 0 && group < codes.grid.columns) continue;
      return folder_.error(*g_idx, fmt::format("entry {} is {}, but there are {} groups; the file is damaged", i, group,
                                               codes.grid.columns));
    }
    codes.groups = g_idx->bytes.data();
    return {};
  }

  Status add(const std::string& module, const RawTensor& place, const ScaledCodes& codes) {
    folder_.take(place.name);
    for (const char* of_activations : {".input_scale", ".input_zero_point", ".output_scale", ".output_zero_point",
                                       ".k_scale", ".v_scale", ".q_scale"}) {
      folder_.take(module + of_activations);
    }
    return folder_.add({.name = module + ".weight",
                        .dtype = codes.scales.dtype(),
                        .shape = {codes.rows, codes.columns},
                        .decoder = std::make_unique<ScaledDecoder>(codes)},
                       place);
  }

  Folder& folder_;
  const Settings& s_;
};

bool is_cache_scale(const std::string& name) {
  return name.ends_with("self_attn.k_scale") || name.ends_with("self_attn.v_scale");
}

Result<std::string> read_compressed_tensors(Folder& folder) {
  SMELT_ASSIGN(const Settings settings, SettingsReader(folder).read());
  SMELT_ASSIGN(const std::string format, folder.find_string("format", "dense"));
  Reader reader(folder, settings);
  for (const RawTensor& tensor : folder.tensors()) {
    if (is_cache_scale(tensor.name)) folder.take(tensor.name);
    if (const auto packed = without_suffix(tensor.name, ".weight_packed")) {
      SMELT_TRY(reader.read_packed(*packed, tensor));
    }
    const bool is_byte = tensor.type == StorageType::i8 || tensor.type == StorageType::f8_e4m3;
    const auto module = without_suffix(tensor.name, ".weight");
    if (is_byte && module) SMELT_TRY(reader.read_bytes(*module, tensor));
  }
  return fmt::format("compressed-tensors, {}", format);
}

}  // namespace

extern const Form compressed_tensors_form = {.method = "compressed-tensors", .read = read_compressed_tensors};

}  // namespace smelt::packed
