// Constrained output from the command line.
#include "apps/options_constraint.h"

#include <CLI/CLI.hpp>

#include "apps/options.h"
#include "base/text.h"
#include "grammar/grammar.h"

namespace smelt {
namespace {

Result<Grammar> read_grammar(const ConstraintArguments& arguments) {
  if (arguments.regex) {
    auto grammar = parse_regex_grammar(*arguments.regex);
    if (!grammar) return usage_error("--regex: " + grammar.error().message);
    return grammar;
  }
  const bool is_schema = !arguments.json_schema.empty();
  const std::string& file = is_schema ? arguments.json_schema : arguments.grammar;
  SMELT_ASSIGN(const std::string text, read_text_file(file));
  return is_schema ? parse_json_schema(text, file) : parse_gbnf(text, file);
}

}  // namespace

void add_constraint_options(CLI::App& app, ConstraintArguments& arguments) {
  CLI::Option* grammar =
      app.add_option("--grammar", arguments.grammar, "write only what this grammar (GBNF) allows, to its end");
  grammar->type_name("FILE");
  CLI::Option* regex =
      app.add_option("--regex", arguments.regex, "write only a text that this regular expression matches as a whole");
  regex->type_name("PATTERN")->excludes(grammar);
  app.add_option("--json-schema", arguments.json_schema, "write only JSON that is valid for this schema")
      ->type_name("FILE")
      ->excludes(grammar)
      ->excludes(regex);
}

Status check_constraint(const ConstraintArguments& arguments, const GenerateOptions& options) {
  if (!arguments.wanted()) return {};
  if (!options.stop.empty()) return usage_error("--stop: stop texts would cut constrained output; leave them out");
  if (options.ignore_end) return usage_error("--ignore-end: the end token ends constrained output");
  return {};
}

Result<std::shared_ptr<const Nfa>> compile_constraint(const ConstraintArguments& arguments) {
  if (!arguments.wanted()) return std::shared_ptr<const Nfa>();
  SMELT_ASSIGN(const Grammar grammar, read_grammar(arguments));
  const std::string& file = arguments.grammar.empty() ? arguments.json_schema : arguments.grammar;
  SMELT_ASSIGN(Nfa nfa, Nfa::compile(grammar).with_context(file.empty() ? "--regex" : escape_for_display(file, 4096)));
  return std::make_shared<const Nfa>(std::move(nfa));
}

Result<std::optional<Constraint>> make_constraint(std::shared_ptr<const Nfa> grammar,
                                                  std::shared_ptr<const Tokenizer> tokenizer) {
  std::optional<Constraint> constraint;
  if (grammar == nullptr) return constraint;
  SMELT_ASSIGN(auto trie, TokenTrie::build(std::move(tokenizer)));
  constraint.emplace(std::move(grammar), std::move(trie));
  return constraint;
}

}  // namespace smelt
