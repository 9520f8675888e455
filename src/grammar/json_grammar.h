// The pieces of which grammars of JSON text are made: characters of strings, whole strings, numbers between bounds.
// Internal to this folder.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "grammar/code_dfa.h"
#include "grammar/grammar.h"

namespace smelt {

class JsonGrammar {
 public:
  Grammar grammar;

  // Characters as they stand in a string, each in one way: plain if it may be, else escaped.
  ExprId string_chars(const CodeSet& set);
  // Any character of a string, in all ways to write it.
  ExprId any_string_char();
  ExprId any_string();
  ExprId comma();  // with a space behind it or none
  ExprId colon();
  // An expression without calls over characters, as it stands in a string.
  ExprId in_string(const Grammar& from, ExprId expr);
  ExprId quoted(ExprId content);

 private:
  std::map<std::vector<std::pair<char32_t, char32_t>>, ExprId> chars_;  // made already
  std::optional<ExprId> any_char_;
  std::optional<RuleId> any_string_;
};

// A number between bounds, in tenths, hundredths, … of one: n stands for n / 10^digits.
struct ScaledBounds {
  std::optional<int64_t> least, most;
};

// Whole numbers of at most 15 digits, and beyond them where a bound is.
ExprId add_integers(Grammar& grammar, const ScaledBounds& bounds);
// Decimals with at most `digits` digits behind the point.
ExprId add_decimals(Grammar& grammar, const ScaledBounds& bounds, int digits);
ExprId add_any_number(Grammar& grammar);

// The regular expression of a format, or nothing if it is not known. schema_formats.inc has them.
const char* format_pattern(std::string_view name);
std::string format_names();

}  // namespace smelt
