#include "templates/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "templates/characters.h"

namespace smelt::jinja {
namespace {

constexpr size_t kMaxTemplateBytes = size_t{1} << 20;
constexpr size_t kMaxTokens = 420'000;

bool is_name_start(char c) {
  const auto lower = static_cast<unsigned char>(c | 0x20);
  return c == '_' || (lower >= 'a' && lower <= 'z') || lower >= 0x80;
}
bool is_decimal(char c) { return c >= '0' && c <= '9'; }

// Python's universal newlines, and the last one dropped.
std::string normalise(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
    out += source[i] == '\r' ? '\n' : source[i];
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : text_(normalise(source)) {}
  Result<std::vector<TemplateToken>> run();

 private:
  Error error(const std::string& message) const { return input_error(fmt::format("line {}: {}", line_, message)); }
  bool at(std::string_view mark) const { return text_.compare(at_, mark.size(), mark) == 0; }
  void move_to(size_t end) {
    line_ += static_cast<int>(
        std::count(text_.begin() + static_cast<ptrdiff_t>(at_), text_.begin() + static_cast<ptrdiff_t>(end), '\n'));
    at_line_start_ = end > 0 && text_[end - 1] == '\n';
    at_ = end;
  }
  void add(TokenKind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }
  size_t find_tag(size_t from) const;
  void add_data(size_t end, char sign, bool strips_blanks);
  void end_tag(char sign, size_t size, bool drops_newline);
  Status read_tag(size_t begin);
  Status read_comment();
  Status read_raw(size_t begin, size_t behind_name);
  size_t find_raw(size_t begin) const;
  Status read_code(TokenKind end_kind, std::string_view end_mark);
  Result<bool> read_end(TokenKind end_kind, std::string_view end_mark);
  Status read_token();
  Status read_number();
  Status read_string();
  Status read_symbol();
  Result<size_t> read_escape(size_t i, std::string& out) const;

  std::string text_;
  size_t at_ = 0;
  int line_ = 1;
  bool at_line_start_ = true;
  std::string open_;  // brackets inside a tag
  std::vector<TemplateToken> tokens_;
};

size_t Lexer::find_tag(size_t from) const {
  for (size_t i = text_.find('{', from); i != std::string::npos && i + 1 < text_.size(); i = text_.find('{', i + 1)) {
    if (text_[i + 1] == '{' || text_[i + 1] == '%' || text_[i + 1] == '#') return i;
  }
  return std::string::npos;
}

// Text from at_ to `end`, where a tag with `sign` begins.
void Lexer::add_data(size_t end, char sign, bool strips_blanks) {
  std::string_view data = std::string_view(text_).substr(at_, end - at_);
  if (sign == '-') {
    data = data.substr(0, strip(data, {}, false, true).end);
  } else if (sign != '+' && strips_blanks) {
    const size_t line_start = data.rfind('\n') + 1;  // 0 if there is none
    const std::string_view last_line = data.substr(line_start);
    const bool blank = strip(last_line, {}, true, false).begin == last_line.size();
    if ((line_start > 0 || at_line_start_) && blank) data = data.substr(0, line_start);
  }
  if (!data.empty()) add(TokenKind::text, std::string(data));
}

// Behind an end mark: "-" drops all white space that follows, and blocks one newline.
void Lexer::end_tag(char sign, size_t size, bool drops_newline) {
  size_t end = at_ + size;
  if (sign == '-') {
    end += strip(std::string_view(text_).substr(end), {}, true, false).begin;
  } else if (sign != '+' && drops_newline && end < text_.size() && text_[end] == '\n') {
    ++end;
  }
  move_to(end);
}

// Where the name `raw` of a raw block ends, or npos if the tag at `begin` is none.
size_t Lexer::find_raw(size_t begin) const {
  const std::string_view rest = std::string_view(text_).substr(begin);
  size_t i = 2;
  if (i < rest.size() && (rest[i] == '-' || rest[i] == '+')) ++i;
  i += strip(rest.substr(i), {}, true, false).begin;
  if (rest.substr(i, 3) != "raw") return std::string::npos;
  size_t end = i + 3;
  end += strip(rest.substr(end), {}, true, false).begin;
  const bool closes = rest.substr(end, 2) == "%}" || rest.substr(end, 3) == "-%}";
  return closes ? begin + end : std::string::npos;
}

Status Lexer::read_raw(size_t, size_t behind_name) {
  move_to(behind_name);
  const char sign = text_[at_] == '-' ? '-' : '+';  // the newline behind {% raw %} stays
  end_tag(sign, sign == '-' ? 3 : 2, false);
  for (size_t i = text_.find("{%", at_); i != std::string::npos; i = text_.find("{%", i + 2)) {
    const std::string_view rest = std::string_view(text_).substr(i);
    size_t name = 2;
    const char begin_sign = name < rest.size() ? rest[name] : ' ';
    if (begin_sign == '-' || begin_sign == '+') ++name;
    name += strip(rest.substr(name), {}, true, false).begin;
    if (rest.substr(name, 6) != "endraw") continue;
    size_t end = name + 6;
    end += strip(rest.substr(end), {}, true, false).begin;
    const char end_sign = end < rest.size() ? rest[end] : ' ';
    if (end_sign == '-' || end_sign == '+') ++end;
    if (rest.substr(end, 2) != "%}") continue;
    add_data(i, begin_sign, true);
    move_to(i + end);
    end_tag(end_sign, 2, true);
    return {};
  }
  return error("{% raw %} has no {% endraw %}");
}

Status Lexer::read_comment() {
  const size_t end = text_.find("#}", at_ + 2);
  if (end == std::string::npos) return error("a comment {# has no end #}");
  const char sign = text_[end - 1];
  move_to(end);
  end_tag(sign, 2, true);
  return {};
}

Status Lexer::read_tag(size_t begin) {
  const char kind = text_[begin + 1];
  const char sign = begin + 2 < text_.size() ? text_[begin + 2] : ' ';
  add_data(begin, sign, kind != '{');
  const size_t behind_raw = kind == '%' ? find_raw(begin) : std::string::npos;
  if (behind_raw != std::string::npos) return read_raw(begin, behind_raw);
  move_to(begin);
  if (kind == '#') return read_comment();
  add(kind == '{' ? TokenKind::print_begin : TokenKind::block_begin, "");
  move_to(begin + (sign == '-' || sign == '+' ? 3 : 2));
  return kind == '{' ? read_code(TokenKind::print_end, "}}") : read_code(TokenKind::block_end, "%}");
}

Result<bool> Lexer::read_end(TokenKind end_kind, std::string_view end_mark) {
  if (!open_.empty()) return false;
  const char sign = text_[at_];
  const bool signed_end = (sign == '-' || (sign == '+' && end_kind == TokenKind::block_end)) &&
                          text_.compare(at_ + 1, end_mark.size(), end_mark) == 0;
  if (!signed_end && !at(end_mark)) return false;
  add(end_kind, "");
  end_tag(signed_end ? sign : ' ', signed_end ? 3 : 2, end_kind == TokenKind::block_end);
  return true;
}

Status Lexer::read_code(TokenKind end_kind, std::string_view end_mark) {
  open_.clear();
  while (true) {
    while (at_ < text_.size() && is_space(character_at(text_, at_).code)) {
      move_to(at_ + character_at(text_, at_).size);
    }
    if (at_ >= text_.size()) return error(fmt::format("a tag is not closed by {}", end_mark));
    SMELT_ASSIGN(const bool ended, read_end(end_kind, end_mark));
    if (ended) return {};
    SMELT_TRY(read_token());
    if (tokens_.size() > kMaxTokens) return error("the template is too long");
  }
}

Status Lexer::read_token() {
  const char c = text_[at_];
  if (c == '"' || c == '\'') return read_string();
  if (is_decimal(c)) return read_number();
  const auto goes_on = [&](size_t i) { return i < text_.size() && (is_name_start(text_[i]) || is_decimal(text_[i])); };
  if (!goes_on(at_)) return read_symbol();
  size_t end = at_;
  while (goes_on(end)) ++end;
  add(TokenKind::name, text_.substr(at_, end - at_));
  move_to(end);
  return {};
}

Status Lexer::read_number() {
  size_t end = at_;
  bool real = false;
  const auto digits = [&] {
    while (end < text_.size() && (is_decimal(text_[end]) || text_[end] == '_')) ++end;
  };
  digits();
  if (end + 1 < text_.size() && text_[end] == '.' && is_decimal(text_[end + 1])) {
    real = true;
    ++end;
    digits();
  }
  size_t exponent = end;
  if (exponent < text_.size() && (text_[exponent] | 0x20) == 'e') {
    ++exponent;
    if (exponent < text_.size() && (text_[exponent] == '+' || text_[exponent] == '-')) ++exponent;
    if (exponent < text_.size() && is_decimal(text_[exponent])) {
      real = true;
      end = exponent;
      digits();
    }
  }
  std::string number = text_.substr(at_, end - at_);
  std::erase(number, '_');
  add(real ? TokenKind::real : TokenKind::integer, std::move(number));
  move_to(end);
  return {};
}

int hex_digit(char c) {
  if (is_decimal(c)) return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The escape whose backslash stands at i; gives where it ends. Unknown ones stay as they are, as in Python.
Result<size_t> Lexer::read_escape(size_t i, std::string& out) const {
  constexpr std::string_view kFrom = "ntr\\'\"bfav0";
  constexpr std::string_view kTo = {"\n\t\r\\'\"\b\f\a\v\0", 11};
  const char c = text_[i + 1];
  if (c == '\n') return i + 2;
  const size_t known = kFrom.find(c);
  if (known != std::string_view::npos) {
    out += kTo[known];
    return i + 2;
  }
  const size_t n_digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
  if (n_digits == 0) {
    out += '\\';
    out += c;
    return i + 2;
  }
  char32_t code = 0;
  for (size_t k = 0; k < n_digits; ++k) {
    const int digit = i + 2 + k < text_.size() ? hex_digit(text_[i + 2 + k]) : -1;
    if (digit < 0 || code > 0x0FFFFFFF) return error(fmt::format("an escape \\{} lacks digits", c));
    code = code * 16 + static_cast<char32_t>(digit);
  }
  append_utf8(out, code);
  return i + 2 + n_digits;
}

Status Lexer::read_string() {
  const char quote = text_[at_];
  std::string value;
  size_t i = at_ + 1;
  while (i < text_.size() && text_[i] != quote) {
    if (text_[i] == '\\' && i + 1 < text_.size()) {
      SMELT_ASSIGN(i, read_escape(i, value));
    } else {
      value += text_[i++];
    }
  }
  if (i >= text_.size()) return error("a string is not closed");
  add(TokenKind::string, std::move(value));
  move_to(i + 1);
  return {};
}

Status Lexer::read_symbol() {
  constexpr std::array<std::string_view, 26> kSymbols = {"**", "//", "==", "!=", "<=", ">=", "+", "-", "*",
                                                         "/",  "%",  "~",  "<",  ">",  "=",  "(", ")", "[",
                                                         "]",  "{",  "}",  ".",  ",",  ":",  "|", ";"};
  const auto* found = std::find_if(kSymbols.begin(), kSymbols.end(), [&](std::string_view each) { return at(each); });
  if (found == kSymbols.end()) {
    const size_t size = character_at(text_, at_).size;
    return error(fmt::format("unexpected character '{}'", escape_for_display(text_.substr(at_, size))));
  }
  const char c = found->front();
  if (c == '(' || c == '[' || c == '{') open_ += c;
  if (c == ')' || c == ']' || c == '}') {
    const char wanted = c == ')' ? '(' : c == ']' ? '[' : '{';
    if (open_.empty() || open_.back() != wanted) return error(fmt::format("unexpected '{}'", c));
    open_.pop_back();
  }
  add(TokenKind::symbol, std::string(*found));
  move_to(at_ + found->size());
  return {};
}

Result<std::vector<TemplateToken>> Lexer::run() {
  while (at_ < text_.size()) {
    const size_t begin = find_tag(at_);
    if (begin == std::string::npos) {
      add(TokenKind::text, text_.substr(at_));
      move_to(text_.size());
    } else {
      SMELT_TRY(read_tag(begin));
    }
  }
  add(TokenKind::end, "");
  return std::move(tokens_);
}

}  // namespace

Result<std::vector<TemplateToken>> cut_template(std::string_view source) {
  if (source.size() > kMaxTemplateBytes)
    return input_error(fmt::format("the template has {} bytes, at most {} are read", source.size(), kMaxTemplateBytes));
  if (!is_valid_utf8(source)) return input_error("the template is not UTF-8");
  return Lexer(source).run();
}

}  // namespace smelt::jinja
