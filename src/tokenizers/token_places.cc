#include "tokenizers/token_places.h"

#include <algorithm>
#include <string>

#include "base/text.h"
#include "tokenizers/bert_words.h"

namespace smelt {
namespace {

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_punctuation(char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

class Locator {
 public:
  Locator(const Tokenizer& tokenizer, std::string_view text) : tokenizer_(tokenizer), text_(text) {}

  TokenPlace next(TokenId id) {
    const TokenType type = tokenizer_.vocab().tokens[static_cast<size_t>(id)].type;
    if (type == TokenType::control) return {at_, at_};
    std::string bytes = tokenizer_.token_bytes(id);
    bytes.erase(0, std::min(bytes.find_first_not_of(' '), bytes.size()));
    if (bytes.empty() && type != TokenType::unknown) return {at_, at_};
    while (at_ < text_.size() && is_space(text_[at_]) && !bytes.starts_with(text_[at_])) ++at_;
    const size_t begin = at_;
    if (type == TokenType::unknown) {
      take_word();
    } else {
      take(bytes);
    }
    return {begin, at_};
  }

 private:
  std::string_view character() const {
    const size_t length = std::max<size_t>(1, utf8_length(text_, at_));
    return text_.substr(at_, length);
  }

  // At least a character, up to where a word ends.
  void take_word() {
    if (at_ < text_.size()) at_ += character().size();
    while (at_ < text_.size() && !is_space(text_[at_]) && !is_punctuation(text_[at_])) at_ += character().size();
  }

  std::string folded(std::string_view c) const {
    if (tokenizer_.vocab().model != TokenizerModel::wordpiece) return std::string(c);
    std::string out;
    for (const std::string& part : split_bert_words(c, tokenizer_.vocab().lowercase)) out += part;
    return out;
  }

  void take(std::string_view bytes) {
    if (text_.substr(at_).starts_with(bytes)) {
      at_ += bytes.size();
      return;
    }
    while (!bytes.empty() && at_ < text_.size()) {
      const std::string_view c = character();
      const std::string same = folded(c);
      const bool matches = bytes.starts_with(same);
      at_ += c.size();
      bytes.remove_prefix(matches ? same.size() : std::min(bytes.size(), std::max<size_t>(1, utf8_length(bytes, 0))));
    }
  }

  const Tokenizer& tokenizer_;
  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

std::vector<TokenPlace> locate_tokens(const Tokenizer& tokenizer, std::string_view text, std::span<const TokenId> ids) {
  std::vector<TokenPlace> places;
  Locator locator(tokenizer, text);
  for (const TokenId id : ids) places.push_back(locator.next(id));
  return places;
}

}  // namespace smelt
