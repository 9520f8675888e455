// GPT-2's spelling of bytes: vocabularies of byte-level BPE are text files, so each byte is written as one printable
// letter (Radford et al. 2019, bytes_to_unicode): printable Latin-1 as itself, the other 68 as U+0100 onwards.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace smelt {

// The letter of a byte, in UTF-8.
const std::string& letter_of_byte(uint8_t byte);
// "Ġthe" → " the"; nullopt if any character is no letter of the alphabet.
std::optional<std::string> bytes_of_letters(std::string_view text);
// " the" → "Ġthe".
std::string letters_of_bytes(std::string_view bytes);

}  // namespace smelt
