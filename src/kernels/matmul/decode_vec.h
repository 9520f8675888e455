// Decoders of the common block formats as templates over a vector vocabulary V (kernels/vec_x86_*.h), for the files per
// instruction set. The byte pictures are in tensor/blocks/*.h; here only offsets. Each value is computed by the same
// operations in the same order as there, so the results are bit-identical. No inline function of another header is
// called: it would be compiled with this file's flags and could be the copy that the linker keeps for everyone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tensor/dtype.h"

namespace smelt {
namespace {

template <class V>
struct BlockDecoder {
  using I = typename V::I;

  static float f16_at(const uint8_t* p) {
    uint16_t half = 0;
    std::memcpy(&half, p, sizeof(half));
    return V::f16_scalar(half);
  }
  static void put(float* out, I codes, float scale) { V::store(out, V::mul(V::set1(scale), V::to_float(codes))); }
  static void put(float* out, I codes, float scale, float offset) {
    V::store(out, V::sub(V::mul(V::set1(scale), V::to_float(codes)), V::set1(offset)));
  }

  // The 8 six-bit scales and minima of Q4_K and Q5_K.
  static void unpack_scales(const uint8_t* packed, uint8_t* scales, uint8_t* minima) {
    for (int g = 0; g < 4; ++g) {
      scales[g] = packed[g] & 63;
      minima[g] = packed[g + 4] & 63;
      scales[g + 4] = static_cast<uint8_t>((packed[g + 8] & 15) | ((packed[g] >> 6) << 4));
      minima[g + 4] = static_cast<uint8_t>((packed[g + 8] >> 4) | ((packed[g + 4] >> 6) << 4));
    }
  }

  static void q8_0(const uint8_t* block, float* out) {
    const float d = f16_at(block);
    for (int j = 0; j < 32; j += V::kLanes) put(out + j, V::load_i8(block + 2 + j), d);
  }

  static void q4_0(const uint8_t* block, float* out) {
    const float d = f16_at(block);
    for (int j = 0; j < 16; j += V::kLanes) {
      const I bytes = V::load_u8(block + 2 + j);
      put(out + j, V::sub_int(V::and_int(bytes, 15), 8), d);
      put(out + 16 + j, V::sub_int(V::shift_right(bytes, 4), 8), d);
    }
  }

  static void q4_k(const uint8_t* block, float* out) {
    const float d = f16_at(block);
    const float dmin = f16_at(block + 2);
    uint8_t scales[8];
    uint8_t minima[8];
    unpack_scales(block + 4, scales, minima);
    for (int g = 0; g < 8; g += 2) {
      const float scale0 = d * static_cast<float>(scales[g]);
      const float scale1 = d * static_cast<float>(scales[g + 1]);
      const float offset0 = dmin * static_cast<float>(minima[g]);
      const float offset1 = dmin * static_cast<float>(minima[g + 1]);
      for (int j = 0; j < 32; j += V::kLanes) {
        const I bytes = V::load_u8(block + 16 + 16 * g + j);
        put(out + 32 * g + j, V::and_int(bytes, 15), scale0, offset0);
        put(out + 32 * g + 32 + j, V::shift_right(bytes, 4), scale1, offset1);
      }
    }
  }

  static void q5_k(const uint8_t* block, float* out) {
    const float d = f16_at(block);
    const float dmin = f16_at(block + 2);
    uint8_t scales[8];
    uint8_t minima[8];
    unpack_scales(block + 4, scales, minima);
    for (int g = 0; g < 8; ++g) {
      const float scale = d * static_cast<float>(scales[g]);
      const float offset = dmin * static_cast<float>(minima[g]);
      for (int j = 0; j < 32; j += V::kLanes) {
        const I low = V::and_int(V::shift_right(V::load_u8(block + 48 + 32 * (g / 2) + j), 4 * (g % 2)), 15);
        const I high = V::and_int(V::shift_right(V::load_u8(block + 16 + j), g), 1);
        put(out + 32 * g + j, V::or_int(low, V::shift_left(high, 4)), scale, offset);
      }
    }
  }

  static void q6_k(const uint8_t* block, float* out) {
    const float d = f16_at(block + 208);
    for (int g = 0; g < 16; ++g) {
      const float scale = d * static_cast<float>(static_cast<int8_t>(block[192 + g]));
      const int k = g / 2 % 4;
      const uint8_t* low = block + 64 * (g / 8) + 32 * (k % 2) + 16 * (g % 2);
      const uint8_t* high = block + 128 + 32 * (g / 8) + 16 * (g % 2);
      for (int j = 0; j < 16; j += V::kLanes) {
        const I low_bits = V::and_int(V::shift_right(V::load_u8(low + j), 4 * (k / 2)), 15);
        const I high_bits = V::and_int(V::shift_right(V::load_u8(high + j), 2 * k), 3);
        put(out + 16 * g + j, V::sub_int(V::or_int(low_bits, V::shift_left(high_bits, 4)), 32), scale);
      }
    }
  }

  static void q3_k(const uint8_t* block, float* out) {
    const float d = f16_at(block + 108);
    const uint8_t* packed = block + 96;
    for (int g = 0; g < 16; ++g) {
      const int s = ((packed[g % 8] >> (4 * (g / 8))) & 15) | (((packed[8 + g % 4] >> (2 * (g / 4))) & 3) << 4);
      const float scale = d * static_cast<float>(s - 32);
      const uint8_t* low = block + 32 + 32 * (g / 8) + 16 * (g % 2);
      const uint8_t* high = block + 16 * (g % 2);
      for (int j = 0; j < 16; j += V::kLanes) {
        const I low_bits = V::and_int(V::shift_right(V::load_u8(low + j), 2 * (g / 2 % 4)), 3);
        const I high_bit = V::and_int(V::shift_right(V::load_u8(high + j), g / 2), 1);
        put(out + 16 * g + j, V::sub_int(V::or_int(low_bits, V::shift_left(high_bit, 2)), 4), scale);
      }
    }
  }

  static void q2_k(const uint8_t* block, float* out) {
    const float d = f16_at(block + 80);
    const float dmin = f16_at(block + 82);
    for (int g = 0; g < 16; ++g) {
      const float scale = d * static_cast<float>(block[g] & 15);
      const float offset = dmin * static_cast<float>(block[g] >> 4);
      const uint8_t* bytes = block + 16 + 32 * (g / 8) + 16 * (g % 2);
      for (int j = 0; j < 16; j += V::kLanes) {
        put(out + 16 * g + j, V::and_int(V::shift_right(V::load_u8(bytes + j), 2 * (g / 2 % 4)), 3), scale, offset);
      }
    }
  }

  template <void (*block)(const uint8_t*, float*), int64_t values, int64_t bytes>
  static void row(const std::byte* in, float* out, int64_t n) {
    const auto* p = reinterpret_cast<const uint8_t*>(in);
    for (int64_t i = 0; i + values <= n; i += values, p += bytes) block(p, out + i);
  }

  template <typename V::F (*load)(const void*), typename V::F (*load_n)(const void*, int64_t)>
  static void halves(const std::byte* in, float* out, int64_t n) {
    int64_t i = 0;
    for (; i + V::kLanes <= n; i += V::kLanes) V::store(out + i, load(in + 2 * i));
    if (i < n) V::store_n(out + i, load_n(in + 2 * i, n - i), n - i);
  }

  static DecodeRow find(DType dtype) {
    switch (dtype) {
      case DType::f16:
        return halves<V::load_f16, V::load_f16_n>;
      case DType::bf16:
        return halves<V::load_bf16, V::load_bf16_n>;
      case DType::q8_0:
        return row<q8_0, 32, 34>;
      case DType::q4_0:
        return row<q4_0, 32, 18>;
      case DType::q4_k:
        return row<q4_k, 256, 144>;
      case DType::q5_k:
        return row<q5_k, 256, 176>;
      case DType::q6_k:
        return row<q6_k, 256, 210>;
      case DType::q3_k:
        return row<q3_k, 256, 110>;
      case DType::q2_k:
        return row<q2_k, 256, 84>;
      default:
        return nullptr;
    }
  }
};

}  // namespace
}  // namespace smelt
