// Matrices of one code a byte, or of codes in PackedBits, that are numbers times a scale that a block of them shares:
// what most forms come to. Internal to formats/.
#pragma once

#include <array>

#include "formats/packed/packed_bits.h"
#include "formats/packed/packed_form.h"

namespace smelt::packed {

using CodeTable = std::array<float, 256>;  // the number of each byte

CodeTable table_of_i8();
CodeTable table_of_e4m3();  // without infinities: 0x7f and 0xff are NaN (the "fn" of PyTorch's float8_e4m3fn)
CodeTable table_of_e5m2();
// The numbers of I8, F8_E4M3 and F8_E5M2.
CodeTable table_of(StorageType type);

// How scales lie over a matrix of {rows, columns}: scale [r / block_rows][c / block_columns].
struct ScaleGrid {
  int64_t block_rows = 1, block_columns = 1;
  int64_t columns = 1;  // of scales

  int64_t at(int64_t row, int64_t column) const { return row / block_rows * columns + column / block_columns; }
};

// value = (code - zero) * scale * factor, rounded to f32 after each step.
struct ScaledCodes {
  int64_t rows = 0, columns = 0;
  const std::byte* codes = nullptr;  // bytes in rows; with bits > 0 rows of words
  int bits = 0;                      // > 0: PackedBits, whose numbers are less 2^(bits-1)
  CodeTable table{};                 // bits == 0
  FloatTensor scales{};
  ScaleGrid grid{};
  const std::byte* zeros = nullptr;   // as codes, of the grid's shape; PackedBits run along the grid's rows
  const std::byte* groups = nullptr;  // I32 [columns]: the grid's column of each, in place of column / block_columns
  float factor = 1.0F;
};

class ScaledDecoder final : public RowDecoder {
 public:
  explicit ScaledDecoder(const ScaledCodes& codes) : c_(codes) {}
  void decode_rows_into(int64_t first, int64_t n, float* out) const override;

 private:
  float code(int64_t row, int64_t column) const;
  float zero(int64_t grid_row, int64_t grid_column) const;
  ScaledCodes c_;
};

// The grid of scales for a matrix: one number, one a row ({rows} or {rows, 1}), or a table; `block_rows` and
// `block_columns` (0: those that divide the matrix evenly) must give its shape.
Result<ScaleGrid> grid_of(const Folder& folder, const RawTensor& scales, const Shape& matrix, int64_t block_rows,
                          int64_t block_columns);

}  // namespace smelt::packed
