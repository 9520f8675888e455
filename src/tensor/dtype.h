// The element types of tensors: plain ones and quantized block formats. The list is tensor/formats.inc; the enum,
// names, sizes, command-line help, docs table and round-trip tests are made from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace smelt {

enum class DType : uint8_t {
#define SMELT_FORMAT(id, name, ggml_id, block_values, block_bytes, description) id,
#include "tensor/formats.inc"
#undef SMELT_FORMAT
};

// Decodes n values (a multiple of the block size) of one row. `in` need not be aligned.
using DecodeRow = void (*)(const std::byte* in, float* out, int64_t n);
// Encodes n values (a multiple of the block size) of one row. importance (may be null: all alike) has n non-negative
// weights of the squared error; only their ratios inside a block matter. Never reads or writes out of range whatever
// the values. Quantized blocks are always finite: non-finite values count as zero, huge ones saturate. F32 keeps every
// bit; F16 and BF16 keep infinities and NaN but saturate finite values. Thread-safe, allocates nothing.
using EncodeRow = void (*)(const float* in, std::byte* out, int64_t n, const float* importance);

struct DTypeInfo {
  DType dtype;
  const char* name;       // as in GGUF tools: "F16", "Q4_K"
  uint32_t ggml_id;       // the type number in GGUF files
  uint32_t block_values;  // values in a block; 1 for plain types
  uint32_t block_bytes;
  const char* description;
  DecodeRow decode;
  EncodeRow encode;
};

std::span<const DTypeInfo> all_dtypes();
const DTypeInfo& dtype_info(DType dtype);
std::optional<DType> find_dtype(std::string_view name);  // case-insensitive
std::optional<DType> find_dtype_by_ggml_id(uint32_t id);

inline const char* dtype_name(DType dtype) { return dtype_info(dtype).name; }
inline bool is_quantized(DType dtype) { return dtype_info(dtype).block_values > 1; }
// Bytes of a row of n values; nullopt if n is not a whole number of blocks or the size overflows.
std::optional<uint64_t> row_bytes(DType dtype, uint64_t n);

}  // namespace smelt
