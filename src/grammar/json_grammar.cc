// Strings of JSON.
#include "grammar/json_grammar.h"

#include "base/text.h"

namespace smelt {
namespace {

struct Format {
  const char *name, *pattern;
};

#define DATE_YEAR "([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
#define DATE_LEAP "([0-9]{2}(0[48]|[2468][048]|[13579][26])|([2468][048]|[13579][26]|0[48])00)"
#define DATE                                                                                         \
  "(" DATE_YEAR                                                                                      \
  "-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|" \
  "2[0-8]))|" DATE_LEAP "-02-29)"
#define TIME "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
#define LABEL "[A-Za-z0-9]([A-Za-z0-9-]{0,20}[A-Za-z0-9])?"
#define HOST LABEL "(\\." LABEL "){0,4}"
#define BYTE "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"

// Each of these texts is of the format; not every text of the format is among them.
constexpr Format kFormats[] = {
#define SMELT_FORMAT(name, pattern) {name, pattern},
#include "grammar/schema_formats.inc"
#undef SMELT_FORMAT
};

constexpr char32_t kDelete = 0x7f;

}  // namespace

const char* format_pattern(std::string_view name) {
  for (const Format& format : kFormats)
    if (name == format.name) return format.pattern;
  return nullptr;
}

std::string format_names() {
  std::string out;
  for (const Format& format : kFormats) out += (out.empty() ? "" : ", ") + std::string(format.name);
  return out;
}

ExprId JsonGrammar::string_chars(const CodeSet& set) {
  std::vector<std::pair<char32_t, char32_t>> key;
  for (const CodeRange& range : set) key.emplace_back(range.first, range.last);
  const auto [known, is_new] = chars_.try_emplace(std::move(key), -1);
  if (!is_new) return known->second;
  const CodeSet escaped = make_code_set({{0, 0x1f}, {'"', '"'}, {'\\', '\\'}});
  std::vector<ExprId> choices;
  if (CodeSet plain = intersected(set, inverted(escaped)); !plain.empty())
    choices.push_back(grammar.chars(std::move(plain)));
  std::vector<CodeRange> letters, low, high;  // behind "\\", "\\u000" and "\\u001"
  for (const CodeRange& range : intersected(set, escaped)) {
    for (char32_t c = range.first; c <= range.last; ++c) {
      const char32_t letter = c == '\n' ? 'n' : c == '\t' ? 't' : c == '\r' ? 'r' : c;
      const char32_t digit = c % 16 < 10 ? '0' + c % 16 : 'a' + c % 16 - 10;
      (letter >= 0x20 ? letters
       : c < 0x10     ? low
                      : high)
          .push_back(letter >= 0x20 ? CodeRange{letter, letter} : CodeRange{digit, digit});
    }
  }
  const auto add = [&](const char* before, std::vector<CodeRange>& ranges) {
    if (ranges.empty()) return;
    choices.push_back(grammar.sequence({grammar.text(before), grammar.chars(make_code_set(std::move(ranges)))}));
  };
  add("\\", letters);
  add("\\u000", low);
  add("\\u001", high);
  known->second = grammar.choice(std::move(choices));
  return known->second;
}

ExprId JsonGrammar::any_string_char() {
  if (any_char_) return *any_char_;
  const auto set = [this](std::string_view letters) {
    std::vector<CodeRange> ranges;
    for (const char c : letters) ranges.push_back({static_cast<char32_t>(c), static_cast<char32_t>(c)});
    return grammar.chars(make_code_set(std::move(ranges)));
  };
  const ExprId hex = set("0123456789abcdefABCDEF");
  const ExprId plain =
      grammar.chars(inverted(make_code_set({{0, 0x1f}, {'"', '"'}, {'\\', '\\'}, {kDelete, kDelete}})));
  // Not the halves of pairs, which alone are no characters.
  const ExprId first = grammar.choice(
      {grammar.sequence({set("0123456789abcefABCEF"), hex}), grammar.sequence({set("dD"), set("01234567")})});
  const ExprId code = grammar.sequence({grammar.text("u"), first, hex, hex});
  const ExprId escape = grammar.sequence({grammar.text("\\"), grammar.choice({set("\"\\/bfnrt"), code})});
  any_char_ = grammar.choice({plain, escape});
  return *any_char_;
}

ExprId JsonGrammar::quoted(ExprId content) {
  const ExprId quote = grammar.text("\"");
  return grammar.sequence({quote, content, quote});
}

ExprId JsonGrammar::any_string() {
  if (!any_string_) {
    any_string_ = grammar.add_rule("string");
    grammar.define(*any_string_, quoted(grammar.repeat(any_string_char(), 0, -1)));
  }
  return grammar.call(*any_string_);
}

ExprId JsonGrammar::comma() { return grammar.sequence({grammar.text(","), grammar.repeat(grammar.text(" "), 0, 1)}); }
ExprId JsonGrammar::colon() { return grammar.sequence({grammar.text(":"), grammar.repeat(grammar.text(" "), 0, 1)}); }

ExprId JsonGrammar::in_string(const Grammar& from, ExprId id) {
  const Expr& expr = from.expr(id);
  std::vector<ExprId> parts;
  for (const ExprId part : expr.parts) parts.push_back(in_string(from, part));
  switch (expr.kind) {
    case Expr::Kind::text:
      for (const char32_t c : decode_utf8(expr.text)) parts.push_back(string_chars({{c, c}}));
      return grammar.sequence(std::move(parts));
    case Expr::Kind::chars:
      return string_chars(expr.chars);
    case Expr::Kind::choice:
      return grammar.choice(std::move(parts));
    case Expr::Kind::repeat:
      return grammar.repeat(parts.front(), expr.min, expr.max);
    default:
      return grammar.sequence(std::move(parts));
  }
}

}  // namespace smelt
