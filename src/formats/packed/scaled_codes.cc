// 8-bit floats: OCP 8-bit Floating Point Specification (OFP8).
#include "formats/packed/scaled_codes.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "tensor/half.h"

namespace smelt::packed {
namespace {

float e4m3(int byte) {
  constexpr int kBias = 7;
  const int exponent = (byte >> 3) & 15;
  const int mantissa = byte & 7;
  const float sign = byte < 128 ? 1.0F : -1.0F;
  if (exponent == 15 && mantissa == 7) return std::numeric_limits<float>::quiet_NaN();
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), 1 - kBias - 3);
  return sign * std::ldexp(static_cast<float>(8 + mantissa), exponent - kBias - 3);
}

template <class Number>
CodeTable make_table(const Number& number) {
  CodeTable table{};
  for (int byte = 0; byte < 256; ++byte) table[static_cast<size_t>(byte)] = number(byte);
  return table;
}

int64_t blocks(int64_t n, int64_t block) { return (n - 1) / block + 1; }

}  // namespace

CodeTable table_of_i8() {
  return make_table([](int byte) { return static_cast<float>(byte < 128 ? byte : byte - 256); });
}

CodeTable table_of_e4m3() { return make_table(e4m3); }

CodeTable table_of_e5m2() {  // the upper half of an f16
  return make_table([](int byte) { return f16_to_f32(static_cast<uint16_t>(byte << 8)); });
}

CodeTable table_of(StorageType type) {
  if (type == StorageType::f8_e4m3) return table_of_e4m3();
  return type == StorageType::f8_e5m2 ? table_of_e5m2() : table_of_i8();
}

float ScaledDecoder::code(int64_t row, int64_t column) const {
  if (c_.bits == 0) return c_.table[static_cast<size_t>(c_.codes[row * c_.columns + column])];
  const PackedBits words = {c_.codes + row * words_for(c_.columns, c_.bits) * 4, 1, c_.bits};
  return static_cast<float>(static_cast<int>(words[column]) - (1 << (c_.bits - 1)));
}

float ScaledDecoder::zero(int64_t grid_row, int64_t grid_column) const {
  if (c_.zeros == nullptr) return 0;
  if (c_.bits == 0) return c_.table[static_cast<size_t>(c_.zeros[grid_row * c_.grid.columns + grid_column])];
  const PackedBits words = {c_.zeros + grid_column * 4, c_.grid.columns, c_.bits};
  return static_cast<float>(static_cast<int>(words[grid_row]) - (1 << (c_.bits - 1)));
}

void ScaledDecoder::decode_rows_into(int64_t first, int64_t n, float* out) const {
  std::vector<float> scales(static_cast<size_t>(c_.grid.columns));
  std::vector<float> zeros(scales.size());
  for (int64_t r = first; r < first + n; ++r) {
    const int64_t grid_row = r / c_.grid.block_rows;
    for (int64_t g = 0; g < c_.grid.columns; ++g) {
      scales[static_cast<size_t>(g)] = c_.scales[grid_row * c_.grid.columns + g];
      zeros[static_cast<size_t>(g)] = zero(grid_row, g);
    }
    for (int64_t c = 0; c < c_.columns; ++c) {
      const auto g = static_cast<size_t>(c_.groups == nullptr ? c / c_.grid.block_columns
                                                              : load_little_endian<int32_t>(c_.groups + c * 4));
      const float scaled = (code(r, c) - zeros[g]) * scales[g];
      *out++ = scaled * c_.factor;
    }
  }
}

Result<ScaleGrid> grid_of(const Folder& folder, const RawTensor& scales, const Shape& matrix, int64_t block_rows,
                          int64_t block_columns) {
  const int64_t rows = matrix[0];
  const int64_t columns = matrix[1];
  const Shape& s = scales.shape;
  SMELT_TRY(folder.check_type(scales, kFloats));
  if (block_rows > 0) {
    SMELT_TRY(folder.check_shape(scales, {blocks(rows, block_rows), blocks(columns, block_columns)}));
    return ScaleGrid{block_rows, block_columns, s[1]};
  }
  if (s.values() == 1) return ScaleGrid{rows, columns, 1};
  const int64_t grid_columns = s.rank == 2 ? s[1] : 1;
  const bool fits = (s.rank == 1 || s.rank == 2) && rows % s[0] == 0 && columns % grid_columns == 0;
  if (fits) return ScaleGrid{rows / s[0], columns / grid_columns, grid_columns};
  return folder.error(scales, fmt::format("shape is {}, which does not divide the matrix of {} evenly", s.to_string(),
                                          matrix.to_string()));
}

}  // namespace smelt::packed
