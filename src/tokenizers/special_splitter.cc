#include "tokenizers/special_splitter.h"

#include <utf8proc.h>

#include <utility>

#include "base/text.h"

namespace smelt {
namespace {

char32_t first_of(std::string_view text) { return decode_utf8(text.substr(0, utf8_length(text, 0)))[0]; }

// Where the character begins that ends the text, which must not be empty.
size_t last_begin(std::string_view text) {
  size_t at = text.size() - 1;
  while (at > 0 && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) --at;
  return at;
}

// Unicode's White_Space.
bool is_blank(std::string_view character) {
  if (utf8_length(character, 0) != character.size()) return false;
  const char32_t c = first_of(character);
  if ((c >= 9 && c <= 13) || c == 0x85) return true;
  const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

// Letters, marks, digits and connectors, as \w of regular expressions.
bool is_word(std::string_view character) {
  if (utf8_length(character, 0) != character.size()) return false;
  const char32_t c = first_of(character);
  if (c == 0x200C || c == 0x200D) return true;
  const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL) || category == UTF8PROC_CATEGORY_PC;
}

bool begins_with_word(std::string_view text) {
  return !text.empty() && is_word(text.substr(0, std::max<size_t>(utf8_length(text, 0), 1)));
}
bool ends_with_word(std::string_view text) { return !text.empty() && is_word(text.substr(last_begin(text))); }

size_t blanks_at_start(std::string_view text) {
  size_t n = 0;
  while (n < text.size()) {
    const size_t length = utf8_length(text, n);
    if (length == 0 || !is_blank(text.substr(n, length))) break;
    n += length;
  }
  return n;
}

size_t without_blanks_at_end(std::string_view text) {
  while (!text.empty()) {
    const size_t begin = last_begin(text);
    if (!is_blank(text.substr(begin))) break;
    text = text.substr(0, begin);
  }
  return text.size();
}

}  // namespace

void SpecialSplitter::add(const Token& token, TokenId id) {
  (token.normalized ? second_ : first_).add_reversed(token.text, id);
  const Flags flags{token.strips_left, token.strips_right, token.single_word};
  if (flags.strips_left || flags.strips_right || flags.single_word) flags_.emplace(id, flags);
}

SpecialSplitter::Flags SpecialSplitter::flags_of(TokenId id) const {
  const auto found = flags_.find(id);
  return found == flags_.end() ? Flags{false, false, false} : found->second;
}

void SpecialSplitter::finish() {
  first_.finish();
  second_.finish();
}

std::vector<TextFragment> SpecialSplitter::split(std::string_view text) const {
  std::vector<TextFragment> outer;
  split_by(first_, text, outer);
  if (second_.is_empty()) return outer;
  std::vector<TextFragment> fragments;
  for (const TextFragment& fragment : outer) {
    if (fragment.id >= 0) {
      fragments.push_back(fragment);
    } else {
      split_by(second_, fragment.text, fragments);
    }
  }
  return fragments;
}

void SpecialSplitter::split_by(const TextAutomaton& automaton, std::string_view text,
                               std::vector<TextFragment>& fragments) const {
  std::vector<std::pair<size_t, const TextAutomaton::Node*>> found;  // where a text begins and its end; right to left
  int32_t state = TextAutomaton::kStart;
  for (size_t i = automaton.is_empty() ? 0 : text.size(); i-- > 0;) {
    state = automaton.advance(state, static_cast<uint8_t>(text[i]));
    if (const TextAutomaton::Node* node = automaton.longest(state)) found.emplace_back(i, node);
  }
  size_t done = 0, matched = 0;  // a match that is refused for its neighbours still hides those inside it
  for (auto it = found.rbegin(); it != found.rend(); ++it) {
    const auto [at, node] = *it;
    if (at < matched || at < done) continue;
    size_t begin = at, end = at + node->size;
    matched = end;
    const Flags flags = flags_of(node->id);
    if (flags.single_word && (ends_with_word(text.substr(0, begin)) || begins_with_word(text.substr(end)))) continue;
    if (flags.strips_left) begin = done + without_blanks_at_end(text.substr(done, begin - done));
    if (flags.strips_right) end += blanks_at_start(text.substr(end));
    if (begin > done) fragments.push_back({text.substr(done, begin - done)});
    fragments.push_back({text.substr(begin, end - begin), node->id});
    done = end;
  }
  if (done < text.size()) fragments.push_back({text.substr(done)});
}

}  // namespace smelt
