// Regular expressions: what ECMAScript, Python and PCRE agree on. What they read differently (\d, \w and \s beyond
// ASCII) is taken so that every text made here matches in all of them. What is not regular (back references), and
// assertions other than ^ and $ at the ends, is refused by name.
#include "grammar/regex.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "grammar/repeats.h"
#include "grammar/text_cursor.h"

namespace smelt {
namespace {

constexpr int kMaxDepth = 200;
constexpr size_t kMaxBytes = 1 << 16;

const CodeSet& ascii() {
  static const CodeSet set = {{0, 0x7f}};
  return set;
}
CodeSet digits() { return {{'0', '9'}}; }
CodeSet word_chars() { return make_code_set({{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}); }
CodeSet spaces() { return make_code_set({{'\t', '\r'}, {' ', ' '}}); }
// Everything that some dialect counts as white space.
CodeSet all_spaces() {
  return make_code_set({{'\t', '\r'},
                        {0x1c, 0x20},
                        {0x85, 0x85},
                        {0xa0, 0xa0},
                        {0x1680, 0x1680},
                        {0x180e, 0x180e},
                        {0x2000, 0x200a},
                        {0x2028, 0x2029},
                        {0x202f, 0x202f},
                        {0x205f, 0x205f},
                        {0x3000, 0x3000},
                        {0xfeff, 0xfeff}});
}
CodeSet any_but_newlines() {
  return inverted(make_code_set({{'\n', '\n'}, {'\r', '\r'}, {0x85, 0x85}, {0x2028, 0x2029}}));
}

// A class by its letter, and what must be left out where it is negated.
struct NamedClass {
  CodeSet surely;
  CodeSet perhaps;
};
NamedClass named_class(char letter) {
  const CodeSet beyond = inverted(ascii());
  switch (letter) {
    case 'd':
      return {digits(), united(digits(), beyond)};
    case 'w':
      return {word_chars(), united(word_chars(), beyond)};
    case 's':
      return {spaces(), all_spaces()};
    case 'D':
      return {intersected(inverted(digits()), ascii()), inverted(digits())};
    case 'W':
      return {intersected(inverted(word_chars()), ascii()), inverted(word_chars())};
    default:
      return {inverted(all_spaces()), inverted(spaces())};
  }
}

class RegexParser {
 public:
  RegexParser(Grammar& grammar, std::string_view pattern) : grammar_(grammar), in_(pattern) {}

  Result<ExprId> parse(RegexMatch match) {
    SMELT_ASSIGN(const std::vector<Alternative> alternatives, parse_choice(0));
    if (!in_.at_end()) return error("')' without '('");
    const ExprId any = grammar_.repeat(grammar_.chars(all_codes()), 0, -1);
    std::vector<ExprId> choices;
    for (const Alternative& each : alternatives) {
      std::vector<ExprId> parts = {each.expr};
      if (match == RegexMatch::search && !each.from_start) parts.insert(parts.begin(), any);
      if (match == RegexMatch::search && !each.to_end) parts.push_back(any);
      choices.push_back(grammar_.sequence(std::move(parts)));
    }
    return grammar_.choice(std::move(choices));
  }

 private:
  struct Alternative {
    ExprId expr;
    bool from_start = false, to_end = false;  // ^ and $
  };
  using Alternatives = std::vector<Alternative>;

  Error error(const std::string& what) const { return error(what, in_.offset()); }
  Error error(const std::string& what, size_t offset) const {
    return input_error(fmt::format("column {}: {}", in_.column(offset), what));
  }

  Result<Alternatives> parse_choice(int depth) {
    if (depth > kMaxDepth) return error(fmt::format("groups nested deeper than {} levels", kMaxDepth));
    Alternatives out;
    do {
      SMELT_ASSIGN(const Alternatives more, parse_sequence(depth));
      out.insert(out.end(), more.begin(), more.end());
    } while (in_.take("|"));
    return out;
  }

  static bool is_bound(const Alternatives& alternatives) {
    return std::any_of(alternatives.begin(), alternatives.end(),
                       [](const Alternative& a) { return a.from_start || a.to_end; });
  }
  ExprId join(const Alternatives& alternatives) {
    std::vector<ExprId> choices;
    for (const Alternative& each : alternatives) choices.push_back(each.expr);
    return grammar_.choice(std::move(choices));
  }

  // One alternative; or those of a group that is all there is, as only then they may be bound to the text's ends.
  Result<Alternatives> parse_sequence(int depth) {
    std::vector<ExprId> parts;
    Alternatives bound;
    const bool from_start = in_.take("^");
    while (in_.take("^")) {
    }
    bool to_end = false;
    const size_t start = in_.offset();
    while (!in_.at_end() && in_.peek() != '|' && in_.peek() != ')') {
      if (in_.peek() == '^') return error("'^' is supported at the beginning of an alternative only");
      if (to_end && in_.peek() != '$') return error("'$' is supported at the end of an alternative only");
      if (in_.take("$")) {
        to_end = true;
        continue;
      }
      SMELT_ASSIGN(Alternatives item, parse_item(depth));
      const bool repeated = in_.peek() == '*' || in_.peek() == '+' || in_.peek() == '?' || in_.peek() == '{';
      if (is_bound(item) && (!parts.empty() || repeated)) return error(kBoundInside, start);
      if (!bound.empty()) return error(kBoundInside, start);
      if (is_bound(item)) bound = item;
      SMELT_ASSIGN(const ExprId part, parse_repeats(join(item)));
      parts.push_back(part);
    }
    if (bound.empty()) return Alternatives{{grammar_.sequence(std::move(parts)), from_start, to_end}};
    for (Alternative& each : bound) {
      each.from_start |= from_start;
      each.to_end |= to_end;
    }
    return bound;
  }

  Result<Alternatives> parse_item(int depth) {
    const char c = in_.peek();
    if (c == '(') return parse_group(depth);
    if (c == '*' || c == '+' || c == '?') return error(fmt::format("'{}' has nothing to repeat", c));
    ExprId item = -1;
    if (c == '[') {
      SMELT_ASSIGN(item, parse_class());
    } else if (in_.take(".")) {
      item = grammar_.chars(any_but_newlines());
    } else if (c == '\\' && std::string_view("dwsDWS").find(in_.peek(1)) != std::string_view::npos &&
               in_.peek(1) != 0) {
      item = grammar_.chars(named_class(in_.peek(1)).surely);
      in_.skip(2);
    } else {
      SMELT_ASSIGN(const char32_t code, parse_code(false));
      item = grammar_.chars(make_code_set({{code, code}}));
    }
    return Alternatives{{item}};
  }

  Result<Alternatives> parse_group(int depth) {
    const size_t start = in_.offset();
    in_.skip(1);
    if (in_.starts_with("?=") || in_.starts_with("?!") || in_.starts_with("?<=") || in_.starts_with("?<!"))
      return error("look-ahead and look-behind are not supported", start);
    if (in_.take("?P<") || in_.take("?<")) {
      while (!in_.at_end() && in_.peek() != '>') in_.skip(1);
      if (!in_.take(">")) return error("the group's name does not end", start);
    } else if (in_.peek() == '?' && !in_.take("?:")) {
      return error("this kind of group is not supported; known are (…), (?:…) and (?<name>…)", start);
    }
    SMELT_ASSIGN(Alternatives inner, parse_choice(depth + 1));
    if (!in_.take(")")) return error("'(' is not closed", start);
    return inner;
  }

  Result<ExprId> parse_repeats(ExprId part) {
    for (int in_a_row = 0;; ++in_a_row) {
      const size_t start = in_.offset();
      std::optional<Repeats> repeats = take_repeat_sign(in_);
      if (!repeats && in_.peek() == '{') {
        SMELT_ASSIGN(repeats, parse_counts());
      }
      if (!repeats) return part;
      if (in_a_row > 0) return error("a repetition of a repetition; put the inner one into a group", start);
      if (in_.peek() == '+') return error("possessive repetitions are not supported");
      in_.take("?");  // the lazy form matches the same whole texts
      part = grammar_.repeat(part, repeats->min, repeats->max);
    }
  }

  Result<Repeats> parse_counts() {
    const size_t start = in_.offset();
    in_.skip(1);
    const auto least = in_.take_number();
    if (!least) return error("'{' wants a count: {3}, {3,} or {3,5}; the character itself is written \\{", start);
    Repeats repeats{*least, *least};
    if (in_.take(",")) {
      const auto most = in_.take_number();
      if (!most && in_.peek() != '}') return error("'{' wants a count: {3}, {3,} or {3,5}", start);
      repeats.max = most ? *most : -1;
    }
    if (!in_.take("}")) return error("'{' is not closed", start);
    if (const auto fault = find_fault(repeats)) return error(*fault, start);
    return repeats;
  }

  Result<char32_t> parse_code(bool in_class) {
    const size_t start = in_.offset();
    if (!in_.take("\\")) return in_.take_code();
    if (in_.at_end()) return error("a character should follow '\\'", start);
    const char c = in_.peek();
    in_.skip(1);
    switch (c) {
      case 'n':
        return U'\n';
      case 'r':
        return U'\r';
      case 't':
        return U'\t';
      case 'f':
        return U'\f';
      case 'v':
        return U'\v';
      case 'x':
        return parse_hex(2, start);
      case 'u':
        return parse_unicode(start);
      case '0':
        if (in_.peek() >= '0' && in_.peek() <= '9') return error("octal escapes are not supported", start);
        return U'\0';
      case 'b':
        if (in_class) return U'\b';
        return error("\\b (word boundary) is not supported", start);
      default:
        break;
    }
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (c >= '1' && c <= '9') return error("back references are not supported", start);
    if (letter) return error(fmt::format("the escape \\{} is not supported", c), start);
    in_.go_to(start + 1);
    return in_.take_code();
  }

  Result<char32_t> parse_hex(int digits, size_t start) {
    const auto code = in_.take_hex(digits);
    if (!code) return error(fmt::format("{} hexadecimal digits are wanted here", digits), start);
    return check_code(*code, start);
  }
  Result<char32_t> check_code(char32_t code, size_t start) const {
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
      return error(fmt::format("{:X} is not a character of Unicode", static_cast<uint32_t>(code)), start);
    return code;
  }
  Result<char32_t> parse_unicode(size_t start) {
    if (!in_.take("{")) return parse_hex(4, start);
    char32_t code = 0;
    while (const auto digit = in_.take_hex(1)) code = std::min<char32_t>(code * 16 + *digit, 0x110000);
    if (!in_.take("}")) return error("\\u{ is not closed", start);
    return check_code(code, start);
  }

  Result<ExprId> parse_class() {
    const size_t start = in_.offset();
    in_.skip(1);
    const bool negated = in_.take("^");
    CodeSet set;
    while (!in_.take("]")) {
      if (in_.at_end()) return error("the class '[' is not closed", start);
      if (in_.starts_with("[:") || in_.starts_with("[=") || in_.starts_with("[."))
        return error("POSIX classes are not supported");
      const char letter = in_.peek(1);
      if (in_.peek() == '\\' && letter != 0 && std::string_view("dwsDWS").find(letter) != std::string_view::npos) {
        const NamedClass named = named_class(letter);
        set = united(set, negated ? named.perhaps : named.surely);
        in_.skip(2);
        if (in_.peek() == '-' && in_.peek(1) != ']') return error("a range cannot begin with a class");
        continue;
      }
      SMELT_ASSIGN(const CodeRange range, parse_range());
      set = united(set, make_code_set({range}));
    }
    if (negated) set = inverted(set);
    return grammar_.chars(std::move(set));
  }

  Result<CodeRange> parse_range() {
    const size_t start = in_.offset();
    SMELT_ASSIGN(const char32_t first, parse_code(true));
    if (in_.peek() != '-' || in_.peek(1) == ']') return CodeRange{first, first};
    in_.skip(1);
    if (in_.at_end()) return error("the class is not closed", start);
    SMELT_ASSIGN(const char32_t last, parse_code(true));
    if (last < first) return error("the range ends before it begins", start);
    return CodeRange{first, last};
  }

  static constexpr const char* kBoundInside =
      "'^' and '$' are supported at the ends of the pattern and of its alternatives only";

  Grammar& grammar_;
  TextCursor in_;
};

}  // namespace

Result<ExprId> add_regex(Grammar& grammar, std::string_view pattern, RegexMatch match) {
  if (pattern.size() > kMaxBytes) return input_error(fmt::format("patterns may have {} bytes", kMaxBytes));
  if (!is_valid_utf8(pattern)) return input_error("not UTF-8 text");
  return RegexParser(grammar, pattern).parse(match);
}

Result<Grammar> parse_regex_grammar(std::string_view pattern) {
  Grammar grammar;
  grammar.root = grammar.add_rule("root");
  SMELT_ASSIGN(const ExprId body, add_regex(grammar, pattern, RegexMatch::whole).with_context("regular expression"));
  grammar.define(grammar.root, body);
  return grammar;
}

}  // namespace smelt
