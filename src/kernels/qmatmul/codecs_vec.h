// How each block format's rows16 planes (tensor/rows16.h) become bytes for a dot product, as templates over a
// vocabulary V (lanes_*.h). A codec is placed on 16 rows and a block; unpack<s> gives block s of 32 inputs as 8
// registers of four inputs each, scale<i> and minimum<i> the factors of block or half block i. Without minima a weight
// is (code - offset) * scale, the offset being Codec::kOffset where the instruction set's dot product wants unsigned
// codes (V::kBias is 128) and 0 where it wants signed ones (0); with minima it is code * scale + minimum. The byte
// pictures of the stock blocks are in tensor/blocks/*.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "tensor/dtype.h"

namespace smelt {
namespace {

// The compiler's own judgement would make calls of the unrolled parts, with all registers through memory.
#define SMELT_INLINE __attribute__((always_inline))

// Calls f.template operator()<i>() for i = 0 … n - 1, unrolled.
template <class F, int... i>
SMELT_INLINE inline void unrolled_list(const F& f, std::integer_sequence<int, i...>) {
  (f.template operator()<i>(), ...);
}
template <int n, class F>
SMELT_INLINE inline void unrolled(const F& f) {
  unrolled_list(f, std::make_integer_sequence<int, n>{});
}

inline const uint8_t* bytes_of(const std::byte* p) { return reinterpret_cast<const uint8_t*>(p); }

struct Table16 {
  uint8_t codes[16];
};
constexpr Table16 non_linear(int bias) {
  constexpr int kValues[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
  Table16 table{};
  for (int i = 0; i < 16; ++i) table.codes[i] = static_cast<uint8_t>(kValues[i] + bias);
  return table;
}
template <int bias>
constexpr Table16 kNonLinear = non_linear(bias);

// Codes with `offset` added, as the instruction set wants them: signed ones have it taken away again.
template <class V, int offset>
SMELT_INLINE inline typename V::Bytes with_offset(typename V::Bytes codes) {
  return V::kBias != 0 ? codes : V::add_bytes(codes, -offset);
}

// (a >> shift_a) & mask_a | (b >> shift_b) & mask_b, where mask_b holds the bits above mask_a; a negative shift goes
// left.
template <class V, int shift_a, int shift_b>
SMELT_INLINE inline typename V::Bytes merge_bits(typename V::Bytes a, int mask_a, typename V::Bytes b, int mask_b) {
  if constexpr (requires { V::select(a, b, 0); }) {
    return V::template bits<0>(V::select(V::template shift<shift_a>(a), V::template shift<shift_b>(b), mask_a),
                               mask_a | mask_b);
  } else if constexpr (shift_b < 0) {
    return V::template or_shifted<-shift_b>(V::template bits<shift_a>(a, mask_a),
                                            V::template bits<0>(b, mask_b >> -shift_b));
  } else {
    return V::template or_shifted<0>(V::template bits<shift_a>(a, mask_a), V::template bits<shift_b>(b, mask_b));
  }
}

// kSubs: blocks of 32 in a block. kBytes: of a block of 16 rows. kHalves: scales for 16 inputs. kMaxCode: with minima,
// the greatest code; without, the greatest |code - offset|. kOffset: what unsigned codes have added.
template <class V>
struct CodecQ8_0 {
  static constexpr int kSubs = 1, kBytes = 544, kMaxCode = 128, kOffset = 128;
  static constexpr bool kHalves = false, kMinima = false;
  const uint8_t *codes, *d;
  CodecQ8_0(const std::byte* group, int64_t blocks) : codes(bytes_of(group)), d(codes + blocks * 512) {}
  void step() { codes += 512, d += 32; }
  template <int>
  SMELT_INLINE void unpack(typename V::Bytes* c) const {
    for (int j = 0; j < 8; ++j) c[j] = with_offset<V, kOffset>(V::add_bytes(V::load(codes + 64 * j), kOffset));
  }
  template <int>
  SMELT_INLINE typename V::Floats scale() const {
    return V::load_f16(d);
  }
};

template <class V>
struct CodecQ4_0 {
  static constexpr int kSubs = 1, kBytes = 288, kMaxCode = 8, kOffset = 8;
  static constexpr bool kHalves = false, kMinima = false;
  const uint8_t *codes, *d;
  CodecQ4_0(const std::byte* group, int64_t blocks) : codes(bytes_of(group)), d(codes + blocks * 256) {}
  void step() { codes += 256, d += 32; }
  template <int>
  SMELT_INLINE void unpack(typename V::Bytes* c) const {
    for (int j = 0; j < 4; ++j) {
      const typename V::Bytes both = V::load(codes + 64 * j);
      c[j] = with_offset<V, kOffset>(V::template bits<0>(both, 15));
      c[j + 4] = with_offset<V, kOffset>(V::template bits<4>(both, 15));
    }
  }
  template <int>
  SMELT_INLINE typename V::Floats scale() const {
    return V::load_f16(d);
  }
};

template <class V>
struct CodecIq4Nl : CodecQ4_0<V> {
  static constexpr int kMaxCode = 127, kOffset = 128;
  using CodecQ4_0<V>::CodecQ4_0;
  template <int>
  SMELT_INLINE void unpack(typename V::Bytes* c) const {
    for (int j = 0; j < 4; ++j) {
      const typename V::Bytes both = V::load(this->codes + 64 * j);
      c[j] = V::lookup(kNonLinear<V::kBias>.codes, V::template bits<0>(both, 15));
      c[j + 4] = V::lookup(kNonLinear<V::kBias>.codes, V::template bits<4>(both, 15));
    }
  }
};

template <class V>
struct CodecQ4_1 {
  static constexpr int kSubs = 1, kBytes = 320, kMaxCode = 15, kOffset = 0;
  static constexpr bool kHalves = false, kMinima = true;
  const uint8_t *codes, *d;
  CodecQ4_1(const std::byte* group, int64_t blocks) : codes(bytes_of(group)), d(codes + blocks * 256) {}
  void step() { codes += 256, d += 64; }
  template <int>
  SMELT_INLINE void unpack(typename V::Bytes* c) const {
    for (int j = 0; j < 4; ++j) {
      const typename V::Bytes both = V::load(codes + 64 * j);
      c[j] = V::template bits<0>(both, 15);
      c[j + 4] = V::template bits<4>(both, 15);
    }
  }
  template <int>
  SMELT_INLINE typename V::Floats scale() const {
    return V::load_f16(d);
  }
  template <int>
  SMELT_INLINE typename V::Floats minimum() const {
    return V::load_f16(d + 32);
  }
};

// Codes of five bits, the fifth of all 32 inputs in one word a row.
template <class V>
SMELT_INLINE inline void unpack_five_bits(const uint8_t* codes, const uint8_t* fifth, typename V::Bytes* c) {
  const typename V::Ints words = V::load_ints(fifth);
  unrolled<4>([&]<int j>() {
    const typename V::Bytes both = V::load(codes + 64 * j);
    c[j] = V::template or_shifted<4>(V::template bits<0>(both, 15), V::template spread_bits<4 * j>(words));
    c[j + 4] = V::template or_shifted<4>(V::template bits<4>(both, 15), V::template spread_bits<16 + 4 * j>(words));
  });
}

template <class V>
struct CodecQ5_0 {
  static constexpr int kSubs = 1, kBytes = 352, kMaxCode = 16, kOffset = 16;
  static constexpr bool kHalves = false, kMinima = false;
  const uint8_t *codes, *fifth, *d;
  CodecQ5_0(const std::byte* group, int64_t blocks)
      : codes(bytes_of(group)), fifth(codes + blocks * 256), d(fifth + blocks * 64) {}
  void step() { codes += 256, fifth += 64, d += 32; }
  template <int>
  SMELT_INLINE void unpack(typename V::Bytes* c) const {
    unpack_five_bits<V>(codes, fifth, c);
    for (int j = 0; j < 8; ++j) c[j] = with_offset<V, kOffset>(c[j]);
  }
  template <int>
  SMELT_INLINE typename V::Floats scale() const {
    return V::load_f16(d);
  }
};

template <class V>
struct CodecQ5_1 {
  static constexpr int kSubs = 1, kBytes = 384, kMaxCode = 31, kOffset = 0;
  static constexpr bool kHalves = false, kMinima = true;
  const uint8_t *codes, *fifth, *d;
  CodecQ5_1(const std::byte* group, int64_t blocks)
      : codes(bytes_of(group)), fifth(codes + blocks * 256), d(fifth + blocks * 64) {}
  void step() { codes += 256, fifth += 64, d += 64; }
  template <int>
  SMELT_INLINE void unpack(typename V::Bytes* c) const {
    unpack_five_bits<V>(codes, fifth, c);
  }
  template <int>
  SMELT_INLINE typename V::Floats scale() const {
    return V::load_f16(d);
  }
  template <int>
  SMELT_INLINE typename V::Floats minimum() const {
    return V::load_f16(d + 32);
  }
};

// The 8 six-bit scales and minima of Q4_K and Q5_K: planes of 12 bytes a row, then f16 d and dmin.
template <class V>
struct SixBitScales {
  const uint8_t *packed, *d;
  SixBitScales(const uint8_t* planes, int64_t blocks) : packed(planes), d(planes + blocks * 192) {}
  void step() { packed += 192, d += 64; }
  template <int s>
  SMELT_INLINE typename V::Floats scale() const {
    typename V::Ints six = V::template int_bits<0>(V::load_u8(packed + 16 * (s < 4 ? s : s + 4)), s < 4 ? 63 : 15);
    if constexpr (s >= 4) {
      six = V::template or_int_shifted<4>(six, V::template int_bits<6>(V::load_u8(packed + 16 * (s - 4)), 3));
    }
    return V::mul(V::load_f16(d), V::to_float(six));
  }
  template <int s>
  SMELT_INLINE typename V::Floats minimum() const {
    typename V::Ints six = V::load_u8(packed + 16 * (s + 4));
    if constexpr (s < 4) {
      six = V::template int_bits<0>(six, 63);
    } else {
      six = V::template int_bits<4>(six, 15);
      six = V::template or_int_shifted<4>(six, V::template int_bits<6>(V::load_u8(packed + 16 * s), 3));
    }
    return V::mul(V::mul(V::set1(-1.0F), V::load_f16(d + 32)), V::to_float(six));
  }
};

template <class V>
struct CodecQ4K : SixBitScales<V> {
  static constexpr int kSubs = 8, kBytes = 2304, kMaxCode = 15, kOffset = 0;
  static constexpr bool kHalves = false, kMinima = true;
  const uint8_t* codes;
  CodecQ4K(const std::byte* group, int64_t blocks)
      : SixBitScales<V>(bytes_of(group) + blocks * 2048, blocks), codes(bytes_of(group)) {}
  void step() { codes += 2048, SixBitScales<V>::step(); }
  template <int s>
  SMELT_INLINE void unpack(typename V::Bytes* c) const {
    for (int j = 0; j < 8; ++j) c[j] = V::template bits<4 * (s % 2)>(V::load(codes + 512 * (s / 2) + 64 * j), 15);
  }
};

template <class V>
struct CodecQ5K : SixBitScales<V> {
  static constexpr int kSubs = 8, kBytes = 2816, kMaxCode = 31, kOffset = 0;
  static constexpr bool kHalves = false, kMinima = true;
  const uint8_t *codes, *fifth;
  CodecQ5K(const std::byte* group, int64_t blocks)
      : SixBitScales<V>(bytes_of(group) + blocks * (2048 + 512), blocks),
        codes(bytes_of(group)),
        fifth(codes + blocks * 2048) {}
  void step() { codes += 2048, fifth += 512, SixBitScales<V>::step(); }
  template <int s>
  SMELT_INLINE void unpack(typename V::Bytes* c) const {
    for (int j = 0; j < 8; ++j) {
      const typename V::Bytes four = V::load(codes + 512 * (s / 2) + 64 * j);
      c[j] = merge_bits<V, 4 * (s % 2), s - 4>(four, 15, V::load(fifth + 64 * j), 16);
    }
  }
};

template <class V>
struct CodecQ6K {
  static constexpr int kSubs = 8, kBytes = 3360, kMaxCode = 32, kOffset = 32;
  static constexpr bool kHalves = true, kMinima = false;
  const uint8_t *low, *high, *scales, *d;
  CodecQ6K(const std::byte* group, int64_t blocks)
      : low(bytes_of(group)), high(low + blocks * 2048), scales(high + blocks * 1024), d(scales + blocks * 256) {}
  void step() { low += 2048, high += 1024, scales += 256, d += 32; }
  template <int s>
  SMELT_INLINE void unpack(typename V::Bytes* c) const {
    constexpr int kQuarter = s % 4;
    for (int j = 0; j < 8; ++j) {
      const typename V::Bytes four = V::load(low + 1024 * (s / 4) + 512 * (kQuarter % 2) + 64 * j);
      const typename V::Bytes two = V::load(high + 512 * (s / 4) + 64 * j);
      c[j] = with_offset<V, kOffset>(merge_bits<V, 4 * (kQuarter / 2), 2 * kQuarter - 4>(four, 15, two, 48));
    }
  }
  template <int i>
  SMELT_INLINE typename V::Floats scale() const {
    return V::mul(V::load_f16(d), V::to_float(V::load_i8(scales + 16 * i)));
  }
};

template <class V>
struct CodecQ3K {
  static constexpr int kSubs = 8, kBytes = 1760, kMaxCode = 4, kOffset = 4;
  static constexpr bool kHalves = true, kMinima = false;
  const uint8_t *low, *high, *scales, *d;
  CodecQ3K(const std::byte* group, int64_t blocks)
      : low(bytes_of(group)), high(low + blocks * 1024), scales(high + blocks * 512), d(scales + blocks * 192) {}
  void step() { low += 1024, high += 512, scales += 192, d += 32; }
  template <int s>
  SMELT_INLINE void unpack(typename V::Bytes* c) const {
    for (int j = 0; j < 8; ++j) {
      const typename V::Bytes two = V::load(low + 512 * (s / 4) + 64 * j);
      const typename V::Bytes third = V::load(high + 64 * j);
      c[j] = with_offset<V, kOffset>(merge_bits<V, 2 * (s % 4), s - 2>(two, 3, third, 4));
    }
  }
  template <int i>
  SMELT_INLINE typename V::Floats scale() const {
    const typename V::Ints four = V::template int_bits<4 * (i / 8)>(V::load_u8(scales + 16 * (i % 8)), 15);
    const typename V::Ints two = V::template int_bits<2 * (i / 4)>(V::load_u8(scales + 16 * (8 + i % 4)), 3);
    const typename V::Ints six = V::add_int(V::template or_int_shifted<4>(four, two), V::set1_int(-32));
    return V::mul(V::load_f16(d), V::to_float(six));
  }
};

template <class V>
struct CodecQ2K {
  static constexpr int kSubs = 8, kBytes = 1344, kMaxCode = 3, kOffset = 0;
  static constexpr bool kHalves = true, kMinima = true;
  const uint8_t *codes, *scales, *d;
  CodecQ2K(const std::byte* group, int64_t blocks)
      : codes(bytes_of(group)), scales(codes + blocks * 1024), d(scales + blocks * 256) {}
  void step() { codes += 1024, scales += 256, d += 64; }
  template <int s>
  SMELT_INLINE void unpack(typename V::Bytes* c) const {
    for (int j = 0; j < 8; ++j) c[j] = V::template bits<2 * (s % 4)>(V::load(codes + 512 * (s / 4) + 64 * j), 3);
  }
  template <int i>
  SMELT_INLINE typename V::Floats scale() const {
    return V::mul(V::load_f16(d), V::to_float(V::template int_bits<0>(V::load_u8(scales + 16 * i), 15)));
  }
  template <int i>
  SMELT_INLINE typename V::Floats minimum() const {
    const typename V::Ints four = V::template int_bits<4>(V::load_u8(scales + 16 * i), 15);
    return V::mul(V::mul(V::set1(-1.0F), V::load_f16(d + 32)), V::to_float(four));
  }
};

template <class V>
struct CodecIq4Xs {
  static constexpr int kSubs = 8, kBytes = 2176, kMaxCode = 127, kOffset = 128;
  static constexpr bool kHalves = false, kMinima = false;
  const uint8_t *codes, *low, *high, *d;
  CodecIq4Xs(const std::byte* group, int64_t blocks)
      : codes(bytes_of(group)), low(codes + blocks * 2048), high(low + blocks * 64), d(high + blocks * 32) {}
  void step() { codes += 2048, low += 64, high += 32, d += 32; }
  template <int s>
  SMELT_INLINE void unpack(typename V::Bytes* c) const {
    for (int j = 0; j < 4; ++j) {
      const typename V::Bytes both = V::load(codes + 256 * s + 64 * j);
      c[j] = V::lookup(kNonLinear<V::kBias>.codes, V::template bits<0>(both, 15));
      c[j + 4] = V::lookup(kNonLinear<V::kBias>.codes, V::template bits<4>(both, 15));
    }
  }
  template <int s>
  SMELT_INLINE typename V::Floats scale() const {
    const typename V::Ints four = V::template int_bits<4 * (s % 2)>(V::load_u8(low + 16 * (s / 2)), 15);
    const typename V::Ints two = V::template int_bits<2 * s>(V::load_u16(high), 3);
    const typename V::Ints six = V::add_int(V::template or_int_shifted<4>(four, two), V::set1_int(-32));
    return V::mul(V::load_f16(d), V::to_float(six));
  }
};

// As panels hold them: without minima, unsigned codes have V::kBias added, whatever the codec.
template <class V, class Codec>
SMELT_INLINE inline typename V::Bytes panel_codes(typename V::Bytes codes) {
  constexpr bool kAsTheyAre = V::kBias == 0 || Codec::kOffset == 0 || Codec::kOffset == V::kBias;
  return kAsTheyAre ? codes : V::add_bytes(codes, V::kBias - Codec::kOffset);
}

// Calls f.template operator()<Codec>() for the codec of this dtype.
template <class V, class F>
void with_codec(DType dtype, const F& f) {
  switch (dtype) {
    case DType::q8_0:
      return f.template operator()<CodecQ8_0<V>>();
    case DType::q4_0:
      return f.template operator()<CodecQ4_0<V>>();
    case DType::q4_1:
      return f.template operator()<CodecQ4_1<V>>();
    case DType::q5_0:
      return f.template operator()<CodecQ5_0<V>>();
    case DType::q5_1:
      return f.template operator()<CodecQ5_1<V>>();
    case DType::q2_k:
      return f.template operator()<CodecQ2K<V>>();
    case DType::q3_k:
      return f.template operator()<CodecQ3K<V>>();
    case DType::q4_k:
      return f.template operator()<CodecQ4K<V>>();
    case DType::q5_k:
      return f.template operator()<CodecQ5K<V>>();
    case DType::q6_k:
      return f.template operator()<CodecQ6K<V>>();
    case DType::iq4_nl:
      return f.template operator()<CodecIq4Nl<V>>();
    case DType::iq4_xs:
      return f.template operator()<CodecIq4Xs<V>>();
    default:
      return;
  }
}

}  // namespace
}  // namespace smelt
