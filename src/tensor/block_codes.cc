#include "tensor/block_codes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "tensor/blocks/iq4_nl.h"
#include "tensor/blocks/iq4_xs.h"
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

namespace smelt {
namespace {

// Bits of a code go to bits of bytes: where each part of value i's code lies in `out`.
void put_bits(uint8_t* out, int shift, int bits) { *out |= static_cast<uint8_t>(bits << shift); }

template <DType dtype>
using BlockOf = typename BlockFormat<dtype>::Block;

void set(const uint8_t* codes, BlockOf<DType::q4_0>& b) { pack_nibbles_32(codes, b.qs); }
void set(const uint8_t* codes, BlockOf<DType::q4_1>& b) { pack_nibbles_32(codes, b.qs); }
void set(const uint8_t* codes, BlockOf<DType::iq4_nl>& b) { pack_nibbles_32(codes, b.qs); }

void set(const uint8_t* codes, BlockOf<DType::q5_0>& b) {
  pack_nibbles_32(codes, b.qs);
  pack_fifth_bits_32(codes, b.qh);
}

void set(const uint8_t* codes, BlockOf<DType::q5_1>& b) {
  pack_nibbles_32(codes, b.qs);
  pack_fifth_bits_32(codes, b.qh);
}

void set(const uint8_t* codes, BlockOf<DType::q8_0>& b) {
  for (int i = 0; i < 32; ++i) b.qs[i] = static_cast<int8_t>(codes[i] - 127);
}

void set(const uint8_t* codes, BlockOf<DType::iq4_xs>& b) {
  for (int g = 0; g < 8; ++g) pack_nibbles_32(codes + 32 * g, b.qs + 16 * g);
}

void set(const uint8_t* codes, BlockOf<DType::q2_k>& b) {
  std::fill(std::begin(b.qs), std::end(b.qs), uint8_t{0});
  for (int i = 0; i < 256; ++i) put_bits(&b.qs[32 * (i / 128) + i % 32], 2 * (i / 32 % 4), codes[i]);
}

void set(const uint8_t* codes, BlockOf<DType::q3_k>& b) {
  std::fill(std::begin(b.qs), std::end(b.qs), uint8_t{0});
  std::fill(std::begin(b.hmask), std::end(b.hmask), uint8_t{0});
  for (int i = 0; i < 256; ++i) {
    put_bits(&b.qs[32 * (i / 128) + i % 32], 2 * (i / 32 % 4), codes[i] & 3);
    put_bits(&b.hmask[i % 32], i / 32, codes[i] >> 2);
  }
}

void set(const uint8_t* codes, BlockOf<DType::q4_k>& b) {
  std::fill(std::begin(b.qs), std::end(b.qs), uint8_t{0});
  for (int i = 0; i < 256; ++i) put_bits(&b.qs[32 * (i / 64) + i % 32], 4 * (i / 32 % 2), codes[i]);
}

void set(const uint8_t* codes, BlockOf<DType::q5_k>& b) {
  std::fill(std::begin(b.qs), std::end(b.qs), uint8_t{0});
  std::fill(std::begin(b.qh), std::end(b.qh), uint8_t{0});
  for (int i = 0; i < 256; ++i) {
    put_bits(&b.qs[32 * (i / 64) + i % 32], 4 * (i / 32 % 2), codes[i] & 15);
    put_bits(&b.qh[i % 32], i / 32, codes[i] >> 4);
  }
}

void set(const uint8_t* codes, BlockOf<DType::q6_k>& b) {
  std::fill(std::begin(b.ql), std::end(b.ql), uint8_t{0});
  std::fill(std::begin(b.qh), std::end(b.qh), uint8_t{0});
  for (int i = 0; i < 256; ++i) {
    const int k = i / 32 % 4;
    put_bits(&b.ql[64 * (i / 128) + 32 * (k % 2) + i % 32], 4 * (k / 2), codes[i] & 15);
    put_bits(&b.qh[32 * (i / 128) + i % 32], 2 * k, codes[i] >> 4);
  }
}

template <DType dtype>
void put(const uint8_t* codes, std::byte* bytes) {
  BlockOf<dtype> block;
  std::memcpy(&block, bytes, sizeof(block));
  set(codes, block);
  std::memcpy(bytes, &block, sizeof(block));
}

template <DType dtype>
constexpr BlockCodec codec_of(int n_codes, bool non_linear = false) {
  return {dtype, BlockFormat<dtype>::kValues, n_codes, non_linear, put<dtype>};
}

constexpr std::array kCodecs = {
    codec_of<DType::q8_0>(255), codec_of<DType::q4_0>(16),         codec_of<DType::q4_1>(16),
    codec_of<DType::q5_0>(32),  codec_of<DType::q5_1>(32),         codec_of<DType::q2_k>(4),
    codec_of<DType::q3_k>(8),   codec_of<DType::q4_k>(16),         codec_of<DType::q5_k>(32),
    codec_of<DType::q6_k>(64),  codec_of<DType::iq4_nl>(16, true), codec_of<DType::iq4_xs>(16, true),
};

}  // namespace

void BlockCodec::levels_into(const std::byte* block, BlockLevels& out) const {
  constexpr size_t kMaxBlockBytes = 256;
  const DTypeInfo& info = dtype_info(dtype);
  std::byte copy[kMaxBlockBytes];
  std::memcpy(copy, block, info.block_bytes);
  uint8_t codes[256] = {};
  put_codes(codes, copy);
  info.decode(copy, out.origin, n_values);
  std::fill_n(codes, n_values, static_cast<uint8_t>(n_codes - 1));
  put_codes(codes, copy);
  info.decode(copy, out.step, n_values);
  const float span =
      non_linear ? static_cast<float>(kNonLinearLevels[15] - kNonLinearLevels[0]) : static_cast<float>(n_codes - 1);
  for (int i = 0; i < n_values; ++i) {
    out.step[i] = (out.step[i] - out.origin[i]) / span;
    if (non_linear) out.origin[i] -= out.step[i] * static_cast<float>(kNonLinearLevels[0]);
  }
}

uint8_t BlockCodec::nearest(const BlockLevels& levels, int i, float x, float& out) const {
  const float origin = levels.origin[i], step = levels.step[i];
  if (step == 0) {
    out = origin;
    return 0;
  }
  const float t = (x - origin) / step;
  if (!non_linear) {
    const float q = std::nearbyint(std::clamp(t, 0.0F, static_cast<float>(n_codes - 1)));
    out = origin + step * q;
    return static_cast<uint8_t>(q);
  }
  uint8_t code = 0;
  while (code < 15 && t > 0.5F * static_cast<float>(kNonLinearLevels[code] + kNonLinearLevels[code + 1u])) ++code;
  out = origin + step * static_cast<float>(kNonLinearLevels[code]);
  return code;
}

const BlockCodec* find_block_codec(DType dtype) {
  const auto at = std::find_if(kCodecs.begin(), kCodecs.end(), [&](const BlockCodec& c) { return c.dtype == dtype; });
  return at == kCodecs.end() ? nullptr : &*at;
}

}  // namespace smelt
