// bitsandbytes (Dettmers et al., arXiv 2208.07339 and 2305.14314). A module X has in 8 bits
//
//   X.weight I8 [rows][columns], X.SCB F32 [rows]    W = code * SCB / 127
//
// and in 4 bits, with blocks of values that run on from row to row,
//
//   X.weight                   two codes a byte, the first in the upper half, of any type and shape
//   X.weight.quant_map         F32 [16]: the numbers of the codes
//   X.weight.absmax            F32 [blocks], or with double quantization U8 [blocks], codes of
//   X.weight.nested_quant_map
//                              F32 [256] in blocks with X.weight.nested_absmax F32
//   X.weight.quant_state.bitsandbytes__nf4 (or __fp4)   JSON in U8: blocksize, dtype, shape, nested_blocksize,
//                              nested_offset, which is added to each absmax
//
// with W = quant_map[code] * absmax. Facts from bitsandbytes' QuantState and functional.py (MIT). Modules without these
// tensors are not quantized.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "formats/hf_folder.h"
#include "formats/packed/scaled_codes.h"

namespace smelt::packed {

extern const Form bitsandbytes_form;

namespace {

constexpr std::string_view kKeys[] = {
    "load_in_8bit", "load_in_4bit", "_load_in_8bit", "_load_in_4bit", "llm_int8_skip_modules",
    // What holds of the codes is said beside them; the rest is how they are multiplied.
    "bnb_4bit_quant_type", "bnb_4bit_use_double_quant", "bnb_4bit_compute_dtype", "bnb_4bit_quant_storage",
    "llm_int8_threshold", "llm_int8_enable_fp32_cpu_offload", "llm_int8_has_fp16_weight", "bnb_4bit_target_parameters"};

struct FourBits {
  const std::byte* codes = nullptr;
  int64_t columns = 0;
  FloatTensor map{};
  const std::byte* absmax = nullptr;  // U8 where nested_map is, else F32
  int64_t block = 64;
  FloatTensor nested_map{}, nested_absmax{};
  int64_t nested_block = 256;
  float nested_offset = 0;
  bool is_nested = false;
};

class FourBitDecoder final : public RowDecoder {
 public:
  explicit FourBitDecoder(const FourBits& data) : d_(data) {}

  void decode_rows_into(int64_t first, int64_t n, float* out) const override {
    const int64_t end = (first + n) * d_.columns;
    int64_t block = -1;
    float largest = 0;
    for (int64_t i = first * d_.columns; i < end; ++i) {
      if (i / d_.block != block) {
        block = i / d_.block;
        largest = absmax(block);
      }
      const auto byte = static_cast<int>(d_.codes[i / 2]);
      *out++ = d_.map[i % 2 == 0 ? byte >> 4 : byte & 15] * largest;
    }
  }

 private:
  float absmax(int64_t block) const {
    if (!d_.is_nested) return load_little_endian<float>(d_.absmax + block * 4);
    const float scaled =
        d_.nested_map[static_cast<int64_t>(d_.absmax[block])] * d_.nested_absmax[block / d_.nested_block];
    return scaled + d_.nested_offset;
  }

  FourBits d_;
};

struct QuantState {
  Shape shape;
  DType dtype = DType::f16;
  int64_t block = 0, nested_block = 0;
  double nested_offset = 0;
};

class Reader {
 public:
  explicit Reader(Folder& folder) : folder_(folder) {}
  bool has_4_bits = false, has_8_bits = false, is_nested = false;

  Status read_8_bits(const std::string& module, const RawTensor& scb) {
    SMELT_ASSIGN(const RawTensor* weight, folder_.take(module + ".weight", scb));
    folder_.take(scb.name);
    SMELT_TRY(folder_.check_type(*weight, {StorageType::i8}));
    SMELT_TRY(folder_.check_type(scb, {StorageType::f32}));
    if (weight->shape.rank != 2) return folder_.error(*weight, "is not a matrix");
    SMELT_TRY(folder_.check_shape(scb, {weight->shape[0]}));
    if (const RawTensor* format = folder_.take(module + ".weight_format")) {
      SMELT_TRY(folder_.check_type(*format, {StorageType::u8}));
      if (format->bytes[0] != std::byte{0}) return folder_.error(*format, "is not 0, the format of plain rows");
    }
    has_8_bits = true;
    const ScaledCodes codes = {.rows = weight->shape[0],
                               .columns = weight->shape[1],
                               .codes = weight->bytes.data(),
                               .table = table_of_i8(),
                               .scales = FloatTensor(scb),
                               .grid = {1, weight->shape[1], 1},
                               .factor = 1.0F / 127};
    return folder_.add({.name = weight->name,
                        .dtype = folder_.model_dtype(DType::f16),
                        .shape = weight->shape,
                        .decoder = std::make_unique<ScaledDecoder>(codes)},
                       *weight);
  }

  Status read_4_bits(const std::string& name, const RawTensor& state_tensor) {
    SMELT_ASSIGN(const QuantState state, parse_state(state_tensor));
    SMELT_ASSIGN(const RawTensor* weight, folder_.take(name, state_tensor));
    SMELT_ASSIGN(const RawTensor* map, folder_.take(name + ".quant_map", state_tensor));
    SMELT_ASSIGN(const RawTensor* absmax, folder_.take(name + ".absmax", state_tensor));
    const int64_t n = state.shape.values();
    if (static_cast<int64_t>(weight->bytes.size()) != (n + 1) / 2) {
      return folder_.error(
          *weight, fmt::format("has {} bytes, but {} values of 4 bits have {}", weight->bytes.size(), n, (n + 1) / 2));
    }
    SMELT_TRY(folder_.check_type(*map, {StorageType::f32}));
    SMELT_TRY(folder_.check_shape(*map, {16}));
    const int64_t n_blocks = (n - 1) / state.block + 1;
    SMELT_TRY(check_count(*absmax, n_blocks));
    FourBits data = {.codes = weight->bytes.data(),
                     .columns = state.shape[1],
                     .map = FloatTensor(*map),
                     .absmax = absmax->bytes.data(),
                     .block = state.block};
    SMELT_TRY(add_nested(name, *absmax, state, data));
    has_4_bits = true;
    return folder_.add(
        {.name = name, .dtype = state.dtype, .shape = state.shape, .decoder = std::make_unique<FourBitDecoder>(data)},
        *weight);
  }

 private:
  Status check_count(const RawTensor& tensor, int64_t n) const {
    if (tensor.shape.values() == n) return {};
    return folder_.error(tensor, fmt::format("has {} values, but there are {} blocks", tensor.shape.values(), n));
  }

  Status add_nested(const std::string& name, const RawTensor& absmax, const QuantState& state, FourBits& data) {
    const RawTensor* map = folder_.take(name + ".nested_quant_map");
    if (map == nullptr) return folder_.check_type(absmax, {StorageType::f32});
    SMELT_ASSIGN(const RawTensor* nested, folder_.take(name + ".nested_absmax", absmax));
    SMELT_TRY(folder_.check_type(absmax, {StorageType::u8}));
    SMELT_TRY(folder_.check_type(*map, {StorageType::f32}));
    SMELT_TRY(folder_.check_shape(*map, {256}));
    SMELT_TRY(folder_.check_type(*nested, {StorageType::f32}));
    if (state.nested_block < 1) return folder_.error(absmax, "is packed, but the quant_state has no nested_blocksize");
    SMELT_TRY(check_count(*nested, (absmax.shape.values() - 1) / state.nested_block + 1));
    data.nested_map = FloatTensor(*map);
    data.nested_absmax = FloatTensor(*nested);
    data.nested_block = state.nested_block;
    data.nested_offset = static_cast<float>(state.nested_offset);
    data.is_nested = is_nested = true;
    return {};
  }

  Result<QuantState> parse_state(const RawTensor& tensor) {
    folder_.take(tensor.name);
    SMELT_TRY(folder_.check_type(tensor, {StorageType::u8}));
    const auto json = parse_json_metadata(as_text(tensor.bytes), folder_.describe(tensor));
    if (!json) return json.error();
    QuantState state;
    SMELT_ASSIGN(const auto shape, json->find_ints("shape").with_context(folder_.describe(tensor)));
    const bool is_matrix = shape && shape->size() == 2 && (*shape)[0] > 0 && (*shape)[1] > 0;
    if (!is_matrix || (*shape)[0] > INT64_MAX / (*shape)[1])
      return folder_.error(tensor, "'shape' is not that of a matrix");
    state.shape = {(*shape)[0], (*shape)[1]};
    SMELT_ASSIGN(state.block, find_block(*json, "blocksize", tensor));
    SMELT_ASSIGN(state.nested_block, find_block(*json, "nested_blocksize", tensor));
    if (state.block == 0) return folder_.error(tensor, "'blocksize' is missing");
    SMELT_ASSIGN(const auto offset, json->find_float("nested_offset").with_context(folder_.describe(tensor)));
    state.nested_offset = offset.value_or(0);
    SMELT_ASSIGN(const std::string dtype, json->get_string("dtype").with_context(folder_.describe(tensor)));
    SMELT_ASSIGN(state.dtype, find_type(dtype, tensor));
    return state;
  }

  Result<int64_t> find_block(const Metadata& json, const char* key, const RawTensor& tensor) const {
    SMELT_ASSIGN(const auto size, json.find_uint(key).with_context(folder_.describe(tensor)));
    if (!size) return int64_t{0};
    if (*size < 1 || *size > (1U << 30)) return folder_.error(tensor, fmt::format("'{}' is {}", key, *size));
    return static_cast<int64_t>(*size);
  }

  Result<DType> find_type(const std::string& name, const RawTensor& tensor) const {
    if (name == "float16") return DType::f16;
    if (name == "bfloat16") return DType::bf16;
    if (name == "float32") return DType::f32;
    return folder_.error(tensor,
                         fmt::format("'dtype' is '{}', wanted float16, bfloat16 or float32", escape_for_display(name)));
  }

  Folder& folder_;
};

Result<std::string> read_bitsandbytes(Folder& folder) {
  SMELT_TRY(folder.check_keys(kKeys));
  Reader reader(folder);
  const char* kind = "nf4";
  for (const RawTensor& tensor : folder.tensors()) {
    if (const auto module = without_suffix(tensor.name, ".SCB")) SMELT_TRY(reader.read_8_bits(*module, tensor));
    for (const char* type : {"nf4", "fp4"}) {
      const auto name = without_suffix(tensor.name, std::string(".quant_state.bitsandbytes__") + type);
      if (!name) continue;
      kind = type;
      SMELT_TRY(reader.read_4_bits(*name, tensor));
    }
  }
  if (!reader.has_4_bits) return std::string("bitsandbytes, int8");
  return fmt::format("bitsandbytes, {}{}{}", kind, reader.is_nested ? " with double quantization" : "",
                     reader.has_8_bits ? " and int8" : "");
}

}  // namespace

extern const Form bitsandbytes_form = {.method = "bitsandbytes", .read = read_bitsandbytes};

}  // namespace smelt::packed
