// A context-free grammar over Unicode text: what grammar files, JSON schemas and regular expressions are translated to,
// and what nfa.h compiles. Plain data: rules whose bodies are expressions, kept in one array.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "grammar/code_set.h"

namespace smelt {

using ExprId = int32_t;
using RuleId = int32_t;

struct Expr {
  enum class Kind : uint8_t { text, chars, sequence, choice, repeat, call };
  Kind kind = Kind::text;
  std::string text{};           // of text: UTF-8
  CodeSet chars{};              // of chars; the empty set matches nothing
  std::vector<ExprId> parts{};  // of sequence and choice (none: matches nothing); the one of repeat
  int64_t min = 0, max = -1;    // of repeat; max -1: no limit
  RuleId rule = -1;             // of call
};

struct Rule {
  std::string name;   // for errors
  std::string where;  // … "line 3:1"; may be empty
  ExprId body = -1;
};

class Grammar {
 public:
  ExprId text(std::string_view utf8);
  ExprId chars(CodeSet set);
  ExprId sequence(std::vector<ExprId> parts);
  ExprId choice(std::vector<ExprId> parts);
  ExprId repeat(ExprId part, int64_t min, int64_t max);
  ExprId call(RuleId rule);
  ExprId nothing() { return choice({}); }  // matches no text
  ExprId empty() { return text(""); }      // matches the empty text

  RuleId add_rule(std::string name, std::string where = {});
  void define(RuleId rule, ExprId body) { rules_[static_cast<size_t>(rule)].body = body; }

  const Expr& expr(ExprId id) const { return exprs_[static_cast<size_t>(id)]; }
  const Rule& rule(RuleId id) const { return rules_[static_cast<size_t>(id)]; }
  size_t n_rules() const { return rules_.size(); }
  size_t n_exprs() const { return exprs_.size(); }

  RuleId root = 0;

 private:
  ExprId add(Expr expr);
  std::vector<Expr> exprs_;
  std::vector<Rule> rules_;
};

// Parsers: any bytes give a grammar or an error with line and column (regular expressions: the column). Fuzz targets.
Result<Grammar> parse_gbnf(std::string_view text, const std::string& file_name);
Result<Grammar> parse_regex_grammar(std::string_view pattern);  // the whole text has to match
// JSON Schema; errors name file and JSON pointer. What matches are compact texts of valid values, not all of them.
Result<Grammar> parse_json_schema(std::string_view json, const std::string& file_name);

}  // namespace smelt
