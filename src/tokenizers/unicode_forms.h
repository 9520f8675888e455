// Unicode's normal forms of text, by utf8proc.
#pragma once

#include <string>
#include <string_view>

namespace smelt {

enum class UnicodeForm {
  composed,    // NFC: é as one character
  decomposed,  // NFD: e and the accent
};

// Text that is no UTF-8 has no normal form and stays as it is, and so does text with more than a thousand combining
// marks on one letter: putting those in order takes time quadratic in their number.
std::string normalize_unicode(std::string_view text, UnicodeForm form);

// Whether the library "tokenizers" takes c, which newer Unicode tables decompose or count as a combining mark, for a
// plain letter. normalize_unicode does as well.
bool is_newer_character(char32_t c);

}  // namespace smelt
