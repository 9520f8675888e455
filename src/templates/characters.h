// Characters of UTF-8 text with Python's meaning of white space, case and printable. Wraps utf8proc.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace smelt::jinja {

// The character at text[at] and how many bytes it has; ill-formed bytes count as themselves. at < text.size().
struct Character {
  char32_t code;
  size_t size;
};
Character character_at(std::string_view text, size_t at);
// The character that ends before `end`; end > 0.
Character character_before(std::string_view text, size_t end);
size_t count_characters(std::string_view text);
// Where character number `index` begins; text.size() behind the last.
size_t find_character(std::string_view text, size_t index);

bool is_space(char32_t c);
bool is_line_end(char32_t c);  // as str.splitlines sees it
bool is_printable(char32_t c);
bool is_letter(char32_t c);
bool is_digit(char32_t c);
bool is_upper(char32_t c);
bool is_lower(char32_t c);
std::string to_upper(char32_t c);
std::string to_lower(char32_t c);
std::string to_title(char32_t c);

// What strip, lstrip and rstrip leave, as a range of bytes. `set` empty: white space.
struct Range {
  size_t begin, end;
};
Range strip(std::string_view text, std::u32string_view set, bool left, bool right);

}  // namespace smelt::jinja
