// The statements.
#include "templates/evaluator.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/text.h"

namespace smelt::jinja {
namespace {

constexpr uint64_t kScopeBytes = 256;

}  // namespace

const Value* Scope::find(std::string_view name) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->outer_) {
    for (const auto& [key, value] : scope->variables_) {
      if (key == name) return &value;
    }
  }
  return nullptr;
}

void Scope::set(const std::string& name, Value value) {
  for (auto& [key, held] : variables_) {
    if (key == name) {
      held = std::move(value);
      return;
    }
  }
  variables_.emplace_back(name, std::move(value));
}

Scope& Evaluator::open_scope(Scope* outer) {
  scopes_.push_back(std::make_unique<Scope>(outer));
  return *scopes_.back();
}

// Scopes close in the order they were opened; what macros still see stays until the end.
void Evaluator::close_scope(Scope& scope) {
  if (scope.is_kept()) kept_.push_back(std::move(scopes_.back()));
  scopes_.pop_back();
}

Status Evaluator::run(const Syntax& syntax, const std::vector<std::pair<std::string, Value>>& variables,
                      TextBuilder& out) {
  Scope& given = open_scope(nullptr);
  for (const auto& [name, value] : variables) given.set(name, value);
  Scope& top = open_scope(&given);
  SMELT_ASSIGN(const Flow flow, run_body(syntax.body, top, out));
  (void)flow;
  return {};
}

Evaluator::Ran Evaluator::run_body(const Body& body, Scope& scope, TextBuilder& out) {
  const Level level(budget_);
  SMELT_TRY(level.entered());
  for (const Stmt* stmt : body) {
    SMELT_TRY(budget_.step());
    SMELT_ASSIGN(const Flow flow, run_statement(*stmt, scope, out));
    if (flow != Flow::next) return flow;
  }
  return Flow::next;
}

Evaluator::Ran Evaluator::run_in_scope(const Body& body, Scope& scope, TextBuilder& out) {
  Scope& inner = open_scope(&scope);
  Ran ran = run_body(body, inner, out);
  close_scope(inner);
  return ran;
}

Evaluator::Ran Evaluator::run_statement(const Stmt& stmt, Scope& scope, TextBuilder& out) {
  Status done;
  switch (stmt.kind) {
    case StmtKind::text:
      done = out.append(*stmt.text.find_text());
      break;
    case StmtKind::print: {
      SMELT_ASSIGN(const Value value, evaluate(*stmt.expr, scope));
      done = runtime_.print(value, out).with_context(fmt::format("line {}", stmt.line));
      break;
    }
    case StmtKind::if_:
      return run_if(stmt, scope, out);
    case StmtKind::for_:
      return run_for(stmt, scope, out);
    case StmtKind::with:
      return run_with(stmt, scope, out);
    case StmtKind::scope:
      return run_in_scope(stmt.body, scope, out);
    case StmtKind::set:
      done = run_set(stmt, scope);
      break;
    case StmtKind::set_block:
      done = run_set_block(stmt, scope);
      break;
    case StmtKind::macro:
      done = define_macro(stmt, scope);
      break;
    case StmtKind::call:
      done = run_call(stmt, scope, out);
      break;
    case StmtKind::filter:
      done = run_filter(stmt, scope, out);
      break;
    case StmtKind::break_:
      return Flow::break_;
    case StmtKind::continue_:
      return Flow::continue_;
  }
  SMELT_TRY(done);
  return Flow::next;
}

Evaluator::Ran Evaluator::run_if(const Stmt& stmt, Scope& scope, TextBuilder& out) {
  for (const Branch& branch : stmt.branches) {
    if (branch.condition != nullptr) {
      SMELT_ASSIGN(const Value holds, evaluate(*branch.condition, scope));
      if (!holds.is_true()) continue;
    }
    return run_body(branch.body, scope, out);
  }
  return Flow::next;
}

// The items that the loop's own "if" lets through.
Result<std::vector<Value>> Evaluator::loop_items(const Stmt& stmt, Scope& scope) {
  SMELT_ASSIGN(const Value over, evaluate(*stmt.expr, scope));
  SMELT_ASSIGN(auto items, runtime_.iterate(over).with_context(fmt::format("line {}", stmt.line)));
  if (stmt.filter == nullptr) return items;
  std::vector<Value> passed;
  for (Value& item : items) {
    Scope& inner = open_scope(&scope);
    SMELT_TRY(assign(stmt.targets, stmt.unpacks, item, inner));
    SMELT_ASSIGN(const Value passes, evaluate(*stmt.filter, inner));
    close_scope(inner);
    if (passes.is_true()) passed.push_back(std::move(item));
  }
  return passed;
}

Evaluator::Ran Evaluator::run_for(const Stmt& stmt, Scope& scope, TextBuilder& out) {
  SMELT_ASSIGN(auto items, loop_items(stmt, scope));
  if (items.empty()) return run_in_scope(stmt.otherwise, scope, out);
  SMELT_ASSIGN(const Value list, runtime_.list(std::move(items)));
  Loop loop;
  loop.items = *list.get<std::shared_ptr<const ListNode>>();
  return run_rounds(stmt, loop, scope, out);
}

// `loop` is one value a round, so that it may be kept in a variable.
Evaluator::Ran Evaluator::run_rounds(const Stmt& stmt, Loop& loop, Scope& scope, TextBuilder& out) {
  for (const Value& item : loop.items->items) {
    SMELT_TRY(budget_.step());
    Scope& inner = open_scope(&scope);
    inner.set("loop", Value(Value::Data(std::make_shared<const Loop>(loop))));
    SMELT_TRY(assign(stmt.targets, stmt.unpacks, item, inner).with_context(fmt::format("line {}", stmt.line)));
    SMELT_ASSIGN(const Flow flow, run_body(stmt.body, inner, out));
    if (inner.is_kept()) SMELT_TRY(budget_.hold(kScopeBytes));
    close_scope(inner);
    if (flow == Flow::break_) break;
    ++loop.index0;
  }
  return Flow::next;
}

Evaluator::Ran Evaluator::run_with(const Stmt& stmt, Scope& scope, TextBuilder& out) {
  Scope& inner = open_scope(&scope);
  for (const auto& [name, expr] : stmt.parameters) {
    SMELT_ASSIGN(Value value, evaluate(*expr, scope));
    inner.set(name, std::move(value));
  }
  Ran ran = run_body(stmt.body, inner, out);
  close_scope(inner);
  return ran;
}

Status Evaluator::assign_one(const Target& target, const Value& value, Scope& scope) {
  if (target.attribute.empty()) {
    scope.set(target.name, value);
    return {};
  }
  const Value* found = scope.find(target.name);
  const auto* space = found == nullptr ? nullptr : found->get<Namespace*>();
  if (space == nullptr)
    return input_error(fmt::format("cannot assign attribute on non-namespace object '{}'", target.name));
  if (Value* held = (*space)->find(target.attribute)) {
    *held = value;
    return {};
  }
  SMELT_TRY(budget_.hold(kScopeBytes));
  (*space)->attributes.emplace_back(target.attribute, value);
  return {};
}

Status Evaluator::assign(const std::vector<Target>& targets, bool unpacks, const Value& value, Scope& scope) {
  if (!unpacks) return assign_one(targets.front(), value, scope);
  SMELT_ASSIGN(const auto values, runtime_.iterate(value));
  if (values.size() != targets.size())
    return input_error(fmt::format("{} values cannot be unpacked into {} names", values.size(), targets.size()));
  for (size_t i = 0; i < targets.size(); ++i) SMELT_TRY(assign_one(targets[i], values[i], scope));
  return {};
}

Status Evaluator::run_set(const Stmt& stmt, Scope& scope) {
  SMELT_ASSIGN(const Value value, evaluate(*stmt.expr, scope));
  return assign(stmt.targets, stmt.unpacks, value, scope).with_context(fmt::format("line {}", stmt.line));
}

Result<Value> Evaluator::body_text(const Body& body, Scope& scope) {
  TextBuilder out(budget_);
  SMELT_ASSIGN(const Flow flow, run_in_scope(body, scope, out));
  (void)flow;
  return out.finish();
}

// The statement's body as text, passed through its filters.
Result<Value> Evaluator::filtered_body(const Stmt& stmt, Scope& scope) {
  SMELT_ASSIGN(const Value text, body_text(stmt.body, scope));
  Scope& inner = open_scope(&scope);
  inner.set(kBlockValue, text);
  auto value = evaluate(*stmt.expr, inner);
  close_scope(inner);
  return value;
}

Status Evaluator::run_set_block(const Stmt& stmt, Scope& scope) {
  SMELT_ASSIGN(const Value value, filtered_body(stmt, scope));
  return assign(stmt.targets, false, value, scope).with_context(fmt::format("line {}", stmt.line));
}

Status Evaluator::run_filter(const Stmt& stmt, Scope& scope, TextBuilder& out) {
  SMELT_ASSIGN(const Value value, filtered_body(stmt, scope));
  return runtime_.print(value, out);
}

const Macro* Evaluator::make_macro(const Stmt& stmt, Scope& scope) {
  scope.keep();
  macros_.push_back(std::make_unique<Macro>(Macro{&stmt, &scope}));
  return macros_.back().get();
}

Status Evaluator::define_macro(const Stmt& stmt, Scope& scope) {
  SMELT_TRY(budget_.hold(kScopeBytes));
  scope.set(stmt.name, Value(Value::Data(make_macro(stmt, scope))));
  return {};
}

Status Evaluator::run_call(const Stmt& stmt, Scope& scope, TextBuilder& out) {
  SMELT_TRY(budget_.hold(kScopeBytes));
  SMELT_ASSIGN(const Value value, evaluate_call(*stmt.expr, scope, make_macro(stmt, scope)));
  return runtime_.print(value, out);
}

Status Evaluator::bind_parameters(const Stmt& definition, const Arguments& given, Scope& scope) {
  const auto& parameters = definition.parameters;
  if (given.positional.size() > parameters.size())
    return input_error(fmt::format("macro '{}' takes no more than {} arguments", definition.name, parameters.size()));
  for (const auto& [name, value] : given.named) {
    const auto found =
        std::find_if(parameters.begin(), parameters.end(), [&](const auto& each) { return each.first == name; });
    if (found == parameters.end())
      return input_error(fmt::format("macro '{}' takes no argument '{}'", definition.name, escape_for_display(name)));
    if (found - parameters.begin() < static_cast<ptrdiff_t>(given.positional.size()))
      return input_error(fmt::format("macro '{}' got argument '{}' twice", definition.name, name));
    scope.set(name, value);
  }
  for (size_t i = 0; i < parameters.size(); ++i) {
    const auto& [name, standard] = parameters[i];
    const auto is_named = [&, &wanted = name](const auto& each) { return each.first == wanted; };
    if (i < given.positional.size()) {
      scope.set(name, given.positional[i]);
    } else if (std::none_of(given.named.begin(), given.named.end(), is_named)) {
      SMELT_ASSIGN(Value value, standard == nullptr ? Result<Value>(Value(Value::Data(Undefined{&name})))
                                                    : evaluate(*standard, scope));
      scope.set(name, std::move(value));
    }
  }
  return {};
}

Result<Value> Evaluator::call_macro(const Macro& macro, const Arguments& given, const Macro* caller) {
  Scope& scope = open_scope(macro.scope);
  if (caller != nullptr) scope.set("caller", Value(Value::Data(caller)));
  SMELT_TRY(bind_parameters(*macro.definition, given, scope));
  TextBuilder out(budget_);
  SMELT_ASSIGN(const Flow flow, run_body(macro.definition->body, scope, out));
  (void)flow;
  if (scope.is_kept()) SMELT_TRY(budget_.hold(kScopeBytes));
  close_scope(scope);
  return out.finish();
}

}  // namespace smelt::jinja
