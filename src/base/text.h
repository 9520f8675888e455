// Small text helpers: UTF-8 validation and safe display of bytes that come from files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace smelt {

// Number of bytes of the UTF-8 character at text[at], or 0 if it is ill-formed there (overlong, surrogate, cut).
size_t utf8_length(std::string_view text, size_t at);
bool is_valid_utf8(std::string_view text);
// The longest prefix of text that ends on a character boundary, treating a cut character at the end as incomplete.
size_t utf8_complete_prefix(std::string_view text);
// Appends code point c (ill-formed ones as U+FFFD).
void append_utf8(std::string& out, char32_t c);
// Decodes UTF-8; ill-formed bytes become U+FFFD one by one.
std::u32string decode_utf8(std::string_view text);

// For showing names and strings from files on a terminal: control characters and ill-formed bytes become \xNN,
// quotes and backslashes \' and \\; longer than `limit` bytes is cut with "…".
std::string escape_for_display(std::string_view text, size_t limit = 96);

// The candidate closest to `name` by edit distance, or "" if none is near.
std::string find_nearest(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace smelt
