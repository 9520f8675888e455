// The layout in which matrices of quantized blocks are multiplied: 16 rows interleaved, so that one 64-byte load brings
// the next four weights of 16 rows, and each row has a lane of its own. The bytes are those of the stock blocks,
// permuted: nothing is lost, nothing added but padding to whole groups of 16 rows (kernels/qmatmul reads it).
//
//   group of 16 rows = its fields one after another, each a plane over all blocks of the row (rows16.cc has the tables)
//     plane:  block 0: unit 0 of rows 0 … 15 | unit 1 of rows 0 … 15 | …      block 1: …
//   Units are 4 bytes for codes, 2 for f16 scales, 1 for small scales. Q4_0 with k = 64, group of 576 bytes:
//     0    codes    block 0: bytes 0-3 of rows 0 … 15, bytes 4-7 of rows 0 … 15, 8-11, 12-15; block 1: the same
//     512  scales   block 0: f16 of rows 0 … 15; block 1: the same
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "tensor/dtype.h"

namespace smelt {

inline constexpr int64_t kRows16 = 16;

// A field of the stock block: `bytes` at `offset`, moved in units of `unit` bytes.
struct Rows16Field {
  uint32_t offset, bytes, unit;
};

// The fields in the order of their planes; empty where a dtype has no such layout (plain types, Q8_K, ternary ones).
std::span<const Rows16Field> rows16_fields(DType dtype);
inline bool has_rows16(DType dtype) { return !rows16_fields(dtype).empty(); }

// Bytes of a matrix of n rows of k values, a whole number of blocks each. No overflow check: the sizes are those of a
// tensor that exists.
uint64_t rows16_bytes(DType dtype, int64_t n, int64_t k);

// The same of dimensions from a file; an error says what is wrong with them.
Result<uint64_t> rows16_tensor_bytes(DType dtype, std::span<const uint64_t> dims_outermost_first);

// One group: n_rows (1 … 16) stock rows of k values, row_bytes apart, into 16 interleaved ones; those missing are
// zeros.
void pack_rows16(DType dtype, const std::byte* rows, int64_t n_rows, int64_t k, std::byte* group);
// One row (0 … 15) of a group back into stock blocks.
void unpack_row16(DType dtype, const std::byte* group, int64_t row, int64_t k, std::byte* out);

}  // namespace smelt
