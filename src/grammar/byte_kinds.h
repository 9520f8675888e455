// Bytes in coarse kinds, so that a subtree of tokens can be judged at once: those that texts and formats tend to treat
// alike. token_trie.h says which kinds stand below a node, byte_runs.h which ones a state takes.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace smelt {

inline constexpr int kByteKinds = 24;

constexpr std::array<uint8_t, 256> make_byte_kinds() {
  std::array<uint8_t, 256> kinds = {};  // 0: controls
  for (unsigned byte = 0x20; byte < 256; ++byte)
    kinds[byte] = byte == 0x7f ? 1 : byte < 0x80 ? 2 : byte < 0xc0 ? 3 : 4;  // 2: punctuation not named below
  for (unsigned byte = '0'; byte <= '9'; ++byte) kinds[byte] = 5;
  for (unsigned byte = 'a'; byte <= 'z'; ++byte) kinds[byte] = byte <= 'f' ? 6 : 7;
  for (unsigned byte = 'A'; byte <= 'Z'; ++byte) kinds[byte] = byte <= 'F' ? 8 : 9;
  uint8_t next = 10;
  for (const char c : std::string_view(" \"\\/_-.,:@+'")) kinds[static_cast<uint8_t>(c)] = next++;
  for (const char c : std::string_view("()[]{}<>")) kinds[static_cast<uint8_t>(c)] = next;
  return kinds;
}

inline constexpr std::array<uint8_t, 256> kByteKind = make_byte_kinds();

}  // namespace smelt
