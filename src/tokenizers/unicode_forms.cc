#include "tokenizers/unicode_forms.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <memory>

#include "base/text.h"

namespace smelt {
namespace {

constexpr int kMostMarks = 1000;

const uint8_t* bytes_of(std::string_view text) { return reinterpret_cast<const uint8_t*>(text.data()); }

struct Range {
  char32_t first, last;
};
// Marks and compositions that came into Unicode after 2017. The normalizer of the Hugging Face library "tokenizers"
// takes them for letters that nothing is put in order or composed across; vocabularies were trained on what it gives.
constexpr Range kNewer[] = {
    {0x7FD, 0x7FD},     {0x897, 0x89F},     {0x8CA, 0x8D3},     {0x9FE, 0x9FE},     {0xC3C, 0xC3C},
    {0xCF3, 0xCF3},     {0xD3B, 0xD3C},     {0xEBA, 0xEBA},     {0xECE, 0xECE},     {0x1715, 0x1715},
    {0x1ABF, 0x1ACE},   {0x1DF6, 0x1DFA},   {0xA82C, 0xA82C},   {0x105C9, 0x105C9}, {0x105E4, 0x105E4},
    {0x10D24, 0x10D27}, {0x10D69, 0x10D6D}, {0x10EAB, 0x10EAC}, {0x10EFC, 0x10EFF}, {0x10F46, 0x10F50},
    {0x10F82, 0x10F85}, {0x11070, 0x11070}, {0x11241, 0x11241}, {0x1133B, 0x1133B}, {0x11383, 0x11383},
    {0x11385, 0x11385}, {0x1138E, 0x1138E}, {0x11391, 0x11391}, {0x113B8, 0x113C0}, {0x113C2, 0x113C2},
    {0x113C5, 0x113C5}, {0x113C7, 0x113CA}, {0x113CC, 0x113D0}, {0x113D2, 0x113D2}, {0x113E1, 0x113E2},
    {0x1145E, 0x1145E}, {0x11839, 0x1183A}, {0x11938, 0x11938}, {0x1193D, 0x1193E}, {0x11943, 0x11943},
    {0x119E0, 0x119E0}, {0x11A34, 0x11A34}, {0x11A47, 0x11A47}, {0x11A99, 0x11A99}, {0x11D42, 0x11D42},
    {0x11D44, 0x11D45}, {0x11D97, 0x11D97}, {0x11F00, 0x11F01}, {0x11F03, 0x11F03}, {0x11F34, 0x11F3A},
    {0x11F3E, 0x11F42}, {0x11F5A, 0x11F5A}, {0x13440, 0x13440}, {0x13447, 0x13455}, {0x1611E, 0x1612F},
    {0x16D68, 0x16D6A}, {0x16FF0, 0x16FF1}, {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136}, {0x1E2AE, 0x1E2AE},
    {0x1E2EC, 0x1E2EF}, {0x1E4EC, 0x1E4EF}, {0x1E5EE, 0x1E5EF}};

bool has_normal_form(std::string_view text) {
  int n_marks = 0;
  while (!text.empty()) {
    int32_t c = 0;
    const utf8proc_ssize_t n = utf8proc_iterate(bytes_of(text), static_cast<utf8proc_ssize_t>(text.size()), &c);
    if (n <= 0) return false;
    n_marks = utf8proc_get_property(c)->combining_class == 0 ? 0 : n_marks + 1;
    if (n_marks > kMostMarks) return false;
    text.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

std::string normalize_known(std::string_view text, UnicodeForm form) {
  if (text.empty() || !has_normal_form(text)) return std::string(text);
  const int option = form == UnicodeForm::composed ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
  uint8_t* out = nullptr;
  const auto n = utf8proc_map(bytes_of(text), static_cast<utf8proc_ssize_t>(text.size()), &out,
                              static_cast<utf8proc_option_t>(UTF8PROC_STABLE | option));
  const std::unique_ptr<uint8_t, decltype(&std::free)> owner(out, &std::free);
  return n < 0 ? std::string(text) : std::string(reinterpret_cast<const char*>(out), static_cast<size_t>(n));
}

}  // namespace

bool is_newer_character(char32_t c) {
  const Range* after = std::upper_bound(std::begin(kNewer), std::end(kNewer), c,
                                        [](char32_t value, const Range& range) { return value < range.first; });
  return after != std::begin(kNewer) && c <= (after - 1)->last;
}

std::string normalize_unicode(std::string_view text, UnicodeForm form) {
  std::string out;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t length = std::max<size_t>(utf8_length(text, at), 1);
    if (length > 1 && is_newer_character(decode_utf8(text.substr(at, length))[0])) {
      out += normalize_known(text.substr(begin, at - begin), form);
      out += text.substr(at, length);
      begin = at + length;
    }
    at += length;
  }
  return out + normalize_known(text.substr(begin), form);
}

}  // namespace smelt
