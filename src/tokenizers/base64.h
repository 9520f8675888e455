// Base64 (RFC 4648), in which tokenizer.json keeps binary tables.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace smelt {

// With padding; nothing if a character is not of the alphabet or the length is wrong.
std::optional<std::string> decode_base64(std::string_view text);
std::string encode_base64(std::string_view bytes);

}  // namespace smelt
