#include "tokenizers/byte_alphabet.h"

#include <array>

#include "base/text.h"

namespace smelt {
namespace {

constexpr char32_t kFirstExtra = 256;
constexpr size_t kLetters = 256 + 68;

bool is_its_own_letter(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct Alphabet {
  std::array<std::string, 256> letters;
  std::array<int, kLetters> bytes;  // by code point; -1 for none

  Alphabet() {
    bytes.fill(-1);
    char32_t extra = kFirstExtra;
    for (int byte = 0; byte < 256; ++byte) {
      const char32_t letter = is_its_own_letter(byte) ? static_cast<char32_t>(byte) : extra++;
      append_utf8(letters[static_cast<size_t>(byte)], letter);
      bytes[letter] = byte;
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

const std::string& letter_of_byte(uint8_t byte) { return alphabet().letters[byte]; }

std::optional<std::string> bytes_of_letters(std::string_view text) {
  std::string out;
  for (const char32_t c : decode_utf8(text)) {
    const int byte = c < kLetters ? alphabet().bytes[c] : -1;
    if (byte < 0) return std::nullopt;
    out += static_cast<char>(byte);
  }
  return out;
}

std::string letters_of_bytes(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += letter_of_byte(static_cast<uint8_t>(c));
  return out;
}

}  // namespace smelt
