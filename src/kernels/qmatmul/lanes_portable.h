// The vocabulary of the qmatmul templates in plain C++: the reference. Loops over arrays, which say what each word
// means.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "tensor/half.h"

namespace smelt {
namespace {

struct LanesPortable {
  using Bytes = std::array<uint8_t, 64>;
  using Ints = std::array<int32_t, 16>;
  using Floats = std::array<float, 16>;
  static constexpr int kBias = 128;
  static constexpr int kTileGroups = 4, kTileTokens = 2;  // a tile of the prefill kernel
  static constexpr bool kManyRegisters = false;           // for the codes of a block beside the sums of 8 tokens

  template <class A, class F>
  static A make(const F& f) {
    A out;
    for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<typename A::value_type>(f(i));
    return out;
  }
  template <class A>
  static A load_as(const void* p) {
    A out;
    std::memcpy(out.data(), p, sizeof(out));
    return out;
  }
  template <class T>
  static T element(const void* p, size_t i) {
    T out;
    std::memcpy(&out, static_cast<const char*>(p) + i * sizeof(T), sizeof(T));
    return out;
  }

  static void prefetch(const void*) {}
  static void prefetch_second(const void*) {}
  static void prefetch_once(const void*) {}

  static Bytes load(const void* p) { return load_as<Bytes>(p); }
  static void store(void* p, const Bytes& a) { std::memcpy(p, a.data(), sizeof(a)); }
  static const Bytes& in_register(const Bytes& a) { return a; }
  static Bytes broadcast4(const void* p) {
    return make<Bytes>([&](size_t i) { return element<uint8_t>(p, i % 4); });
  }
  template <int n>
  static Bytes bits(const Bytes& a, int mask) {
    return make<Bytes>([&](size_t i) { return (a[i] >> n) & mask; });
  }
  template <int n>
  static Bytes or_shifted(const Bytes& a, const Bytes& small) {
    return make<Bytes>([&](size_t i) { return a[i] | (small[i] << n); });
  }
  static Bytes add_bytes(const Bytes& a, int v) {
    return make<Bytes>([&](size_t i) { return a[i] + v; });
  }
  static Bytes lookup(const uint8_t* table16, const Bytes& index) {
    return make<Bytes>([&](size_t i) { return table16[index[i]]; });
  }
  template <int n>
  static Bytes spread_bits(const Ints& words) {
    return make<Bytes>(
        [&](size_t i) { return (static_cast<uint32_t>(words[i / 4]) >> (n + static_cast<int>(i % 4))) & 1; });
  }
  static Ints dot(Ints sum, const Bytes& codes, const Bytes& x) {
    for (size_t i = 0; i < codes.size(); ++i) sum[i / 4] += codes[i] * static_cast<int8_t>(x[i]);
    return sum;
  }

  static Ints load_ints(const void* p) { return load_as<Ints>(p); }
  static void store_ints(void* p, const Ints& a) { std::memcpy(p, a.data(), sizeof(a)); }
  static Ints load_u8(const void* p) {
    return make<Ints>([&](size_t i) { return element<uint8_t>(p, i); });
  }
  static Ints load_i8(const void* p) {
    return make<Ints>([&](size_t i) { return element<int8_t>(p, i); });
  }
  static Ints load_u16(const void* p) {
    return make<Ints>([&](size_t i) { return element<uint16_t>(p, i); });
  }
  static Ints set1_int(int32_t v) {
    return make<Ints>([&](size_t) { return v; });
  }
  static Ints broadcast_int(const void* p) { return set1_int(element<int32_t>(p, 0)); }
  template <int n>
  static Ints int_bits(const Ints& a, int mask) {
    return make<Ints>([&](size_t i) { return static_cast<int32_t>(static_cast<uint32_t>(a[i]) >> n) & mask; });
  }
  template <int n>
  static Ints or_int_shifted(const Ints& a, const Ints& small) {
    return make<Ints>([&](size_t i) { return a[i] | (small[i] << n); });
  }
  template <int n>
  static Ints byte(const Bytes& a) {
    return make<Ints>([&](size_t i) { return a[4 * i + n]; });
  }
  static Ints add_int(const Ints& a, const Ints& b) {
    return make<Ints>(
        [&](size_t i) { return static_cast<int32_t>(static_cast<uint32_t>(a[i]) + static_cast<uint32_t>(b[i])); });
  }
  static Bytes join_bytes(const Ints& b0, const Ints& b1, const Ints& b2, const Ints& b3) {
    const Ints* all[4] = {&b0, &b1, &b2, &b3};
    return make<Bytes>([&](size_t i) { return (*all[i % 4])[i / 4]; });
  }

  static Floats load_floats(const void* p) { return load_as<Floats>(p); }
  static void store_floats(void* p, const Floats& a) { std::memcpy(p, a.data(), sizeof(a)); }
  static Floats load_f16(const void* p) {
    return make<Floats>([&](size_t i) { return f16_to_f32(element<uint16_t>(p, i)); });
  }
  static Floats set1(float v) {
    return make<Floats>([&](size_t) { return v; });
  }
  static Floats zero() { return set1(0); }
  static Floats to_float(const Ints& a) {
    return make<Floats>([&](size_t i) { return a[i]; });
  }
  static Ints round_to_int(const Floats& a) {
    return make<Ints>([&](size_t i) { return round_one(a[i]); });
  }
  static Floats mul(const Floats& a, const Floats& b) {
    return make<Floats>([&](size_t i) { return a[i] * b[i]; });
  }
  static Floats div(const Floats& a, const Floats& b) {
    return make<Floats>([&](size_t i) { return a[i] / b[i]; });
  }
  // Rounds twice: fused arithmetic would be a call of the C library for each value.
  static Floats fma(const Floats& a, const Floats& b, const Floats& c) {
    return make<Floats>([&](size_t i) { return a[i] * b[i] + c[i]; });
  }
  static Floats max(const Floats& a, const Floats& b) {
    return make<Floats>([&](size_t i) { return a[i] > b[i] ? a[i] : b[i]; });
  }
  static Floats abs(const Floats& a) {
    return make<Floats>([&](size_t i) { return std::fabs(a[i]); });
  }
  static Floats at_least(const Floats& a, float least) {
    return make<Floats>([&](size_t i) { return std::fabs(a[i]) < least ? least : a[i]; });
  }
  static bool all_zero(const Floats& a) {
    for (const float each : a) {
      if (each != 0) return false;  // not-a-number is not zero
    }
    return true;
  }
  static Ints float_bits(const Floats& a) {
    return make<Ints>([&](size_t i) { return std::bit_cast<int32_t>(a[i]); });
  }
  static Floats from_bits(const Ints& a) {
    return make<Floats>([&](size_t i) { return std::bit_cast<float>(a[i]); });
  }

  static float max_abs32(const float* x, float& poison) {
    float greatest = 0;
    for (int i = 0; i < 32; ++i) {
      if (!std::isfinite(x[i])) poison = std::numeric_limits<float>::quiet_NaN();
      greatest = std::fabs(x[i]) > greatest ? std::fabs(x[i]) : greatest;
    }
    return greatest;
  }
  static int32_t quantize16(const float* x, float inverse, int8_t* q) {
    int32_t sum = 0;
    for (int i = 0; i < 16; ++i) {
      const int32_t v = round_one(x[i] * inverse);
      q[i] = static_cast<int8_t>(v < -128 ? -128 : v > 127 ? 127 : v);
      sum += q[i];
    }
    return sum;
  }

 private:
  // To nearest even; not-a-number and what is out of range become the least int, as the vector instructions have it.
  static int32_t round_one(float v) {
    if (!(std::fabs(v) < 0x1p31F)) return std::numeric_limits<int32_t>::min();
    return static_cast<int32_t>(std::nearbyint(v));
  }
};

}  // namespace
}  // namespace smelt
