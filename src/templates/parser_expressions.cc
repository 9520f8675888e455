// Expressions, one function for each level of precedence, loosest first; the levels are Jinja's, not Python's: "~"
// binds closer than "+", and a filter closer than any operator.
#include <charconv>

#include "templates/parser_nesting.h"

namespace smelt::jinja {

Expr& Parser::make(ExprKind kind) {
  Expr& expr = syntax_.exprs.emplace_back();
  expr.kind = kind;
  expr.line = peek().line;
  return expr;
}

Expr& Parser::make(ExprKind kind, std::vector<const Expr*> operands) {
  Expr& expr = make(kind);
  expr.operands = std::move(operands);
  return expr;
}

Parser::Made Parser::expression() {
  const Nesting nesting(*this);
  SMELT_TRY(nesting.check());
  SMELT_ASSIGN(const Expr* value, either());
  while (skip_name("if")) {
    SMELT_ASSIGN(const Expr* condition, either());
    const Expr* otherwise = nullptr;
    if (skip_name("else")) {
      SMELT_ASSIGN(otherwise, expression());
    }
    value = &make(ExprKind::conditional, {condition, value, otherwise});
  }
  return value;
}

bool Parser::ends_tuple() const {
  const TokenKind kind = peek().kind;
  return kind == TokenKind::print_end || kind == TokenKind::block_end || is_symbol(")");
}

Parser::Made Parser::tuple(bool conditional) {
  SMELT_ASSIGN(const Expr* first, conditional ? expression() : either());
  if (!is_symbol(",")) return first;
  Expr& out = make(ExprKind::tuple, {first});
  while (skip_symbol(",") && !ends_tuple()) {
    SMELT_ASSIGN(const Expr* next, conditional ? expression() : either());
    out.operands.push_back(next);
  }
  return &out;
}

// One expression of all operands that the word or symbol joins.
Parser::Made Parser::chain(ExprKind kind, Made (Parser::*next)(), bool (Parser::*skip)(std::string_view),
                           std::string_view between) {
  SMELT_ASSIGN(const Expr* left, (this->*next)());
  std::vector<const Expr*> operands = {left};
  while ((this->*skip)(between)) {
    SMELT_ASSIGN(const Expr* operand, (this->*next)());
    operands.push_back(operand);
  }
  return operands.size() == 1 ? left : &make(kind, std::move(operands));
}

Parser::Made Parser::either() { return chain(ExprKind::either, &Parser::both, &Parser::skip_name, "or"); }

Parser::Made Parser::both() { return chain(ExprKind::both, &Parser::inverted, &Parser::skip_name, "and"); }

Parser::Made Parser::inverted() {
  if (!skip_name("not")) return comparison();
  const Nesting nesting(*this);
  SMELT_TRY(nesting.check());
  SMELT_ASSIGN(const Expr* operand, inverted());
  return &make(ExprKind::invert, {operand});
}

Parser::Made Parser::comparison() {
  SMELT_ASSIGN(const Expr* left, sum());
  std::vector<std::string> ops;
  std::vector<const Expr*> operands = {left};
  while (true) {
    const bool inverted_in = is_name("not") && peek(1).kind == TokenKind::name && peek(1).text == "in";
    bool found = inverted_in || is_name("in");
    for (const char* symbol : {"==", "!=", "<", "<=", ">", ">="}) found = found || is_symbol(symbol);
    if (!found) break;
    ops.push_back(inverted_in ? "not in" : peek().text);
    at_ += inverted_in ? 2 : 1;
    SMELT_ASSIGN(const Expr* next, sum());
    operands.push_back(next);
  }
  if (ops.empty()) return left;
  Expr& out = make(ExprKind::compare, std::move(operands));
  out.ops = std::move(ops);
  return &out;
}

Parser::Made Parser::left_associative(Made (Parser::*next)(), std::initializer_list<std::string_view> symbols) {
  SMELT_ASSIGN(const Expr* left, (this->*next)());
  while (true) {
    std::string_view found;
    for (const std::string_view symbol : symbols) found = is_symbol(symbol) ? symbol : found;
    if (found.empty()) return left;
    ++at_;
    SMELT_ASSIGN(const Expr* right, (this->*next)());
    Expr& out = make(ExprKind::binary, {left, right});
    out.name = found;
    left = &out;
  }
}

Parser::Made Parser::sum() { return left_associative(&Parser::concat, {"+", "-"}); }

Parser::Made Parser::concat() { return chain(ExprKind::concat, &Parser::product, &Parser::skip_symbol, "~"); }

Parser::Made Parser::product() { return left_associative(&Parser::power, {"*", "/", "//", "%"}); }

Parser::Made Parser::power() {
  SMELT_ASSIGN(const Expr* left, unary(true));
  while (skip_symbol("**")) {
    SMELT_ASSIGN(const Expr* right, unary(true));
    Expr& out = make(ExprKind::binary, {left, right});
    out.name = "**";
    left = &out;
  }
  return left;
}

Parser::Made Parser::unary(bool with_filters) {
  const Nesting nesting(*this);
  SMELT_TRY(nesting.check());
  const Expr* node = nullptr;
  if (is_symbol("-") || is_symbol("+")) {
    const ExprKind kind = is_symbol("-") ? ExprKind::negate : ExprKind::plus;
    ++at_;
    SMELT_ASSIGN(const Expr* operand, unary(false));
    node = &make(kind, {operand});
  } else {
    SMELT_ASSIGN(node, primary());
  }
  SMELT_ASSIGN(node, postfix(node));
  return with_filters ? filters_and_tests(node) : Made(node);
}

Parser::Made Parser::primary() {
  const TemplateToken& token = peek();
  if (token.kind == TokenKind::string) return string_literal();
  if (token.kind == TokenKind::integer || token.kind == TokenKind::real) return number_literal();
  if (is_symbol("(")) return parenthesized();
  if (is_symbol("[")) return list_literal();
  if (is_symbol("{")) return dict_literal();
  if (token.kind != TokenKind::name) return unexpected("a value");
  const std::string& name = token.text;
  ++at_;
  if (name == "true" || name == "True" || name == "false" || name == "False") {
    Expr& out = make(ExprKind::literal);
    out.literal = Value::boolean(name.front() == 't' || name.front() == 'T');
    return &out;
  }
  if (name == "none" || name == "None") {
    Expr& out = make(ExprKind::literal);
    out.literal = Value::none();
    return &out;
  }
  Expr& out = make(ExprKind::name);
  out.name = name;
  return &out;
}

Parser::Made Parser::string_literal() {
  std::string text;
  while (peek().kind == TokenKind::string) text += tokens_[at_++].text;
  Expr& out = make(ExprKind::literal);
  out.literal = Value::text(text, false);
  return &out;
}

Parser::Made Parser::number_literal() {
  const TemplateToken& token = peek();
  const char* const end = token.text.data() + token.text.size();
  int64_t integer = 0;
  double real = 0;
  const bool is_real = token.kind == TokenKind::real;
  const auto read =
      is_real ? std::from_chars(token.text.data(), end, real) : std::from_chars(token.text.data(), end, integer);
  if (read.ec != std::errc() || read.ptr != end) return error("the number " + token.text + " is out of range");
  ++at_;
  Expr& out = make(ExprKind::literal);
  out.literal = is_real ? Value::real(real) : Value::integer(integer);
  return &out;
}

Parser::Made Parser::parenthesized() {
  ++at_;
  if (skip_symbol(")")) return &make(ExprKind::tuple);
  SMELT_ASSIGN(const Expr* inner, tuple(true));
  SMELT_TRY(expect_symbol(")"));
  return inner;
}

Parser::Made Parser::list_literal() {
  ++at_;
  Expr& out = make(ExprKind::list);
  while (!is_symbol("]")) {
    SMELT_ASSIGN(const Expr* item, expression());
    out.operands.push_back(item);
    if (!skip_symbol(",")) break;
  }
  SMELT_TRY(expect_symbol("]"));
  return &out;
}

Parser::Made Parser::dict_literal() {
  ++at_;
  Expr& out = make(ExprKind::dict);
  while (!is_symbol("}")) {
    SMELT_ASSIGN(const Expr* key, expression());
    SMELT_TRY(expect_symbol(":"));
    SMELT_ASSIGN(const Expr* value, expression());
    out.operands.insert(out.operands.end(), {key, value});
    if (!skip_symbol(",")) break;
  }
  SMELT_TRY(expect_symbol("}"));
  return &out;
}

Parser::Made Parser::postfix(const Expr* operand) {
  while (true) {
    if (skip_symbol(".")) {
      if (peek().kind == TokenKind::integer) {
        SMELT_ASSIGN(const Expr* index, number_literal());
        operand = &make(ExprKind::item, {operand, index});
        continue;
      }
      Expr& out = make(ExprKind::attribute, {operand});
      SMELT_ASSIGN(out.name, take_name());
      operand = &out;
    } else if (is_symbol("[")) {
      SMELT_ASSIGN(operand, subscript(operand));
    } else if (is_symbol("(")) {
      SMELT_ASSIGN(operand, call(operand));
    } else {
      return operand;
    }
  }
}

Parser::Made Parser::subscript(const Expr* operand) {
  ++at_;
  std::vector<const Expr*> parts = {operand};
  bool slices = false;
  const auto stands_here = [&] { return !is_symbol(":") && !is_symbol("]"); };
  for (size_t i = 0; i < 3; ++i) {
    const Expr* part = nullptr;
    if (stands_here()) {
      SMELT_ASSIGN(part, tuple(true));
    }
    parts.push_back(part);
    if (!skip_symbol(":")) break;
    slices = true;
  }
  SMELT_TRY(expect_symbol("]"));
  if (!slices && parts[1] == nullptr) return error("empty brackets []");
  if (slices) parts.resize(4, nullptr);
  return &make(slices ? ExprKind::slice : ExprKind::item, std::move(parts));
}

Status Parser::arguments(Expr& into) {
  SMELT_TRY(expect_symbol("("));
  while (!is_symbol(")")) {
    if (is_symbol("*") || is_symbol("**")) return error("arguments with * or ** are not supported");
    const bool named = peek().kind == TokenKind::name && peek(1).kind == TokenKind::symbol && peek(1).text == "=";
    if (named) {
      std::string name = peek().text;
      at_ += 2;
      SMELT_ASSIGN(const Expr* value, expression());
      into.named.emplace_back(std::move(name), value);
    } else {
      if (!into.named.empty()) return error("a positional argument follows a named one");
      SMELT_ASSIGN(const Expr* value, expression());
      into.operands.push_back(value);
    }
    if (!skip_symbol(",")) break;
  }
  return expect_symbol(")");
}

Parser::Made Parser::call(const Expr* operand) {
  Expr& out = make(ExprKind::call, {operand});
  SMELT_TRY(arguments(out));
  return &out;
}

Parser::Made Parser::filters_and_tests(const Expr* operand) {
  while (true) {
    if (is_symbol("|")) {
      SMELT_ASSIGN(operand, filter(operand));
    } else if (is_name("is")) {
      SMELT_ASSIGN(operand, test(operand));
    } else if (is_symbol("(")) {
      SMELT_ASSIGN(operand, call(operand));
    } else {
      return operand;
    }
  }
}

Result<std::string> Parser::dotted_name() {
  SMELT_ASSIGN(std::string name, take_name());
  while (skip_symbol(".")) {
    SMELT_ASSIGN(const std::string part, take_name());
    name += "." + part;
  }
  return name;
}

Parser::Made Parser::filter(const Expr* operand) {
  ++at_;
  Expr& out = make(ExprKind::filter, {operand});
  SMELT_ASSIGN(out.name, dotted_name());
  if (is_symbol("(")) SMELT_TRY(arguments(out));
  return &out;
}

Parser::Made Parser::test(const Expr* operand) {
  ++at_;
  const bool inverted = skip_name("not");
  Expr& out = make(ExprKind::test, {operand});
  SMELT_ASSIGN(out.name, dotted_name());
  const TokenKind kind = peek().kind;
  const bool ends =
      is_name("else") || is_name("or") || is_name("and") || is_name("is") || is_name("if") || is_name("in");
  const bool argument = kind == TokenKind::name || kind == TokenKind::string || kind == TokenKind::integer ||
                        kind == TokenKind::real || is_symbol("[") || is_symbol("{");
  if (is_symbol("(")) {
    SMELT_TRY(arguments(out));
  } else if (argument && !ends) {
    const Nesting nesting(*this);
    SMELT_TRY(nesting.check());
    SMELT_ASSIGN(const Expr* value, primary());
    SMELT_ASSIGN(value, postfix(value));
    out.operands.push_back(value);
  }
  if (!inverted) return &out;
  return &make(ExprKind::invert, {&out});
}

}  // namespace smelt::jinja
