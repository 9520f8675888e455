// A place in a text that is being parsed, and what errors say about it. Used by the parsers of this folder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace smelt {

class TextCursor {
 public:
  explicit TextCursor(std::string_view text) : text_(text) {}

  bool at_end() const { return at_ == text_.size(); }
  char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool starts_with(std::string_view with) const { return text_.substr(at_).starts_with(with); }
  void skip(size_t bytes) { at_ += bytes; }
  bool take(std::string_view wanted) {
    if (!starts_with(wanted)) return false;
    at_ += wanted.size();
    return true;
  }
  // One character; the text must be well-formed UTF-8 and not at its end.
  char32_t take_code();
  std::optional<char32_t> take_hex(int digits);
  // Digits as a number, at most 1e9; nothing if there is none or it is larger.
  std::optional<int64_t> take_number();

  size_t offset() const { return at_; }
  void go_to(size_t offset) { at_ = offset; }
  std::string_view since(size_t offset) const { return text_.substr(offset, at_ - offset); }
  std::string line_and_column(size_t offset) const;  // "line 3:14", both from 1, columns in characters
  size_t column(size_t offset) const;

 private:
  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace smelt
