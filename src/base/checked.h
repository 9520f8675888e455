// Checked arithmetic: sizes that come from a file are combined only by these. Each returns nothing on overflow.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>

namespace smelt {

template <std::integral T>
[[nodiscard]] constexpr std::optional<T> checked_add(T a, T b) {
  T out{};
  if (__builtin_add_overflow(a, b, &out)) return std::nullopt;
  return out;
}

template <std::integral T>
[[nodiscard]] constexpr std::optional<T> checked_mul(T a, T b) {
  T out{};
  if (__builtin_mul_overflow(a, b, &out)) return std::nullopt;
  return out;
}

// Rounds n up to a multiple of `unit` (unit > 0).
[[nodiscard]] constexpr std::optional<uint64_t> checked_round_up(uint64_t n, uint64_t unit) {
  const uint64_t rest = n % unit;
  return rest == 0 ? std::optional<uint64_t>(n) : checked_add(n, unit - rest);
}

// True if [offset, offset + size) lies inside [0, limit), without computing the sum.
[[nodiscard]] constexpr bool range_fits(uint64_t offset, uint64_t size, uint64_t limit) {
  return offset <= limit && size <= limit - offset;
}

}  // namespace smelt
