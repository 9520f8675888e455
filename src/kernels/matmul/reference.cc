// Portable matmul tile: plain loops that say what the operation is. Sums run in eight interleaved partial sums, which
// any compiler turns into vectors without changing the result.
#include <bit>
#include <cstring>

#include "kernels/matmul/kernel.h"
#include "tensor/half.h"

namespace smelt {
namespace {

constexpr int64_t kPartial = 8;

float load_weight(const std::byte* row, DType type, int64_t i) {
  if (type == DType::f32) {
    float value = 0;
    std::memcpy(&value, row + 4 * i, sizeof(value));
    return value;
  }
  uint16_t half = 0;
  std::memcpy(&half, row + 2 * i, sizeof(half));
  return type == DType::f16 ? f16_to_f32(half) : bf16_to_f32(half);
}

template <DType type>
float dot(const float* x, const std::byte* w, int64_t k) {
  float partial[kPartial] = {};
  int64_t i = 0;
  for (; i + kPartial <= k; i += kPartial) {
    for (int64_t j = 0; j < kPartial; ++j) partial[j] += x[i + j] * load_weight(w, type, i + j);
  }
  for (; i < k; ++i) partial[i % kPartial] += x[i] * load_weight(w, type, i);
  float sum = 0;
  for (const float each : partial) sum += each;
  return sum;
}

template <DType type>
void run(const MatmulTile& tile) {
  for (int64_t r = 0; r < tile.rows; ++r) {
    const std::byte* w = tile.w + r * tile.w_row_bytes;
    const float bias = tile.bias == nullptr ? 0.0F : tile.bias[r];
    for (int64_t t = 0; t < tile.m; ++t)
      tile.out[t * tile.out_stride + r] = bias + dot<type>(tile.x + t * tile.k, w, tile.k);
  }
}

void run_tile(const MatmulTile& tile) {
  if (tile.type == DType::f32) return run<DType::f32>(tile);
  if (tile.type == DType::f16) return run<DType::f16>(tile);
  run<DType::bf16>(tile);
}

DecodeRow find_decoder(DType) { return nullptr; }

}  // namespace

extern const MatmulKernel matmul_reference = {Isa::reference, run_tile, find_decoder};

}  // namespace smelt
