// PreTokenizer over PCRE2. The text is made valid UTF-8 of the same length first, so that the library need not check it
// again for every word (which would take time quadratic in the length).
#include "tokenizers/pre_tokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <algorithm>
#include <iterator>

#include "base/text.h"

namespace smelt {
namespace {

struct Family {
  std::string_view names;
  std::vector<const char*> expressions;
};

const std::vector<Family>& families() {
  static const std::vector<Family> instance = {
#define SMELT_PRE_TOKENIZER(names, ...) {names, {__VA_ARGS__}},
#include "tokenizers/pre_tokenizers.inc"
#undef SMELT_PRE_TOKENIZER
  };
  return instance;
}

std::vector<std::string> split_names(std::string_view names) {
  std::vector<std::string> out;
  while (!names.empty()) {
    const size_t end = std::min(names.find(' '), names.size());
    out.emplace_back(names.substr(0, end));
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  return out;
}

const Family* find_family(const std::string& name) {
  for (const Family& family : families()) {
    for (const std::string& each : split_names(family.names)) {
      if (each == name) return &family;
    }
  }
  return nullptr;
}

// Blanks at the end, tried at every blank and each time up to the next letter, take time quadratic in the length of a
// run. No match can begin behind another blank.
constexpr std::string_view kTrailingBlanks = R"(\s+$)";
constexpr const char* kLinearTrailingBlanks = R"((?<!\s)\s++$)";

// How the expressions begin whose first match at an ASCII letter, or at a space in front of one, is the space and all
// letters that follow: what stands before the alternative that finds them begins with an apostrophe.
constexpr std::string_view kWordExpressions[] = {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+|)",
                                                 R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)"};

bool is_ascii_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Bytes of the space and the letters at the beginning of the text, if neither it nor what ends them asks for Unicode's
// tables; else 0. Most of English text is found so, in a tenth of the time.
size_t plain_word(std::string_view text) {
  size_t at = text.front() == ' ' ? 1 : 0;
  const size_t begin = at;
  while (at < text.size() && is_ascii_letter(text[at])) ++at;
  const bool ends_plainly = at == text.size() || static_cast<uint8_t>(text[at]) < 0x80;
  return at > begin && ends_plainly ? at : 0;
}

// Control characters are neither letters nor numbers, spaces or punctuation, as U+FFFD would be none.
constexpr char kStandIn = '\x01';
// U+180E, a format character that PCRE2 still counts as a space; U+200B is another that it does not.
constexpr std::string_view kFormerSpace = "\xE1\xA0\x8E";
constexpr std::string_view kFormat = "\xE2\x80\x8B";

struct NewerCharacters {
  char32_t first, last, stand_in;
};
constexpr NewerCharacters kNewer[] = {
#define SMELT_NEWER(first, last, stand_in) {first, last, stand_in},
#include "tokenizers/newer_characters.inc"
#undef SMELT_NEWER
};

// A character that PCRE2 may be too old for: one of the same category and length, else the character itself.
char32_t known_character(char32_t c) {
  const auto* after =
      std::upper_bound(std::begin(kNewer), std::end(kNewer), c,
                       [](char32_t value, const NewerCharacters& range) { return value < range.first; });
  if (after == std::begin(kNewer) || c > (after - 1)->last) return c;
  return (after - 1)->stand_in;
}

// Newer characters have three bytes or four, and of the former none is frequent: E0-E3 and EA begin them.
bool may_be_newer(char first) {
  const auto byte = static_cast<uint8_t>(first);
  return byte >= 0xF0 || (byte >= 0xE0 && byte <= 0xE3) || byte == 0xEA;
}

bool needs_stand_ins(std::string_view text) {
  return std::any_of(text.begin(), text.end(), may_be_newer) || !is_valid_utf8(text);
}

// The text, at the same length, with what PCRE2 must not see replaced.
std::string with_stand_ins(std::string_view text) {
  std::string out(text);
  for (size_t at = 0; at < out.size();) {
    const size_t length = utf8_length(text, at);
    if (length == 0) out[at] = kStandIn;
    if (text.substr(at, length) == kFormerSpace) out.replace(at, length, kFormat);
    if (length >= 3 && may_be_newer(text[at])) {
      std::string known;
      append_utf8(known, known_character(decode_utf8(text.substr(at, length))[0]));
      if (known != kFormerSpace) out.replace(at, length, known);
    }
    at += std::max<size_t>(length, 1);
  }
  return out;
}

}  // namespace

class PreTokenizer::Regex {
 public:
  static Result<Regex> compile(const char* expression);

  // Appends the matches in text and what lies between them.
  void split(std::string_view text, std::vector<std::string_view>& pieces) const;

 private:
  struct FreeCode {
    void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  };
  explicit Regex(pcre2_code* code) : code_(code) {}

  std::unique_ptr<pcre2_code, FreeCode> code_;
  bool cuts_plain_words_ = false;
};

Result<PreTokenizer::Regex> PreTokenizer::Regex::compile(const char* expression) {
  int error = 0;
  PCRE2_SIZE at = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression), PCRE2_ZERO_TERMINATED,
                                   PCRE2_UTF | PCRE2_UCP | PCRE2_DOLLAR_ENDONLY, &error, &at, nullptr);
  if (code == nullptr) return input_error(fmt::format("regular expression, at byte {}: PCRE2 error {}", at, error));
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // where the platform has none, the interpreter matches
  Regex regex(code);
  regex.cuts_plain_words_ = std::any_of(std::begin(kWordExpressions), std::end(kWordExpressions),
                                        [&](auto begin) { return std::string_view(expression).starts_with(begin); });
  return regex;
}

void PreTokenizer::Regex::split(std::string_view text, std::vector<std::string_view>& pieces) const {
  const auto free_data = [](pcre2_match_data* data) { pcre2_match_data_free(data); };
  const std::unique_ptr<pcre2_match_data, decltype(free_data)> data(pcre2_match_data_create(1, nullptr), free_data);
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  size_t done = 0;
  const auto find_next = [&](uint32_t options) {
    return pcre2_match(code_.get(), subject, text.size(), done, options | PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY,
                       data.get(), nullptr);
  };
  // A failure (out of memory, limit reached) ends the search as no match does: the rest is one piece.
  while (data != nullptr && done < text.size()) {
    if (const size_t length = cuts_plain_words_ ? plain_word(text.substr(done)) : 0; length > 0) {
      pieces.push_back(text.substr(done, length));
      done += length;
      continue;
    }
    int n = find_next(0);
    if (n == PCRE2_ERROR_JIT_STACKLIMIT) n = find_next(PCRE2_NO_JIT);  // the interpreter's stack is the heap
    if (n <= 0) break;
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(data.get());
    if (range[0] > done) pieces.push_back(text.substr(done, range[0] - done));
    pieces.push_back(text.substr(range[0], range[1] - range[0]));
    done = range[1];
  }
  if (done < text.size()) pieces.push_back(text.substr(done));
}

PreTokenizer::PreTokenizer(std::vector<Regex> passes) : passes_(std::move(passes)) {}
PreTokenizer::PreTokenizer(PreTokenizer&&) noexcept = default;
PreTokenizer& PreTokenizer::operator=(PreTokenizer&&) noexcept = default;
PreTokenizer::~PreTokenizer() = default;

Result<PreTokenizer> PreTokenizer::make(const std::string& family) {
  const Family* found = find_family(family);
  if (found == nullptr) {
    const std::string near = find_nearest(family, pre_tokenizer_families());
    return input_error(fmt::format("pre-tokenizer '{}' is not known{}", escape_for_display(family),
                                   near.empty() ? std::string() : fmt::format("; did you mean '{}'?", near)));
  }
  std::vector<Regex> passes;
  for (const char* expression : found->expressions) {
    const char* used = expression == kTrailingBlanks ? kLinearTrailingBlanks : expression;
    SMELT_ASSIGN(Regex regex, Regex::compile(used).with_context(family));
    passes.push_back(std::move(regex));
  }
  return PreTokenizer(std::move(passes));
}

std::vector<std::string_view> PreTokenizer::split(std::string_view text) const {
  if (text.empty()) return {};
  const bool changed = needs_stand_ins(text);
  const std::string repaired = changed ? with_stand_ins(text) : std::string();
  std::vector<std::string_view> words = {changed ? std::string_view(repaired) : text};
  for (const Regex& pass : passes_) {
    std::vector<std::string_view> pieces;
    pieces.reserve(words.size());
    for (const std::string_view word : words) pass.split(word, pieces);
    words = std::move(pieces);
  }
  size_t at = 0;
  for (std::string_view& word : words) {
    word = text.substr(at, word.size());
    at += word.size();
  }
  return words;
}

std::vector<std::string> pre_tokenizer_families() {
  std::vector<std::string> names;
  for (const Family& family : families()) {
    for (std::string& name : split_names(family.names)) names.push_back(std::move(name));
  }
  return names;
}

}  // namespace smelt
