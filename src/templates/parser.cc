// Statements, and the parser's way through the tokens.
#include "templates/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "templates/parser_nesting.h"

namespace smelt::jinja {

Error Parser::error(const std::string& message) const {
  return input_error(fmt::format("line {}: {}", peek().line, message));
}

Error Parser::unexpected(const std::string& wanted) const {
  const TemplateToken& token = peek();
  const bool ends = token.kind == TokenKind::print_end || token.kind == TokenKind::block_end;
  const std::string found = ends                 ? "the end of the tag"
                            : token.text.empty() ? "the end"
                                                 : "'" + escape_for_display(token.text) + "'";
  return error(fmt::format("{} is wanted, not {}", wanted, found));
}

bool Parser::skip_symbol(std::string_view text) {
  const bool found = is_symbol(text);
  at_ += found ? 1 : 0;
  return found;
}

bool Parser::skip_name(std::string_view text) {
  const bool found = is_name(text);
  at_ += found ? 1 : 0;
  return found;
}

Status Parser::expect_symbol(std::string_view text) {
  if (skip_symbol(text)) return {};
  return unexpected(fmt::format("'{}'", text));
}

Status Parser::expect_name(std::string_view text) {
  if (skip_name(text)) return {};
  return unexpected(fmt::format("'{}'", text));
}

Result<std::string> Parser::take_name() {
  if (peek().kind != TokenKind::name) return unexpected("a name");
  return tokens_[at_++].text;
}

Status Parser::end_block() {
  if (peek().kind != TokenKind::block_end) return unexpected("the end of the tag");
  ++at_;
  return {};
}

// Statements up to a tag with one of these names, whose name is the next token then.
Result<Body> Parser::body(std::initializer_list<std::string_view> ends) {
  const Nesting nesting(*this);
  SMELT_TRY(nesting.check());
  Body out;
  while (peek().kind != TokenKind::end) {
    const bool tag = peek().kind == TokenKind::block_begin && peek(1).kind == TokenKind::name;
    if (tag && std::find(ends.begin(), ends.end(), peek(1).text) != ends.end()) {
      ++at_;
      return out;
    }
    SMELT_TRY(statement(out));
  }
  if (ends.size() == 0) return out;
  return error(fmt::format("the template ends where {{% {} %}} is wanted", *(ends.end() - 1)));
}

Result<Body> Parser::body_until(std::string_view end) {
  SMELT_ASSIGN(Body out, body({end}));
  ++at_;
  SMELT_TRY(end_block());
  return out;
}

Status Parser::statement(Body& into) {
  Stmt& out = syntax_.stmts.emplace_back();
  out.line = peek().line;
  into.push_back(&out);
  if (peek().kind == TokenKind::text) {
    out.text = Value::text(tokens_[at_++].text, false);
    return {};
  }
  if (peek().kind == TokenKind::print_begin) {
    ++at_;
    out.kind = StmtKind::print;
    SMELT_ASSIGN(out.expr, tuple(true));
    if (peek().kind != TokenKind::print_end) return unexpected("'}}'");
    ++at_;
    return {};
  }
  ++at_;  // {%
  SMELT_ASSIGN(out.name, take_name());
  constexpr std::array<std::pair<const char*, Status (Parser::*)(Stmt&)>, 7> kTags = {{
      {"if", &Parser::if_statement},
      {"for", &Parser::for_statement},
      {"set", &Parser::set_statement},
      {"macro", &Parser::macro_statement},
      {"call", &Parser::call_statement},
      {"filter", &Parser::filter_statement},
      {"with", &Parser::with_statement},
  }};
  for (const auto& [name, parse] : kTags) {
    if (out.name == name) return (this->*parse)(out);
  }
  return plain_statement(out);
}

Status Parser::plain_statement(Stmt& out) {
  if (out.name == "generation") {
    out.kind = StmtKind::scope;
    SMELT_TRY(end_block());
    SMELT_ASSIGN(out.body, body_until("endgeneration"));
    return {};
  }
  if (out.name != "break" && out.name != "continue")
    return error(fmt::format("the tag '{}' is not supported in chat templates", escape_for_display(out.name)));
  if (loops_ == 0) return error(fmt::format("'{}' outside of a loop", out.name));
  out.kind = out.name == "break" ? StmtKind::break_ : StmtKind::continue_;
  return end_block();
}

Status Parser::if_statement(Stmt& out) {
  out.kind = StmtKind::if_;
  SMELT_ASSIGN(const Expr* condition, tuple(true));
  while (true) {
    SMELT_TRY(end_block());
    SMELT_ASSIGN(Body then, body({"elif", "else", "endif"}));
    out.branches.push_back({condition, std::move(then)});
    if (!skip_name("elif")) break;
    SMELT_ASSIGN(condition, tuple(true));
  }
  if (skip_name("else")) {
    SMELT_TRY(end_block());
    SMELT_ASSIGN(Body otherwise, body({"endif"}));
    out.branches.push_back({nullptr, std::move(otherwise)});
  }
  SMELT_TRY(expect_name("endif"));
  return end_block();
}

Result<std::vector<Target>> Parser::targets(bool& unpacks, bool attributes) {
  std::vector<Target> out;
  const bool brackets = skip_symbol("(");
  unpacks = brackets;
  while (true) {
    SMELT_ASSIGN(std::string name, take_name());
    out.push_back({std::move(name)});
    if (attributes && skip_symbol(".")) {
      SMELT_ASSIGN(out.back().attribute, take_name());
    }
    if (!skip_symbol(",")) break;
    unpacks = true;
    if (peek().kind != TokenKind::name || is_name("in")) break;
  }
  if (brackets) SMELT_TRY(expect_symbol(")"));
  return out;
}

Status Parser::for_statement(Stmt& out) {
  out.kind = StmtKind::for_;
  SMELT_ASSIGN(out.targets, targets(out.unpacks, false));
  SMELT_TRY(expect_name("in"));
  SMELT_ASSIGN(out.expr, tuple(false));
  if (skip_name("if")) {
    SMELT_ASSIGN(out.filter, expression());
  }
  if (is_name("recursive")) return error("recursive loops are not supported");
  SMELT_TRY(end_block());
  ++loops_;
  SMELT_ASSIGN(out.body, body({"else", "endfor"}));
  --loops_;
  if (skip_name("else")) {
    SMELT_TRY(end_block());
    SMELT_ASSIGN(out.otherwise, body({"endfor"}));
  }
  SMELT_TRY(expect_name("endfor"));
  return end_block();
}

Status Parser::set_statement(Stmt& out) {
  SMELT_ASSIGN(out.targets, targets(out.unpacks, true));
  if (skip_symbol("=")) {
    out.kind = StmtKind::set;
    SMELT_ASSIGN(out.expr, tuple(true));
    return end_block();
  }
  out.kind = StmtKind::set_block;
  if (out.unpacks) return unexpected("'='");
  Expr& value = make(ExprKind::name);
  value.name = kBlockValue;
  SMELT_ASSIGN(out.expr, filters_and_tests(&value));
  SMELT_TRY(end_block());
  SMELT_ASSIGN(out.body, body_until("endset"));
  return {};
}

Status Parser::parameters(Stmt& out) {
  SMELT_TRY(expect_symbol("("));
  while (!is_symbol(")")) {
    SMELT_ASSIGN(std::string name, take_name());
    const Expr* standard = nullptr;
    if (skip_symbol("=")) {
      SMELT_ASSIGN(standard, expression());
    }
    out.parameters.emplace_back(std::move(name), standard);
    if (!skip_symbol(",")) break;
  }
  return expect_symbol(")");
}

// A body that runs where it is called: loops around it are not its own.
Status Parser::macro_body(Stmt& out, std::string_view end) {
  const int loops = std::exchange(loops_, 0);
  SMELT_ASSIGN(out.body, body_until(end));
  loops_ = loops;
  return {};
}

Status Parser::macro_statement(Stmt& out) {
  out.kind = StmtKind::macro;
  SMELT_ASSIGN(out.name, take_name());
  SMELT_TRY(parameters(out));
  SMELT_TRY(end_block());
  return macro_body(out, "endmacro");
}

Status Parser::call_statement(Stmt& out) {
  out.kind = StmtKind::call;
  out.name = "caller";
  if (is_symbol("(")) SMELT_TRY(parameters(out));
  SMELT_ASSIGN(out.expr, expression());
  if (out.expr->kind != ExprKind::call) return error("{% call %} wants a call");
  SMELT_TRY(end_block());
  return macro_body(out, "endcall");
}

Status Parser::filter_statement(Stmt& out) {
  out.kind = StmtKind::filter;
  Expr& value = make(ExprKind::name);
  value.name = kBlockValue;
  --at_;  // filter() skips what stands in front of the name
  SMELT_ASSIGN(const Expr* first, filter(&value));
  SMELT_ASSIGN(out.expr, filters_and_tests(first));
  SMELT_TRY(end_block());
  SMELT_ASSIGN(out.body, body_until("endfilter"));
  return {};
}

Status Parser::with_statement(Stmt& out) {
  out.kind = StmtKind::with;
  while (peek().kind != TokenKind::block_end) {
    SMELT_ASSIGN(std::string name, take_name());
    SMELT_TRY(expect_symbol("="));
    SMELT_ASSIGN(const Expr* value, expression());
    out.parameters.emplace_back(std::move(name), value);
    if (!skip_symbol(",")) break;
  }
  SMELT_TRY(end_block());
  SMELT_ASSIGN(out.body, body_until("endwith"));
  return {};
}

Result<Syntax> Parser::run() {
  SMELT_ASSIGN(syntax_.body, body({}));
  return std::move(syntax_);
}

Result<Syntax> parse_template(std::string_view source) {
  SMELT_ASSIGN(auto tokens, cut_template(source));
  return Parser(std::move(tokens)).run();
}

}  // namespace smelt::jinja
