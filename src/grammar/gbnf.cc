// Grammar files in GBNF, the notation of llama.cpp: rules `name ::= …` of strings, character classes, groups,
// alternatives and repetitions; the rule `root` is what the whole text must match.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "base/text.h"
#include "grammar/grammar.h"
#include "grammar/repeats.h"
#include "grammar/text_cursor.h"

namespace smelt {
namespace {

constexpr int kMaxDepth = 200;         // of groups
constexpr size_t kMaxBytes = 1 << 20;  // of a file
constexpr size_t kMaxRules = 20'000;
constexpr size_t kMaxExprs = 100'000;

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

class GbnfParser {
 public:
  explicit GbnfParser(std::string_view text) : in_(text) {}

  Result<Grammar> parse() {
    skip_space(true);
    while (!in_.at_end()) SMELT_TRY(parse_rule());
    const auto root = rules_.find("root");
    if (root == rules_.end() || grammar_.rule(root->second).body < 0)
      return input_error("there is no rule 'root' (root ::= …), which says what the whole text is");
    for (size_t id = 0; id < grammar_.n_rules(); ++id) {
      const Rule& rule = grammar_.rule(static_cast<RuleId>(id));
      if (rule.body >= 0) continue;
      return input_error(fmt::format("{}: rule '{}' is used but not defined{}", rule.where, rule.name, nearest(rule)));
    }
    grammar_.root = root->second;
    return std::move(grammar_);
  }

 private:
  Error error(const std::string& what) const { return error(what, in_.offset()); }
  Error error(const std::string& what, size_t offset) const {
    return input_error(fmt::format("{}: {}", in_.line_and_column(offset), what));
  }

  std::string nearest(const Rule& missing) const {
    std::vector<std::string> names;
    if (rules_.size() > 1000) return "";
    for (const auto& [name, id] : rules_)
      if (grammar_.rule(id).body >= 0) names.push_back(name);
    const std::string found = find_nearest(missing.name, names);
    return found.empty() ? "" : "; did you mean '" + found + "'?";
  }

  // Comments end with their line; lines go on within groups and after what cannot end a rule.
  void skip_space(bool newlines) {
    while (true) {
      const char c = in_.peek();
      if (in_.at_end()) return;
      if (c == '#') {
        while (!in_.at_end() && in_.peek() != '\n') in_.skip(1);
      } else if (c == ' ' || c == '\t' || c == '\r' || (newlines && c == '\n')) {
        in_.skip(1);
      } else {
        return;
      }
    }
  }

  std::string take_name() {
    const size_t start = in_.offset();
    while (is_name_char(in_.peek())) in_.skip(1);
    return std::string(in_.since(start));
  }

  Result<RuleId> find_rule(const std::string& name, size_t offset) {
    const auto known = rules_.find(name);
    if (known != rules_.end()) return known->second;
    if (grammar_.n_rules() == kMaxRules) return error(fmt::format("more than {} rules", kMaxRules), offset);
    const RuleId id = grammar_.add_rule(name, in_.line_and_column(offset));
    rules_.emplace(name, id);
    return id;
  }

  Status parse_rule() {
    const size_t start = in_.offset();
    const std::string name = take_name();
    if (name.empty()) return error("here a rule should begin: name ::= …");
    skip_space(false);
    if (!in_.take("::=")) return error(fmt::format("'::=' is missing after the name '{}'", escape_for_display(name)));
    SMELT_ASSIGN(const RuleId rule, find_rule(name, start));
    if (grammar_.rule(rule).body >= 0) return error(fmt::format("rule '{}' is defined twice", name), start);
    skip_space(true);
    SMELT_ASSIGN(const ExprId body, parse_choice(0));
    grammar_.define(rule, body);
    if (!in_.at_end() && in_.peek() != '\n') return error("this does not belong to a rule");
    skip_space(true);
    return {};
  }

  // Alternatives may go on in a line that begins with '|'.
  bool take_bar(int depth) {
    const size_t before = in_.offset();
    skip_space(true);
    if (in_.take("|")) return true;
    if (depth == 0) in_.go_to(before);
    return false;
  }

  Result<ExprId> parse_choice(int depth) {
    if (depth > kMaxDepth) return error(fmt::format("groups nested deeper than {} levels", kMaxDepth));
    std::vector<ExprId> choices;
    do {
      skip_space(true);
      SMELT_ASSIGN(const ExprId sequence, parse_sequence(depth));
      choices.push_back(sequence);
    } while (take_bar(depth));
    return grammar_.choice(std::move(choices));
  }

  Result<ExprId> parse_sequence(int depth) {
    std::vector<ExprId> parts;
    while (true) {
      skip_space(depth > 0);
      const char c = in_.peek();
      if (in_.at_end() || c == '\n' || c == '|' || c == ')') break;
      SMELT_ASSIGN(ExprId part, parse_item(depth));
      SMELT_ASSIGN(part, parse_repeats(part));
      parts.push_back(part);
      if (grammar_.n_exprs() > kMaxExprs) return error(fmt::format("the grammar has more than {} parts", kMaxExprs));
    }
    if (in_.peek() == ')' && depth == 0) return error("')' without '('");
    return grammar_.sequence(std::move(parts));
  }

  Result<ExprId> parse_item(int depth) {
    const char c = in_.peek();
    if (c == '"') return parse_text();
    if (c == '[') return parse_class();
    if (in_.take(".")) return grammar_.chars(all_codes());
    if (is_name_char(c)) {
      const size_t start = in_.offset();
      SMELT_ASSIGN(const RuleId rule, find_rule(take_name(), start));
      return grammar_.call(rule);
    }
    if (c == '<' || c == '!') return error("tokens ('<…>') are not supported in grammars; write their text");
    const size_t start = in_.offset();
    if (!in_.take("(")) return error("here a string, a class, a rule's name or a group should stand");
    SMELT_ASSIGN(const ExprId inner, parse_choice(depth + 1));
    skip_space(true);
    if (!in_.take(")")) return error("'(' is not closed", start);
    return inner;
  }

  Result<ExprId> parse_repeats(ExprId part) {
    for (int in_a_row = 0;; ++in_a_row) {
      skip_space(false);
      std::optional<Repeats> repeats = take_repeat_sign(in_);
      if (!repeats && in_.peek() == '{') {
        SMELT_ASSIGN(repeats, parse_counts());
      }
      if (!repeats) return part;
      if (in_a_row > 8) return error("too many repetitions of repetitions");
      part = grammar_.repeat(part, repeats->min, repeats->max);
    }
  }

  Result<int64_t> parse_count() {
    const auto number = in_.take_number();
    if (!number) return error("in '{…}' a whole number should stand: {3}, {3,} or {3,5}");
    return *number;
  }

  Result<Repeats> parse_counts() {
    const size_t start = in_.offset();
    in_.skip(1);
    skip_space(true);
    Repeats repeats;
    const bool has_min = in_.peek() != ',';
    if (has_min) {
      SMELT_ASSIGN(repeats.min, parse_count());
    }
    skip_space(true);
    const bool has_range = in_.take(",");
    skip_space(true);
    if (!has_range) {
      repeats.max = repeats.min;
    } else if (in_.peek() != '}') {
      SMELT_ASSIGN(repeats.max, parse_count());
      skip_space(true);
    }
    if (!in_.take("}")) return error("'{' is not closed", start);
    if (const auto fault = find_fault(repeats)) return error(*fault, start);
    return repeats;
  }

  Result<char32_t> parse_code() {
    const size_t start = in_.offset();
    if (!in_.take("\\")) {
      const char32_t code = in_.take_code();
      return code;
    }
    if (in_.at_end()) return error("a character should follow '\\'");
    const char c = in_.peek();
    in_.skip(1);
    const int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits > 0) {
      const auto code = in_.take_hex(digits);
      if (!code) return error(fmt::format("\\{} wants {} hexadecimal digits", c, digits), start);
      if (*code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
        return error(fmt::format("{:X} is not a character of Unicode", static_cast<uint32_t>(*code)), start);
      return *code;
    }
    switch (c) {
      case 'n':
        return U'\n';
      case 'r':
        return U'\r';
      case 't':
        return U'\t';
      case '\\':
      case '"':
      case '[':
      case ']':
      case '-':
      case '^':
        return static_cast<char32_t>(c);
      default:
        return error("unknown escape; known are \\n \\r \\t \\\\ \\\" \\[ \\] \\- \\^ \\xHH \\uHHHH \\UHHHHHHHH",
                     start);
    }
  }

  Result<ExprId> parse_text() {
    const size_t start = in_.offset();
    in_.skip(1);
    std::string text;
    while (!in_.take("\"")) {
      if (in_.at_end() || in_.peek() == '\n') return error("the string does not end on its line", start);
      SMELT_ASSIGN(const char32_t code, parse_code());
      append_utf8(text, code);
    }
    return grammar_.text(text);
  }

  Result<ExprId> parse_class() {
    const size_t start = in_.offset();
    in_.skip(1);
    const bool negated = in_.take("^");
    std::vector<CodeRange> ranges;
    while (!in_.take("]")) {
      if (in_.at_end() || in_.peek() == '\n') return error("the class '[' does not end on its line", start);
      SMELT_ASSIGN(CodeRange range, parse_range());
      ranges.push_back(range);
    }
    CodeSet set = make_code_set(std::move(ranges));
    if (negated) set = inverted(set);
    if (set.empty()) return error("the class is empty: no character can match it", start);
    return grammar_.chars(std::move(set));
  }

  Result<CodeRange> parse_range() {
    const size_t start = in_.offset();
    SMELT_ASSIGN(const char32_t first, parse_code());
    if (in_.peek() != '-' || in_.peek(1) == ']') return CodeRange{first, first};
    in_.skip(1);
    if (in_.at_end() || in_.peek() == '\n') return error("the class does not end on its line", start);
    SMELT_ASSIGN(const char32_t last, parse_code());
    if (last < first) return error("the range ends before it begins", start);
    return CodeRange{first, last};
  }

  TextCursor in_;
  Grammar grammar_;
  std::unordered_map<std::string, RuleId> rules_;
};

}  // namespace

Result<Grammar> parse_gbnf(std::string_view text, const std::string& file_name) {
  const std::string shown = escape_for_display(file_name, 4096);
  if (text.size() > kMaxBytes) return input_error(fmt::format("{}: grammars may have {} bytes", shown, kMaxBytes));
  if (!is_valid_utf8(text)) return input_error(shown + ": not UTF-8 text");
  return GbnfParser(text).parse().with_context(shown);
}

}  // namespace smelt
