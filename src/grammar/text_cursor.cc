// Reading characters and numbers.
#include "grammar/text_cursor.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace smelt {

char32_t TextCursor::take_code() {
  const size_t length = std::max<size_t>(utf8_length(text_, at_), 1);
  const char32_t code = decode_utf8(text_.substr(at_, length)).front();
  at_ += length;
  return code;
}

std::optional<char32_t> TextCursor::take_hex(int digits) {
  char32_t code = 0;
  for (int i = 0; i < digits; ++i) {
    const char c = peek(static_cast<size_t>(i));
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return std::nullopt;
    code = code * 16 + static_cast<char32_t>(digit);
  }
  at_ += static_cast<size_t>(digits);
  return code;
}

std::optional<int64_t> TextCursor::take_number() {
  constexpr int64_t kMost = 1'000'000'000;
  int64_t number = 0;
  const size_t start = at_;
  for (; peek() >= '0' && peek() <= '9'; ++at_) {
    number = number * 10 + (peek() - '0');
    if (number > kMost) {
      at_ = start;
      return std::nullopt;
    }
  }
  if (at_ == start) return std::nullopt;
  return number;
}

std::string TextCursor::line_and_column(size_t offset) const {
  const std::string_view before = text_.substr(0, offset);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  return fmt::format("line {}:{}", line, column(offset));
}

size_t TextCursor::column(size_t offset) const {
  const std::string_view before = text_.substr(0, offset);
  const size_t newline = before.rfind('\n');
  const std::string_view on_line = newline == std::string_view::npos ? before : before.substr(newline + 1);
  return decode_utf8(on_line).size() + 1;
}

}  // namespace smelt
