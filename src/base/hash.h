// A 64-bit hash of bytes, to tell files apart and to find damage; not for secrets. Every step is a bijection of the
// state, so that two inputs of one length that differ in a single 8-byte word never have the same hash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace smelt {

// Takes the bytes in pieces: the hash is that of their concatenation only if all pieces but the last are multiples of 8
// bytes long.
class Hasher {
 public:
  void add(std::span<const std::byte> bytes) {
    size_t i = 0;
    for (; i + 8 <= bytes.size(); i += 8) {
      uint64_t word = 0;
      std::memcpy(&word, bytes.data() + i, 8);
      mix(word);
    }
    if (i == bytes.size()) return;
    uint64_t last = 0;
    std::memcpy(&last, bytes.data() + i, bytes.size() - i);
    mix(last);
    mix(bytes.size() - i);
  }
  void add(std::string_view text) { add({reinterpret_cast<const std::byte*>(text.data()), text.size()}); }
  void add(uint64_t value) { mix(value); }

  uint64_t value() const {  // the finaliser of MurmurHash3
    uint64_t h = state_;
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdULL;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53ULL;
    return h ^ (h >> 33);
  }

 private:
  void mix(uint64_t word) {
    state_ = (state_ ^ word) * 0x9e3779b97f4a7c15ULL;
    state_ ^= state_ >> 29;
  }
  uint64_t state_ = 0x243f6a8885a308d3ULL;  // the digits of pi
};

inline uint64_t hash_bytes(std::span<const std::byte> bytes) {
  Hasher hasher;
  hasher.add(bytes);
  return hasher.value();
}
inline uint64_t hash_bytes(std::string_view text) {
  return hash_bytes({reinterpret_cast<const std::byte*>(text.data()), text.size()});
}

}  // namespace smelt
