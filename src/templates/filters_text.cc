// Filters over strings. Those that str has as a method too are that method.
#include "base/text.h"
#include "templates/characters.h"
#include "templates/filters.h"

namespace smelt::jinja {
namespace {

Result<Value> as_method(Runtime& runtime, const Value& input, const char* name, const Arguments& arguments) {
  SMELT_ASSIGN(const Value text, soft_text(runtime, input));
  return runtime.method(text, name, arguments);
}

bool begins_word(char32_t c) { return is_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<'; }

}  // namespace

Result<Value> soft_text(Runtime& runtime, const Value& value) { return runtime.to_text(value); }

Result<Value> filter_upper(Runtime& runtime, const Value& input, const Arguments&) {
  return as_method(runtime, input, "upper", {});
}
Result<Value> filter_lower(Runtime& runtime, const Value& input, const Arguments&) {
  return as_method(runtime, input, "lower", {});
}
Result<Value> filter_capitalize(Runtime& runtime, const Value& input, const Arguments&) {
  return as_method(runtime, input, "capitalize", {});
}

Result<Value> filter_trim(Runtime& runtime, const Value& input, const Arguments& arguments) {
  SMELT_ASSIGN(const auto given, bind(arguments, {"chars"}));
  Arguments passed;
  if (!given[0].is_undefined()) passed.positional.push_back(given[0]);
  return as_method(runtime, input, "strip", passed);
}

Result<Value> filter_replace(Runtime& runtime, const Value& input, const Arguments& arguments) {
  SMELT_ASSIGN(auto given, bind(arguments, {"old", "new", "count"}, 2));
  for (size_t i = 0; i < 2; ++i) {
    SMELT_ASSIGN(given[i], soft_text(runtime, given[i]));
  }
  if (given[2].is_undefined() || given[2].is_none()) given.pop_back();
  return as_method(runtime, input, "replace", {std::move(given), {}});
}

Result<Value> filter_center(Runtime& runtime, const Value& input, const Arguments& arguments) {
  SMELT_ASSIGN(const auto given, bind(arguments, {"width"}));
  return as_method(runtime, input, "center", {{given[0].is_undefined() ? Value::integer(80) : given[0]}, {}});
}

Result<Value> filter_format(Runtime& runtime, const Value& input, const Arguments& arguments) {
  SMELT_ASSIGN(const Value text, soft_text(runtime, input));
  if (arguments.named.empty()) {
    SMELT_ASSIGN(const Value values, runtime.list(arguments.positional, ListShape::tuple));
    return format_percent(runtime, *text.find_text(), values);
  }
  std::vector<Entry> entries;
  for (const auto& [name, value] : arguments.named) {
    SMELT_ASSIGN(Value key, runtime.text(name));
    entries.emplace_back(std::move(key), value);
  }
  SMELT_ASSIGN(const Value values, runtime.dict(std::move(entries)));
  return format_percent(runtime, *text.find_text(), values);
}

// Jinja's own rule, which differs from str.title: words begin behind white space, "-" and opening brackets only.
Result<Value> filter_title(Runtime& runtime, const Value& input, const Arguments&) {
  SMELT_ASSIGN(const Value value, soft_text(runtime, input));
  const Text& text = *value.find_text();
  TextBuilder out(runtime.budget());
  bool begins = true;
  for (size_t i = 0; i < text.size();) {
    const Character c = character_at(text.bytes(), i);
    SMELT_TRY(out.append(begins ? to_upper(c.code) : to_lower(c.code), text.foreign_at(i)));
    begins = begins_word(c.code);
    i += c.size;
  }
  return out.finish();
}

Result<Value> filter_indent(Runtime& runtime, const Value& input, const Arguments& arguments) {
  SMELT_ASSIGN(const auto given, bind(arguments, {"width", "first", "blank"}));
  SMELT_ASSIGN(const Value value, soft_text(runtime, input));
  TextBuilder blanks(runtime.budget());
  if (const Text* width = given[0].find_text()) {
    SMELT_TRY(blanks.append(*width));
  } else {
    SMELT_ASSIGN(const int64_t n, given[0].is_undefined() ? Result<int64_t>(4) : to_integer(given[0], "width"));
    SMELT_TRY(blanks.append(' ', static_cast<uint64_t>(std::max<int64_t>(n, 0))));
  }
  const Value indent = blanks.finish();
  SMELT_ASSIGN(const Value newline, runtime.text("\n"));
  SMELT_ASSIGN(const Value with_newline, runtime.binary("+", value, newline));
  SMELT_ASSIGN(const Value split, runtime.method(with_newline, "splitlines", {}));
  const std::vector<Value>& lines = split.find_list()->items;
  TextBuilder out(runtime.budget());
  for (size_t i = 0; i < lines.size(); ++i) {
    const Text& line = *lines[i].find_text();
    if (i > 0) SMELT_TRY(out.append("\n"));
    const bool indents = i == 0 ? given[1].is_true() : given[2].is_true() || !line.empty();
    if (indents) SMELT_TRY(out.append(*indent.find_text()));
    SMELT_TRY(out.append(line));
  }
  return out.finish();
}

Result<Value> filter_escape(Runtime& runtime, const Value& input, const Arguments&) {
  SMELT_ASSIGN(const Value value, soft_text(runtime, input));
  const Text& text = *value.find_text();
  TextBuilder out(runtime.budget());
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text.bytes()[i];
    const char* code = c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&#34;" : "&#39;";
    if (std::string_view("&<>\"'").find(c) == std::string_view::npos) {
      SMELT_TRY(out.append(text, i, 1));
    } else {
      SMELT_TRY(out.append(code, text.foreign_at(i)));
    }
  }
  return out.finish();
}

// Runs of letters, digits and underscores.
Result<Value> filter_wordcount(Runtime& runtime, const Value& input, const Arguments&) {
  SMELT_ASSIGN(const Value value, soft_text(runtime, input));
  const std::string& text = value.find_text()->bytes();
  SMELT_TRY(runtime.budget().step(text.size() / 16));
  int64_t n = 0;
  bool inside = false;
  for (size_t i = 0; i < text.size();) {
    const Character c = character_at(text, i);
    const bool word = is_letter(c.code) || is_digit(c.code) || c.code == '_';
    n += word && !inside ? 1 : 0;
    inside = word;
    i += c.size;
  }
  return Value::integer(n);
}

}  // namespace smelt::jinja
