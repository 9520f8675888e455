// Activations as the int8 kernels read them: 32 values a block, each block one cache line. Made once for all matrices
// that share an input.
#pragma once

#include <cstdint>

namespace smelt {

inline constexpr int64_t kActivationBlock = 32;

// See qmatmul.h.
enum class QArithmetic : uint8_t { exact, prefill };

// Values q[i] * scale, |q| <= 127. For prompts the scale is a power of two, the least one possible, so that multiplying
// by it can be an addition to an exponent: the error is then 1.5 times that of the best scale on average. The sums are
// what codes with an offset and blocks with a minimum need; they are taken over q, so that both cancel exactly.
struct alignas(64) ActivationBlock {
  int8_t q[32];
  float scale;
  int32_t offset128;          // -128 * sum of q: where accumulation starts for codes stored with 128 added
  int32_t offset128_half[2];  // the same of each half
  float sum;                  // scale * sum of q
  float sum_half[2];
  uint32_t unused;
};
static_assert(sizeof(ActivationBlock) == 64);

// Scales stay far from the ends of the exponent's range.
inline constexpr float kLeastActivationScale = 0x1p-60F;
inline constexpr int32_t kLeastActivationExponent = 67, kMostActivationExponent = 187;  // as stored: 2^-60, 2^60

// Rows of quantized activations; memory belongs to the caller. An odd number of cache lines lies between the starts of
// two rows: at a distance that is a power of two, the blocks that are multiplied together would fall into a few sets of
// the caches and drive each other out.
struct QuantizedRows {
  ActivationBlock* blocks = nullptr;  // [m][blocks_a_row()], the first k / 32 of them used
  float* poison = nullptr;            // [m]: 0, or NaN for a row with a value that is not finite
  int64_t m = 0, k = 0;

  int64_t blocks_a_row() const { return blocks_a_row(k); }
  static int64_t blocks_a_row(int64_t k) { return (k / kActivationBlock) | 1; }
};

}  // namespace smelt
