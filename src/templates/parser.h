// The parser's state and its two halves: expressions (parser_expressions.cc) and statements (parser.cc). Only these two
// files include it; others call parse_template.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "templates/lexer.h"
#include "templates/syntax.h"

namespace smelt::jinja {

class Parser {
 public:
  explicit Parser(std::vector<TemplateToken> tokens) : tokens_(std::move(tokens)) {}
  Result<Syntax> run();

 private:
  using Made = Result<const Expr*>;
  struct Nesting;

  // Tokens.
  const TemplateToken& peek(size_t ahead = 0) const {
    return tokens_[at_ + ahead < tokens_.size() ? at_ + ahead : tokens_.size() - 1];
  }
  bool is_symbol(std::string_view text) const { return peek().kind == TokenKind::symbol && peek().text == text; }
  bool is_name(std::string_view text) const { return peek().kind == TokenKind::name && peek().text == text; }
  bool skip_symbol(std::string_view text);
  bool skip_name(std::string_view text);
  Status expect_symbol(std::string_view text);
  Status expect_name(std::string_view text);
  Result<std::string> take_name();
  Error error(const std::string& message) const;
  Error unexpected(const std::string& wanted) const;

  // Expressions, loosest first.
  Made expression();             // with if … else
  Made tuple(bool conditional);  // a, b
  Made either();
  Made both();
  Made inverted();
  Made comparison();
  Made sum();
  Made concat();
  Made product();
  Made power();
  Made unary(bool with_filters);
  Made primary();
  Made string_literal();
  Made number_literal();
  Made list_literal();
  Made dict_literal();
  Made parenthesized();
  Made postfix(const Expr* operand);
  Made subscript(const Expr* operand);
  Made call(const Expr* operand);
  Made filters_and_tests(const Expr* operand);
  Made filter(const Expr* operand);
  Made test(const Expr* operand);
  Made chain(ExprKind kind, Made (Parser::*next)(), bool (Parser::*skip)(std::string_view), std::string_view between);
  Made left_associative(Made (Parser::*next)(), std::initializer_list<std::string_view> symbols);
  Result<std::string> dotted_name();
  Status arguments(Expr& into);
  bool ends_tuple() const;
  Expr& make(ExprKind kind);
  Expr& make(ExprKind kind, std::vector<const Expr*> operands);

  // Statements.
  Result<Body> body(std::initializer_list<std::string_view> ends);
  Status statement(Body& into);
  Status if_statement(Stmt& out);
  Status for_statement(Stmt& out);
  Status set_statement(Stmt& out);
  Status macro_statement(Stmt& out);
  Status macro_body(Stmt& out, std::string_view end);
  Status call_statement(Stmt& out);
  Status filter_statement(Stmt& out);
  Status with_statement(Stmt& out);
  Status plain_statement(Stmt& out);
  Status parameters(Stmt& out);
  Result<std::vector<Target>> targets(bool& unpacks, bool attributes);
  Status end_block();
  Result<Body> body_until(std::string_view end);

  std::vector<TemplateToken> tokens_;
  size_t at_ = 0;
  int nesting_ = 0;
  int loops_ = 0;
  Syntax syntax_;
};

}  // namespace smelt::jinja
