// Small numbers in a row of 32-bit words, lowest bits first, crossing the words' borders where they do not fit: how
// GPTQ, AWQ and compressed-tensors pack. Words lie `stride` words apart in a tensor. Internal to formats/.
#pragma once

#include <cstddef>
#include <cstdint>

#include "formats/byte_reader.h"

namespace smelt::packed {

// Words that hold n numbers of so many bits.
inline int64_t words_for(int64_t n, int64_t bits) { return (n * bits + 31) / 32; }

inline uint32_t load_word(const std::byte* words, int64_t i) { return load_little_endian<uint32_t>(words + i * 4); }

struct PackedBits {
  const std::byte* words;
  int64_t stride;  // in words
  int bits;        // 1 … 8

  uint32_t operator[](int64_t i) const {
    const int64_t at = i * bits;
    const int64_t word = at / 32;
    const int shift = static_cast<int>(at % 32);
    uint64_t window = load_word(words, word * stride);
    if (shift + bits > 32) window |= static_cast<uint64_t>(load_word(words, (word + 1) * stride)) << 32;
    return static_cast<uint32_t>(window >> shift) & ((1U << bits) - 1);
  }
};

}  // namespace smelt::packed
