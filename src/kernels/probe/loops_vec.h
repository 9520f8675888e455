// The loops of the probe over one instruction set's registers. U has Register, kSums (enough independent sums to hide
// the latency, few enough to stay in registers), kProducts (of one step), zero, ones, hide (the compiler may not assume
// what a register holds), step and total. Included by the files per instruction set, inside which U is local.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/probe/kernel.h"

namespace smelt {

// The indices are constants, not loop counters: only then does the compiler keep every sum in a register of its own.
template <class U, size_t... K>
double run_probe_sums(int64_t rounds, std::index_sequence<K...>) {
  typename U::Register sums[] = {(static_cast<void>(K), U::zero())...};
  typename U::Register a = U::ones();
  const typename U::Register b = U::ones();
  const auto step = [&](typename U::Register& sum) {
    U::hide(a);
    sum = U::step(sum, a, b);
    U::hide(sum);  // or g++ 12 copies each sum to another register and back
  };
  for (int64_t r = 0; r < rounds; ++r) (step(sums[K]), ...);
  return (U::total(sums[K]) + ...);
}

template <class U>
double run_probe(int64_t rounds) {
  return run_probe_sums<U>(rounds, std::make_index_sequence<U::kSums>());
}

template <class U>
constexpr ProbeLoop probe_loop() {
  return {run_probe<U>, 2 * int64_t{U::kSums} * U::kProducts};
}

// R has Register, kWords (8-byte words of a register), zero, load, exclusive_or and fold.
template <class R, size_t... K>
uint64_t read_probe_sums(const std::byte* begin, uint64_t bytes, std::index_sequence<K...>) {
  constexpr uint64_t kRegister = 8 * R::kWords, kStep = kRegister * sizeof...(K);
  static_assert(kProbeReadStep % kStep == 0);
  typename R::Register sums[] = {(static_cast<void>(K), R::zero())...};
  for (uint64_t at = 0; at < bytes; at += kStep)
    ((sums[K] = R::exclusive_or(sums[K], R::load(begin + at + K * kRegister))), ...);
  return (R::fold(sums[K]) ^ ...);
}

template <class R>
uint64_t read_probe(const std::byte* begin, uint64_t bytes) {
  return read_probe_sums<R>(begin, bytes, std::make_index_sequence<8>());
}

}  // namespace smelt
