// Runs a parsed template. evaluator.cc has the statements, evaluator_expressions.cc the expressions. One is made for
// each rendering, by template.cc.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "templates/runtime.h"
#include "templates/syntax.h"

namespace smelt::jinja {

// The variables of one block, which see those of the blocks around it.
class Scope {
 public:
  explicit Scope(Scope* outer) : outer_(outer) {}
  const Value* find(std::string_view name) const;
  void set(const std::string& name, Value value);
  // A macro was made here and may be called later.
  void keep() {
    for (Scope* scope = this; scope != nullptr; scope = scope->outer_) scope->kept_ = true;
  }
  bool is_kept() const { return kept_; }

 private:
  Scope* outer_;
  bool kept_ = false;
  std::vector<std::pair<std::string, Value>> variables_;
};

struct Macro {
  const Stmt* definition;
  Scope* scope;  // where it was defined
};

class Evaluator {
 public:
  Evaluator(Budget& budget, std::time_t now) : budget_(budget), runtime_(budget, now) {}
  Status run(const Syntax& syntax, const std::vector<std::pair<std::string, Value>>& variables, TextBuilder& out);

 private:
  enum class Flow { next, break_, continue_ };
  using Ran = Result<Flow>;

  // Statements.
  Ran run_body(const Body& body, Scope& scope, TextBuilder& out);
  Ran run_statement(const Stmt& stmt, Scope& scope, TextBuilder& out);
  Ran run_if(const Stmt& stmt, Scope& scope, TextBuilder& out);
  Ran run_for(const Stmt& stmt, Scope& scope, TextBuilder& out);
  Ran run_rounds(const Stmt& stmt, Loop& loop, Scope& scope, TextBuilder& out);
  Ran run_with(const Stmt& stmt, Scope& scope, TextBuilder& out);
  Ran run_in_scope(const Body& body, Scope& scope, TextBuilder& out);
  Status run_set(const Stmt& stmt, Scope& scope);
  Status run_set_block(const Stmt& stmt, Scope& scope);
  Status run_call(const Stmt& stmt, Scope& scope, TextBuilder& out);
  Status run_filter(const Stmt& stmt, Scope& scope, TextBuilder& out);
  Status define_macro(const Stmt& stmt, Scope& scope);
  Result<std::vector<Value>> loop_items(const Stmt& stmt, Scope& scope);
  Status assign(const std::vector<Target>& targets, bool unpacks, const Value& value, Scope& scope);
  Status assign_one(const Target& target, const Value& value, Scope& scope);
  Result<Value> body_text(const Body& body, Scope& scope);
  Result<Value> filtered_body(const Stmt& stmt, Scope& scope);
  const Macro* make_macro(const Stmt& stmt, Scope& scope);
  Scope& open_scope(Scope* outer);
  void close_scope(Scope& scope);

  // Expressions.
  Result<Value> evaluate(const Expr& expr, Scope& scope);
  Result<Value> evaluate_kind(const Expr& expr, Scope& scope);
  Result<Value> evaluate_name(const Expr& expr, Scope& scope);
  Result<Value> evaluate_list(const Expr& expr, Scope& scope);
  Result<Value> evaluate_dict(const Expr& expr, Scope& scope);
  Result<Value> evaluate_logic(const Expr& expr, Scope& scope);
  Result<Value> evaluate_compare(const Expr& expr, Scope& scope);
  Result<bool> compare(const std::string& op, const Value& a, const Value& b);
  Result<Value> evaluate_concat(const Expr& expr, Scope& scope);
  Result<Value> evaluate_conditional(const Expr& expr, Scope& scope);
  Result<Value> evaluate_slice(const Expr& expr, Scope& scope);
  Result<Value> evaluate_call(const Expr& expr, Scope& scope, const Macro* caller);
  Result<Value> evaluate_filter(const Expr& expr, Scope& scope);
  Result<Value> evaluate_test(const Expr& expr, Scope& scope);
  Result<Value> evaluate_binary(const Expr& expr, Scope& scope);
  Result<Arguments> arguments(const Expr& expr, Scope& scope);
  Result<Value> call(const Value& callee, const Arguments& arguments, const Macro* caller);
  Result<Value> call_macro(const Macro& macro, const Arguments& arguments, const Macro* caller);
  Status bind_parameters(const Stmt& definition, const Arguments& arguments, Scope& scope);

  Budget& budget_;
  Runtime runtime_;
  std::vector<std::unique_ptr<Scope>> scopes_;  // open ones, and below them those kept
  std::vector<std::unique_ptr<Scope>> kept_;
  std::vector<std::unique_ptr<Macro>> macros_;
};

}  // namespace smelt::jinja
