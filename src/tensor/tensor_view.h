// A typed, shaped, non-owning view of tensor bytes, usually inside a MappedFile.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "base/result.h"
#include "tensor/dtype.h"

namespace smelt {

// Up to 4 dimensions, outermost first (as in NumPy; GGUF files store the reverse). A weight matrix is {rows, columns}:
// {outputs, inputs}; blocks run along the last dimension.
struct Shape {
  static constexpr int kMaxRank = 4;
  std::array<int64_t, kMaxRank> dims{};
  int rank = 0;

  Shape() = default;
  Shape(std::initializer_list<int64_t> list);
  int64_t operator[](int i) const { return dims[static_cast<size_t>(i)]; }
  int64_t columns() const { return rank == 0 ? 1 : dims[static_cast<size_t>(rank - 1)]; }
  int64_t rows() const;    // product of all dimensions but the last
  int64_t values() const;  // product of all; shapes from files are checked for overflow before they become a Shape
  bool operator==(const Shape& other) const;
  std::string to_string() const;  // "4096 x 256"
};

// The bytes of a tensor of this dtype and shape, or an error saying which of rank, dimension, block or size is wrong.
Result<uint64_t> tensor_bytes(DType dtype, std::span<const uint64_t> dims_outermost_first);

// How the rows lie in `bytes`.
enum class Layout : uint8_t {
  rows,    // one after another, as in files
  rows16,  // 16 interleaved (tensor/rows16.h): row() has no meaning
};

struct TensorView {
  DType dtype = DType::f32;
  Shape shape;
  std::span<const std::byte> bytes;
  Layout layout = Layout::rows;

  int64_t rows() const { return shape.rows(); }
  int64_t columns() const { return shape.columns(); }
  uint64_t row_size() const { return *row_bytes(dtype, static_cast<uint64_t>(columns())); }
  const std::byte* row(int64_t r) const { return bytes.data() + static_cast<uint64_t>(r) * row_size(); }
  // Decodes row r into out[columns()]. Allocates where rows are interleaved.
  void decode_row_into(int64_t r, float* out) const;
  // The row_size() bytes of row r as files have them, whatever the layout.
  void copy_row_into(int64_t r, std::byte* out) const;
};

}  // namespace smelt
