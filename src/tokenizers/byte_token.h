// Byte tokens of SentencePiece vocabularies: "<0x0A>" stands for the byte 10.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace smelt {

// The byte that a token of this text stands for, or nothing if it is not of the form "<0x0A>" (either case of digits).
inline std::optional<uint8_t> byte_of_token(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return std::nullopt;
  unsigned byte = 0;
  for (const char c : text.substr(3, 2)) {
    const unsigned digit = c >= '0' && c <= '9'   ? static_cast<unsigned>(c - '0')
                           : c >= 'A' && c <= 'F' ? static_cast<unsigned>(c - 'A' + 10)
                           : c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a' + 10)
                                                  : 16U;
    if (digit == 16) return std::nullopt;
    byte = byte * 16 + digit;
  }
  return static_cast<uint8_t>(byte);
}

}  // namespace smelt
