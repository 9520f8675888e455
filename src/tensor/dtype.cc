// The table of dtypes, made from tensor/formats.inc, and the row functions made from each format's block functions.
#include "tensor/dtype.h"

#include <algorithm>
#include <cstring>

#include "tensor/blocks/iq4_nl.h"
#include "tensor/blocks/iq4_xs.h"
#include "tensor/blocks/plain.h"
#include "tensor/blocks/q2_k.h"
#include "tensor/blocks/q3_k.h"
#include "tensor/blocks/q4_0.h"
#include "tensor/blocks/q4_1.h"
#include "tensor/blocks/q4_k.h"
#include "tensor/blocks/q5_0.h"
#include "tensor/blocks/q5_1.h"
#include "tensor/blocks/q5_k.h"
#include "tensor/blocks/q6_k.h"
#include "tensor/blocks/q8_0.h"
#include "tensor/blocks/q8_k.h"
#include "tensor/blocks/tq1_0.h"
#include "tensor/blocks/tq2_0.h"
#include "tensor/quant_search.h"

namespace smelt {
namespace {

template <class Format>
concept PlainFormat = requires { typename Format::Value; };

// Rows of files are not aligned: each value or block is copied out first, which compiles to plain unaligned loads.
template <class Format>
void decode_row(const std::byte* in, float* out, int64_t n) {
  if constexpr (PlainFormat<Format>) {
    for (int64_t i = 0; i < n; ++i) {
      typename Format::Value value;
      std::memcpy(&value, in + i * static_cast<int64_t>(sizeof(value)), sizeof(value));
      out[i] = Format::decode_value(value);
    }
  } else {
    typename Format::Block block;
    for (int64_t i = 0; i + Format::kValues <= n; i += Format::kValues, in += sizeof(block)) {
      std::memcpy(&block, in, sizeof(block));
      Format::decode(block, out + i);
    }
  }
}

template <class Format>
void encode_row(const float* in, std::byte* out, int64_t n, const float* importance) {
  if constexpr (PlainFormat<Format>) {
    for (int64_t i = 0; i < n; ++i) {
      const typename Format::Value value = Format::encode_value(in[i]);
      std::memcpy(out + i * static_cast<int64_t>(sizeof(value)), &value, sizeof(value));
    }
  } else {
    typename Format::Block block;
    float x[Format::kValues];
    float v[Format::kValues];
    for (int64_t i = 0; i + Format::kValues <= n; i += Format::kValues, out += sizeof(block)) {
      prepare_group(in + i, importance == nullptr ? nullptr : importance + i, Format::kValues, x, v);
      Format::encode(x, v, block);
      std::memcpy(out, &block, sizeof(block));
    }
  }
}

template <class Format, uint32_t values, uint32_t bytes>
constexpr bool size_matches() {
  if constexpr (PlainFormat<Format>) {
    return values == 1 && bytes == sizeof(typename Format::Value);
  } else {
    return values == Format::kValues && bytes == sizeof(typename Format::Block);
  }
}

constexpr DTypeInfo kDTypes[] = {
#define SMELT_FORMAT(id, name, ggml_id, block_values, block_bytes, description) \
  {DType::id,                                                                   \
   name,                                                                        \
   ggml_id,                                                                     \
   block_values,                                                                \
   block_bytes,                                                                 \
   description,                                                                 \
   &decode_row<BlockFormat<DType::id>>,                                         \
   &encode_row<BlockFormat<DType::id>>},
#include "tensor/formats.inc"
#undef SMELT_FORMAT
};

#define SMELT_FORMAT(id, name, ggml_id, block_values, block_bytes, description) \
  static_assert(size_matches<BlockFormat<DType::id>, block_values, block_bytes>(), name);
#include "tensor/formats.inc"
#undef SMELT_FORMAT

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

std::span<const DTypeInfo> all_dtypes() { return kDTypes; }

const DTypeInfo& dtype_info(DType dtype) { return kDTypes[static_cast<size_t>(dtype)]; }

std::optional<DType> find_dtype(std::string_view name) {
  for (const DTypeInfo& info : kDTypes) {
    if (equal_ignoring_case(info.name, name)) return info.dtype;
  }
  return std::nullopt;
}

std::optional<DType> find_dtype_by_ggml_id(uint32_t id) {
  for (const DTypeInfo& info : kDTypes) {
    if (info.ggml_id == id) return info.dtype;
  }
  return std::nullopt;
}

}  // namespace smelt
