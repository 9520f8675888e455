#include "tokenizers/unicode_forms.h"

#include <utf8proc.h>

#include <cstdlib>
#include <memory>

namespace smelt {
namespace {

constexpr int kMostMarks = 1000;

const uint8_t* bytes_of(std::string_view text) { return reinterpret_cast<const uint8_t*>(text.data()); }

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

}  // namespace

std::string normalize_unicode(std::string_view text, UnicodeForm form) {
  if (text.empty() || !has_normal_form(text)) return std::string(text);
  const int option = form == UnicodeForm::composed ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
  uint8_t* out = nullptr;
  const auto n = utf8proc_map(bytes_of(text), static_cast<utf8proc_ssize_t>(text.size()), &out,
                              static_cast<utf8proc_option_t>(UTF8PROC_STABLE | option));
  const std::unique_ptr<uint8_t, decltype(&std::free)> owner(out, &std::free);
  return n < 0 ? std::string(text) : std::string(reinterpret_cast<const char*>(out), static_cast<size_t>(n));
}

}  // namespace smelt
