// What the parser makes of a template. Nodes live in the template's own lists and point at each other, so that however
// deep they nest, they are freed one by one.
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "templates/value.h"

namespace smelt::jinja {

enum class ExprKind : uint8_t {
  literal,
  name,
  list,
  tuple,
  dict,  // operands: key, value, key, value, …
  negate,
  plus,
  invert,       // not
  binary,       // op
  compare,      // operands[0] ops[0] operands[1] ops[1] …
  both,         // and
  either,       // or
  concat,       // ~
  conditional,  // operands: condition, then, else or null
  attribute,    // operands[0].name
  item,         // operands[0][operands[1]]
  slice,        // operands[0][operands[1]:operands[2]:operands[3]], each of these may be null
  call,         // operands[0](operands[1]…, named…)
  filter,       // operands[0] | name(operands[1]…, named…)
  test,         // operands[0] is name(operands[1]…)
};

struct Expr {
  ExprKind kind = ExprKind::literal;
  int line = 0;
  std::string name;  // also the operator of binary
  Value literal{};
  std::vector<const Expr*> operands{};
  std::vector<std::pair<std::string, const Expr*>> named{};
  std::vector<std::string> ops{};
};

struct Stmt;
using Body = std::vector<const Stmt*>;

enum class StmtKind : uint8_t {
  text,
  print,
  if_,  // branches
  for_,
  set,        // targets = expr
  set_block,  // targets[0] = body, through the filters of expr
  macro,
  call,    // {% call(parameters) expr %} body
  filter,  // body through the filters of expr
  with,    // assignments
  scope,   // {% generation %}
  break_,
  continue_,
};

// a, or a.b for namespaces
struct Target {
  std::string name;
  std::string attribute{};
};
struct Branch {
  const Expr* condition;  // null: else
  Body body;
};

struct Stmt {
  StmtKind kind = StmtKind::text;
  int line = 0;
  std::string name;  // of a macro; else the text
  Value text{};
  const Expr* expr = nullptr;    // for: what is looped over
  const Expr* filter = nullptr;  // for … if filter
  std::vector<Target> targets{};
  bool unpacks = false;                                           // targets are written as a tuple
  std::vector<std::pair<std::string, const Expr*>> parameters{};  // defaults may be null; of with: its assignments
  std::vector<Branch> branches{};
  Body body{};
  Body otherwise{};
};

struct Syntax {
  std::deque<Expr> exprs{};
  std::deque<Stmt> stmts{};
  Body body{};
};

// The value that the filters of a set or filter block begin with.
inline constexpr const char* kBlockValue = " block";

Result<Syntax> parse_template(std::string_view source);

}  // namespace smelt::jinja
