// The permutation as a table of fields per dtype and two loops over it.
#include "tensor/rows16.h"

#include <fmt/format.h>

#include <cstring>

#include "base/check.h"
#include "base/checked.h"
#include "tensor/tensor_view.h"

namespace smelt {
namespace {

// Codes first: with k a multiple of 64 their planes then start on cache lines.
constexpr Rows16Field kQ8_0[] = {{2, 32, 4}, {0, 2, 2}};
constexpr Rows16Field kQ4_0[] = {{2, 16, 4}, {0, 2, 2}};
constexpr Rows16Field kQ4_1[] = {{4, 16, 4}, {0, 4, 2}};
constexpr Rows16Field kQ5_0[] = {{6, 16, 4}, {2, 4, 4}, {0, 2, 2}};
constexpr Rows16Field kQ5_1[] = {{8, 16, 4}, {4, 4, 4}, {0, 4, 2}};
constexpr Rows16Field kQ2K[] = {{16, 64, 4}, {0, 16, 1}, {80, 4, 2}};
constexpr Rows16Field kQ3K[] = {{32, 64, 4}, {0, 32, 4}, {96, 12, 1}, {108, 2, 2}};
constexpr Rows16Field kQ4K[] = {{16, 128, 4}, {4, 12, 1}, {0, 4, 2}};
constexpr Rows16Field kQ5K[] = {{48, 128, 4}, {16, 32, 4}, {4, 12, 1}, {0, 4, 2}};
constexpr Rows16Field kQ6K[] = {{0, 128, 4}, {128, 64, 4}, {192, 16, 1}, {208, 2, 2}};
constexpr Rows16Field kIq4Xs[] = {{8, 128, 4}, {4, 4, 1}, {2, 2, 2}, {0, 2, 2}};

template <int64_t unit>
void scatter(const std::byte* row, int64_t n_units, std::byte* out) {
  for (int64_t u = 0; u < n_units; ++u) std::memcpy(out + u * unit * kRows16, row + u * unit, unit);
}
template <int64_t unit>
void gather(const std::byte* in, int64_t n_units, std::byte* row) {
  for (int64_t u = 0; u < n_units; ++u) std::memcpy(row + u * unit, in + u * unit * kRows16, unit);
}

// Calls move(field, byte of the block's first unit of row 0 in its plane, block) for all fields and blocks.
template <class Move>
void for_planes(DType dtype, int64_t k, const Move& move) {
  const int64_t blocks = k / dtype_info(dtype).block_values;
  int64_t plane = 0;
  for (const Rows16Field& field : rows16_fields(dtype)) {
    for (int64_t b = 0; b < blocks; ++b) move(field, plane + b * field.bytes * kRows16, b);
    plane += blocks * field.bytes * kRows16;
  }
}

}  // namespace

std::span<const Rows16Field> rows16_fields(DType dtype) {
  switch (dtype) {
    case DType::q8_0:
      return kQ8_0;
    case DType::q4_0:
    case DType::iq4_nl:
      return kQ4_0;
    case DType::q4_1:
      return kQ4_1;
    case DType::q5_0:
      return kQ5_0;
    case DType::q5_1:
      return kQ5_1;
    case DType::q2_k:
      return kQ2K;
    case DType::q3_k:
      return kQ3K;
    case DType::q4_k:
      return kQ4K;
    case DType::q5_k:
      return kQ5K;
    case DType::q6_k:
      return kQ6K;
    case DType::iq4_xs:
      return kIq4Xs;
    default:
      return {};
  }
}

uint64_t rows16_bytes(DType dtype, int64_t n, int64_t k) {
  const auto groups = static_cast<uint64_t>((n + kRows16 - 1) / kRows16);
  return groups * static_cast<uint64_t>(kRows16) * *row_bytes(dtype, static_cast<uint64_t>(k));
}

Result<uint64_t> rows16_tensor_bytes(DType dtype, std::span<const uint64_t> dims_outermost_first) {
  if (!has_rows16(dtype)) {
    return input_error(fmt::format("type {} has no layout of 16 interleaved rows", dtype_name(dtype)));
  }
  if (dims_outermost_first.size() != 2) {
    return input_error(fmt::format("has {} dimensions, only matrices are interleaved", dims_outermost_first.size()));
  }
  const auto rows = checked_round_up(dims_outermost_first[0], static_cast<uint64_t>(kRows16));
  if (!rows) return input_error("the number of rows overflows 64 bits");
  const uint64_t padded[] = {*rows, dims_outermost_first[1]};
  return tensor_bytes(dtype, padded);
}

void pack_rows16(DType dtype, const std::byte* rows, int64_t n_rows, int64_t k, std::byte* group) {
  SMELT_CHECK(n_rows >= 1 && n_rows <= kRows16);
  const auto row_size = static_cast<int64_t>(*row_bytes(dtype, static_cast<uint64_t>(k)));
  const int64_t block_bytes = dtype_info(dtype).block_bytes;
  if (n_rows < kRows16) std::memset(group, 0, static_cast<size_t>(row_size * kRows16));
  for_planes(dtype, k, [&](const Rows16Field& field, int64_t at, int64_t block) {
    const int64_t unit = field.unit;
    const int64_t n_units = field.bytes / field.unit;
    for (int64_t r = 0; r < n_rows; ++r) {
      const std::byte* in = rows + r * row_size + block * block_bytes + field.offset;
      std::byte* out = group + at + r * unit;
      if (unit == 4) scatter<4>(in, n_units, out);
      if (unit == 2) scatter<2>(in, n_units, out);
      if (unit == 1) scatter<1>(in, n_units, out);
    }
  });
}

void unpack_row16(DType dtype, const std::byte* group, int64_t row, int64_t k, std::byte* out) {
  SMELT_CHECK(row >= 0 && row < kRows16);
  const int64_t block_bytes = dtype_info(dtype).block_bytes;
  for_planes(dtype, k, [&](const Rows16Field& field, int64_t at, int64_t block) {
    const int64_t unit = field.unit;
    const int64_t n_units = field.bytes / field.unit;
    const std::byte* in = group + at + row * unit;
    std::byte* to = out + block * block_bytes + field.offset;
    if (unit == 4) gather<4>(in, n_units, to);
    if (unit == 2) gather<2>(in, n_units, to);
    if (unit == 1) gather<1>(in, n_units, to);
  });
}

}  // namespace smelt
