// Options of `smelt run` and `smelt chat` that hold the text to a grammar, a JSON schema or a regular expression.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "runtime/generate.h"

namespace CLI {
class App;
}  // namespace CLI

namespace smelt {

struct ConstraintArguments {
  std::string grammar, json_schema;  // files
  std::optional<std::string> regex;

  bool wanted() const { return !grammar.empty() || !json_schema.empty() || regex.has_value(); }
};

void add_constraint_options(CLI::App& app, ConstraintArguments& arguments);
// Options that would spoil or cut the text.
Status check_constraint(const ConstraintArguments& arguments, const GenerateOptions& options);
// What was asked for, compiled, so that its faults are told before a model is loaded; null if nothing is wanted.
Result<std::shared_ptr<const Nfa>> compile_constraint(const ConstraintArguments& arguments);
// Of a compiled grammar and a model's tokens; nothing without a grammar.
Result<std::optional<Constraint>> make_constraint(std::shared_ptr<const Nfa> grammar,
                                                  std::shared_ptr<const Tokenizer> tokenizer);

}  // namespace smelt
