// The arena of a grammar.
#include "grammar/grammar.h"

namespace smelt {

ExprId Grammar::add(Expr expr) {
  exprs_.push_back(std::move(expr));
  return static_cast<ExprId>(exprs_.size() - 1);
}

ExprId Grammar::text(std::string_view utf8) { return add({.kind = Expr::Kind::text, .text = std::string(utf8)}); }

ExprId Grammar::chars(CodeSet set) { return add({.kind = Expr::Kind::chars, .chars = std::move(set)}); }

ExprId Grammar::sequence(std::vector<ExprId> parts) {
  if (parts.size() == 1) return parts.front();
  return add({.kind = Expr::Kind::sequence, .parts = std::move(parts)});
}

ExprId Grammar::choice(std::vector<ExprId> parts) {
  if (parts.size() == 1) return parts.front();
  return add({.kind = Expr::Kind::choice, .parts = std::move(parts)});
}

ExprId Grammar::repeat(ExprId part, int64_t min, int64_t max) {
  return add({.kind = Expr::Kind::repeat, .parts = {part}, .min = min, .max = max});
}

ExprId Grammar::call(RuleId rule) { return add({.kind = Expr::Kind::call, .rule = rule}); }

RuleId Grammar::add_rule(std::string name, std::string where) {
  rules_.push_back({.name = std::move(name), .where = std::move(where)});
  return static_cast<RuleId>(rules_.size() - 1);
}

}  // namespace smelt
