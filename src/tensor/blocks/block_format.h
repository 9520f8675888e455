// What every quantized format's header (one per line of tensor/formats.inc, in this folder) provides: a specialisation
// of BlockFormat with the block struct, decode and encode. dtype.cc makes the row functions of the dispatch table from
// it; kernels may include a header to decode a block inline. All multi-byte fields are little-endian, as in the files,
// and so must the machine be.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"
#include "tensor/half.h"

namespace smelt {

static_assert(std::endian::native == std::endian::little, "tensor data is little-endian and used in place");

// A specialisation has:
//   struct Block                                                   the bytes, alignment 1 or 2 (or 4: Q8_K) without
//   padding static void decode(const Block&, float* out)                   kValues values; the reference for every
//   kernel static void encode(const float* x, const float* v, Block& out)
// Where decoded bits must equal the reference's, compile with -ffp-contract=off: a fused multiply-add rounds once
// instead of twice. encode gets finite values of magnitude up to kMaxQuantizable and positive weights v of their
// squared errors.
template <DType dtype>
struct BlockFormat;

inline constexpr int kSuperBlock = 256;  // values in a super-block, called QK_K elsewhere

// The 16 levels of IQ4_NL and IQ4_XS, denser around zero (constants of the GGUF definition).
inline constexpr std::array<int8_t, 16> kNonLinearLevels = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                            1,    13,   25,  38,  53,  69,  89,  113};

// The code of one of these levels.
inline uint8_t non_linear_code(float level) {
  const auto at = std::lower_bound(kNonLinearLevels.begin(), kNonLinearLevels.end(), static_cast<int8_t>(level));
  return static_cast<uint8_t>(at - kNonLinearLevels.begin());
}

// 32 4-bit codes in 16 bytes: value j is the low half of byte j, value j + 16 the high half.
inline void unpack_nibbles_32(const uint8_t* bytes, uint8_t* codes) {
  for (int j = 0; j < 16; ++j) codes[j] = bytes[j] & 15;
  for (int j = 0; j < 16; ++j) codes[j + 16] = bytes[j] >> 4;
}

inline void pack_nibbles_32(const uint8_t* codes, uint8_t* bytes) {
  for (int j = 0; j < 16; ++j) bytes[j] = static_cast<uint8_t>((codes[j] & 15) | (codes[j + 16] << 4));
}

// The fifth bits of 32 codes: bit j of the 4 bytes belongs to value j.
inline void unpack_fifth_bits_32(const uint8_t* bits, uint8_t* codes) {
  uint32_t word = 0;
  for (int j = 0; j < 4; ++j) word |= static_cast<uint32_t>(bits[j]) << (8 * j);
  for (int j = 0; j < 32; ++j) codes[j] |= static_cast<uint8_t>(((word >> j) & 1u) << 4);
}

inline void pack_fifth_bits_32(const uint8_t* codes, uint8_t* bits) {
  for (int j = 0; j < 4; ++j) bits[j] = 0;
  for (int j = 0; j < 32; ++j) bits[j / 8] |= static_cast<uint8_t>((codes[j] >> 4) << (j % 8));
}

}  // namespace smelt
