#include "tokenizers/bert_words.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"
#include "tokenizers/unicode_forms.h"

namespace smelt {
namespace {

enum class Kind { letter, space, separate, dropped };

// The blocks of Chinese characters that BERT puts spaces around (not the Japanese and Korean scripts). The gap below
// U+2B920 is the reference's.
bool is_chinese(char32_t c) {
  static constexpr std::array<std::array<char32_t, 2>, 8> kBlocks = {{{0x4E00, 0x9FFF},
                                                                      {0x3400, 0x4DBF},
                                                                      {0x20000, 0x2A6DF},
                                                                      {0x2A700, 0x2B73F},
                                                                      {0x2B740, 0x2B81F},
                                                                      {0x2B920, 0x2CEAF},
                                                                      {0xF900, 0xFAFF},
                                                                      {0x2F800, 0x2FA1F}}};
  for (const auto& [first, last] : kBlocks) {
    if (c >= first && c <= last) return true;
  }
  return false;
}

bool is_ascii_punctuation(char32_t c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

Kind kind_of_category(utf8proc_category_t category) {
  switch (category) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return Kind::space;
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CS:
      return Kind::dropped;
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
      return Kind::separate;
    default:
      return Kind::letter;
  }
}

template <class T>
struct Range {
  char32_t first, last;
  T value;
};

constexpr Range<Kind> kKinds[] = {
#define SMELT_BERT_KIND(first, last, kind) {first, last, Kind::kind},
#define SMELT_BERT_MARK(...)
#define SMELT_BERT_CAPITAL(...)
#include "tokenizers/bert_characters.inc"
#undef SMELT_BERT_KIND
#undef SMELT_BERT_MARK
};

constexpr Range<bool> kMarks[] = {
#define SMELT_BERT_KIND(...)
#define SMELT_BERT_MARK(first, last, stripped) {first, last, stripped},
#include "tokenizers/bert_characters.inc"
#undef SMELT_BERT_MARK
#undef SMELT_BERT_CAPITAL
};

constexpr Range<int32_t> kCapitals[] = {
#define SMELT_BERT_MARK(...)
#define SMELT_BERT_CAPITAL(first, last, distance) {first, last, distance},
#include "tokenizers/bert_characters.inc"
#undef SMELT_BERT_KIND
#undef SMELT_BERT_MARK
#undef SMELT_BERT_CAPITAL
};

template <class T, size_t n>
std::optional<T> find_value(const Range<T> (&ranges)[n], char32_t c) {
  const auto* after = std::upper_bound(ranges, ranges + n, c,
                                       [](char32_t value, const Range<T>& range) { return value < range.first; });
  if (after == ranges || c > (after - 1)->last) return std::nullopt;
  return (after - 1)->value;
}

bool is_accent(char32_t c) {
  const bool mark = utf8proc_category(static_cast<utf8proc_int32_t>(c)) == UTF8PROC_CATEGORY_MN;
  return find_value(kMarks, c).value_or(mark);
}

char32_t small_letter(char32_t c) {
  const auto distance = find_value(kCapitals, c);
  if (distance) return static_cast<char32_t>(static_cast<int32_t>(c) + *distance);
  return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
}

Kind kind_of(char32_t c) {
  if (const auto kind = c < 0x80 ? std::nullopt : find_value(kKinds, c)) return *kind;
  if (c == '\t' || c == '\n' || c == '\r') return Kind::space;
  if (c == 0 || c == 0xFFFD) return Kind::dropped;
  if (is_ascii_punctuation(c) || is_chinese(c)) return Kind::separate;
  return kind_of_category(utf8proc_category(static_cast<utf8proc_int32_t>(c)));
}

// Decomposes c, drops the accents and makes the rest small.
void append_plain(char32_t c, std::u32string& out) {
  if (is_newer_character(c)) {  // has no decomposition there
    if (!is_accent(c)) out += small_letter(c);
    return;
  }
  std::array<utf8proc_int32_t, 32> parts = {};
  int last_boundclass = 0;
  const utf8proc_ssize_t n = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts.data(), parts.size(),
                                                     UTF8PROC_DECOMPOSE, &last_boundclass);
  for (utf8proc_ssize_t i = 0; i < n && i < static_cast<utf8proc_ssize_t>(parts.size()); ++i) {
    const utf8proc_int32_t part = parts[static_cast<size_t>(i)];
    const auto character = static_cast<char32_t>(part);
    if (!is_accent(character)) out += small_letter(character);
  }
}

class WordList {
 public:
  void add(char32_t c) {
    switch (kind_of(c)) {
      case Kind::letter:
        append_utf8(word_, c);
        break;
      case Kind::space:
        end_word();
        break;
      case Kind::separate:
        end_word();
        append_utf8(word_, c);
        end_word();
        break;
      case Kind::dropped:
        break;
    }
  }
  std::vector<std::string> take() {
    end_word();
    return std::move(words_);
  }

 private:
  void end_word() {
    if (!word_.empty()) words_.push_back(std::move(word_));
    word_.clear();
  }
  std::string word_;
  std::vector<std::string> words_;
};

}  // namespace

std::vector<std::string> split_bert_words(std::string_view text, bool lowercase) {
  std::u32string characters;
  if (lowercase) {
    for (const char32_t c : decode_utf8(text)) append_plain(c, characters);
  } else {
    characters = decode_utf8(text);
  }
  WordList words;
  for (const char32_t c : characters) words.add(c);
  return words.take();
}

}  // namespace smelt
