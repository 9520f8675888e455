// The expressions.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "templates/evaluator.h"

namespace smelt::jinja {

Result<Value> Evaluator::evaluate(const Expr& expr, Scope& scope) {
  const Level level(budget_);
  SMELT_TRY(level.entered());
  SMELT_TRY(budget_.step());
  auto value = evaluate_kind(expr, scope);
  const bool located = value || value.error().message.starts_with("line ");
  return located ? std::move(value) : std::move(value).with_context(fmt::format("line {}", expr.line));
}

Result<Value> Evaluator::evaluate_kind(const Expr& expr, Scope& scope) {
  switch (expr.kind) {
    case ExprKind::literal:
      return expr.literal;
    case ExprKind::name:
      return evaluate_name(expr, scope);
    case ExprKind::list:
    case ExprKind::tuple:
      return evaluate_list(expr, scope);
    case ExprKind::dict:
      return evaluate_dict(expr, scope);
    case ExprKind::negate:
    case ExprKind::plus:
    case ExprKind::invert: {
      SMELT_ASSIGN(const Value value, evaluate(*expr.operands[0], scope));
      if (expr.kind == ExprKind::invert) return Value::boolean(!value.is_true());
      return expr.kind == ExprKind::negate ? runtime_.negate(value) : value;
    }
    case ExprKind::binary:
      return evaluate_binary(expr, scope);
    case ExprKind::compare:
      return evaluate_compare(expr, scope);
    case ExprKind::both:
    case ExprKind::either:
      return evaluate_logic(expr, scope);
    case ExprKind::concat:
      return evaluate_concat(expr, scope);
    case ExprKind::conditional:
      return evaluate_conditional(expr, scope);
    case ExprKind::attribute: {
      SMELT_ASSIGN(const Value holder, evaluate(*expr.operands[0], scope));
      return runtime_.attribute(holder, expr.name);
    }
    case ExprKind::item: {
      SMELT_ASSIGN(const Value holder, evaluate(*expr.operands[0], scope));
      SMELT_ASSIGN(const Value key, evaluate(*expr.operands[1], scope));
      return runtime_.item(holder, key);
    }
    case ExprKind::slice:
      return evaluate_slice(expr, scope);
    case ExprKind::call:
      return evaluate_call(expr, scope, nullptr);
    case ExprKind::filter:
      return evaluate_filter(expr, scope);
    case ExprKind::test:
      return evaluate_test(expr, scope);
  }
  return Value();
}

Result<Value> Evaluator::evaluate_name(const Expr& expr, Scope& scope) {
  if (const Value* found = scope.find(expr.name)) return *found;
  if (const GlobalFunction* global = find_global(expr.name)) return Value(Value::Data(global));
  return Value(Value::Data(Undefined{&expr.name}));
}

Result<Value> Evaluator::evaluate_list(const Expr& expr, Scope& scope) {
  std::vector<Value> items;
  for (const Expr* operand : expr.operands) {
    SMELT_ASSIGN(Value item, evaluate(*operand, scope));
    items.push_back(std::move(item));
  }
  return runtime_.list(std::move(items), expr.kind == ExprKind::tuple ? ListShape::tuple : ListShape::list);
}

Result<Value> Evaluator::evaluate_dict(const Expr& expr, Scope& scope) {
  std::vector<Entry> entries;
  for (size_t i = 0; i + 1 < expr.operands.size(); i += 2) {
    SMELT_ASSIGN(Value key, evaluate(*expr.operands[i], scope));
    SMELT_ASSIGN(Value value, evaluate(*expr.operands[i + 1], scope));
    if (key.find_list() != nullptr || key.find_dict() != nullptr)
      return input_error("a dictionary's key must be a plain value");
    SMELT_TRY(budget_.step(entries.size() / 8));
    const auto same =
        std::find_if(entries.begin(), entries.end(), [&](const Entry& each) { return equal_scalars(each.first, key); });
    if (same != entries.end()) {
      same->second = std::move(value);
    } else {
      entries.emplace_back(std::move(key), std::move(value));
    }
  }
  return runtime_.dict(std::move(entries));
}

// As in Python the value that decides is the result, not its truth.
Result<Value> Evaluator::evaluate_logic(const Expr& expr, Scope& scope) {
  Value value;
  for (const Expr* operand : expr.operands) {
    SMELT_ASSIGN(value, evaluate(*operand, scope));
    if (value.is_true() == (expr.kind == ExprKind::either)) break;
  }
  return value;
}

Result<bool> Evaluator::compare(const std::string& op, const Value& a, const Value& b) {
  if (op == "==") return runtime_.equal(a, b);
  if (op == "in") return runtime_.contains(b, a);
  if (op == "!=" || op == "not in") {
    SMELT_ASSIGN(const bool holds, compare(op == "!=" ? "==" : "in", a, b));
    return !holds;
  }
  SMELT_ASSIGN(const int order, runtime_.compare(a, b, op.c_str()));
  if (op == "<") return order < 0;
  if (op == "<=") return order <= 0;
  return op == ">" ? order > 0 : order >= 0;
}

Result<Value> Evaluator::evaluate_compare(const Expr& expr, Scope& scope) {
  SMELT_ASSIGN(Value left, evaluate(*expr.operands[0], scope));
  for (size_t i = 0; i < expr.ops.size(); ++i) {
    SMELT_ASSIGN(Value right, evaluate(*expr.operands[i + 1], scope));
    SMELT_ASSIGN(const bool holds, compare(expr.ops[i], left, right));
    if (!holds) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Result<Value> Evaluator::evaluate_concat(const Expr& expr, Scope& scope) {
  TextBuilder out(budget_);
  for (const Expr* operand : expr.operands) {
    SMELT_ASSIGN(const Value value, evaluate(*operand, scope));
    SMELT_TRY(runtime_.print(value, out));
  }
  return out.finish();
}

Result<Value> Evaluator::evaluate_conditional(const Expr& expr, Scope& scope) {
  SMELT_ASSIGN(const Value condition, evaluate(*expr.operands[0], scope));
  const Expr* chosen = expr.operands[condition.is_true() ? 1 : 2];
  return chosen == nullptr ? Result<Value>(Value()) : evaluate(*chosen, scope);
}

Result<Value> Evaluator::evaluate_slice(const Expr& expr, Scope& scope) {
  SMELT_ASSIGN(const Value sequence, evaluate(*expr.operands[0], scope));
  Value bounds[3];
  const Value* given[3] = {};
  for (size_t i = 0; i < 3; ++i) {
    if (expr.operands[i + 1] == nullptr) continue;
    SMELT_ASSIGN(bounds[i], evaluate(*expr.operands[i + 1], scope));
    given[i] = &bounds[i];
  }
  return runtime_.slice(sequence, given[0], given[1], given[2]);
}

Result<Value> Evaluator::evaluate_binary(const Expr& expr, Scope& scope) {
  SMELT_ASSIGN(const Value left, evaluate(*expr.operands[0], scope));
  SMELT_ASSIGN(const Value right, evaluate(*expr.operands[1], scope));
  return runtime_.binary(expr.name, left, right);
}

Result<Arguments> Evaluator::arguments(const Expr& expr, Scope& scope) {
  Arguments out;
  for (size_t i = 1; i < expr.operands.size(); ++i) {
    SMELT_ASSIGN(Value value, evaluate(*expr.operands[i], scope));
    out.positional.push_back(std::move(value));
  }
  for (const auto& [name, operand] : expr.named) {
    SMELT_ASSIGN(Value value, evaluate(*operand, scope));
    out.named.emplace_back(name, std::move(value));
  }
  return out;
}

Result<Value> Evaluator::evaluate_call(const Expr& expr, Scope& scope, const Macro* caller) {
  const Expr& callee = *expr.operands[0];
  if (callee.kind != ExprKind::attribute) {
    SMELT_ASSIGN(const Value value, evaluate(callee, scope));
    SMELT_ASSIGN(const Arguments given, arguments(expr, scope));
    return call(value, given, caller);
  }
  SMELT_ASSIGN(const Value receiver, evaluate(*callee.operands[0], scope));
  if (has_method(receiver, callee.name)) {  // without making a value of the method
    SMELT_ASSIGN(const Arguments given, arguments(expr, scope));
    return runtime_.method(receiver, callee.name, given);
  }
  SMELT_ASSIGN(const Value value, runtime_.attribute(receiver, callee.name));
  if (value.is_undefined())
    return input_error(fmt::format("{} has no attribute '{}'", receiver.type_name(), escape_for_display(callee.name)));
  SMELT_ASSIGN(const Arguments given, arguments(expr, scope));
  return call(value, given, caller);
}

Result<Value> Evaluator::call(const Value& callee, const Arguments& given, const Macro* caller) {
  if (const auto* macro = callee.get<const Macro*>()) return call_macro(**macro, given, caller);
  if (const auto* global = callee.get<const GlobalFunction*>()) return (*global)->call(runtime_, given);
  if (const auto* method = callee.get<std::shared_ptr<const BoundMethod>>())
    return runtime_.method((*method)->receiver, (*method)->name, given);
  return type_error("only macros, functions and methods can be called", callee);
}

Result<Value> Evaluator::evaluate_filter(const Expr& expr, Scope& scope) {
  SMELT_ASSIGN(const Value input, evaluate(*expr.operands[0], scope));
  SMELT_ASSIGN(const Arguments given, arguments(expr, scope));
  return runtime_.filter(expr.name, input, given);
}

Result<Value> Evaluator::evaluate_test(const Expr& expr, Scope& scope) {
  SMELT_ASSIGN(const Value input, evaluate(*expr.operands[0], scope));
  SMELT_ASSIGN(const Arguments given, arguments(expr, scope));
  SMELT_ASSIGN(const bool passes, runtime_.test(expr.name, input, given));
  return Value::boolean(passes);
}

}  // namespace smelt::jinja
