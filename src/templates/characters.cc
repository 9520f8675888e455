#include "templates/characters.h"

#include <utf8proc.h>

#include "base/text.h"

namespace smelt::jinja {
namespace {

std::string encode(utf8proc_int32_t c) {
  std::string out;
  append_utf8(out, static_cast<char32_t>(c));
  return out;
}

utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

constexpr char32_t kSharpS = 0xDF;

}  // namespace

Character character_at(std::string_view text, size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  if (first < 0x80) return {first, 1};
  const size_t size = utf8_length(text, at);
  if (size < 2) return {first, 1};
  char32_t code = first & (0xFFU >> (size + 1));
  for (size_t i = 1; i < size; ++i) code = (code << 6) | (static_cast<unsigned char>(text[at + i]) & 0x3FU);
  return {code, size};
}

Character character_before(std::string_view text, size_t end) {
  size_t begin = end - 1;
  while (begin > 0 && end - begin < 4 && (static_cast<unsigned char>(text[begin]) & 0xC0U) == 0x80U) --begin;
  const Character found = character_at(text, begin);
  if (begin + found.size == end) return found;
  return {static_cast<unsigned char>(text[end - 1]), 1};
}

size_t count_characters(std::string_view text) {
  size_t n = 0;
  for (const char c : text) n += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1 : 0;
  return n;
}

size_t find_character(std::string_view text, size_t index) {
  size_t at = 0;
  for (; index > 0 && at < text.size(); --index) at += character_at(text, at).size;
  return at;
}

bool is_space(char32_t c) {
  if (c <= ' ') return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x1F);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
         c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_line_end(char32_t c) {
  return (c >= 10 && c <= 13) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

bool is_printable(char32_t c) {
  if (c < 0x80) return c >= ' ' && c != 0x7F;
  switch (category(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return false;
    default:
      return true;
  }
}

bool is_letter(char32_t c) {
  const utf8proc_category_t found = category(c);
  return found >= UTF8PROC_CATEGORY_LU && found <= UTF8PROC_CATEGORY_LO;
}

bool is_digit(char32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; }
bool is_upper(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LU; }
bool is_lower(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LL; }

std::string to_upper(char32_t c) {
  return c == kSharpS ? "SS" : encode(utf8proc_toupper(static_cast<utf8proc_int32_t>(c)));
}
std::string to_lower(char32_t c) { return encode(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))); }
std::string to_title(char32_t c) {
  return c == kSharpS ? "Ss" : encode(utf8proc_totitle(static_cast<utf8proc_int32_t>(c)));
}

Range strip(std::string_view text, std::u32string_view set, bool left, bool right) {
  const auto drops = [&](char32_t c) { return set.empty() ? is_space(c) : set.find(c) != std::u32string_view::npos; };
  Range range = {0, text.size()};
  while (left && range.begin < range.end) {
    const Character c = character_at(text, range.begin);
    if (!drops(c.code)) break;
    range.begin += c.size;
  }
  while (right && range.end > range.begin) {
    const Character c = character_before(text, range.end);
    if (!drops(c.code)) break;
    range.end -= c.size;
  }
  return range;
}

}  // namespace smelt::jinja
