// The completion script for zsh: one function per command, made of _arguments.
#include <fmt/format.h>

#include <algorithm>

#include "apps/completion_tree.h"

namespace smelt {
namespace {

// Inside single quotes, and inside the [..] and :..: of _arguments.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
      continue;
    }
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string function_name(const CompletionNode& node) {
  std::string name = "_" + node.path;
  std::replace(name.begin(), name.end(), ' ', '_');
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

std::string value_action(ValueKind kind, const std::vector<std::string>& choices) {
  if (kind == ValueKind::file) return "_files";
  if (kind == ValueKind::choice) return fmt::format("({})", fmt::join(choices, " "));
  return " ";
}

std::string option_spec(const CompletionOption& option) {
  const std::string value = option.kind == ValueKind::none ? "" : ":value:" + value_action(option.kind, option.choices);
  const std::string rest = fmt::format("[{}]{}'", escaped(option.description), value);
  if (option.short_name.empty()) return fmt::format("'*{}{}", option.long_name, rest);
  return fmt::format("'*'{{{},{}}}'{}", option.short_name, option.long_name, rest);
}

std::string argument_spec(const CompletionArgument& argument) {
  return fmt::format("'{}:{}:{}'", argument.repeats ? "*" : "", argument.name,
                     value_action(argument.kind, argument.choices));
}

std::string leaf_function(const CompletionNode& node) {
  std::string out = function_name(node) + "() {\n  _arguments -s";
  for (const CompletionOption& option : node.options) out += " \\\n    " + option_spec(option);
  for (const CompletionArgument& argument : node.arguments) out += " \\\n    " + argument_spec(argument);
  return out + "\n}\n";
}

std::string group_function(const CompletionNode& node) {
  std::string commands, cases, options;
  for (const CompletionNode& child : node.children) {
    commands += fmt::format("    '{}:{}'\n", child.name, escaped(child.summary));
    cases += fmt::format("        {}) {} ;;\n", child.name, function_name(child));
  }
  for (const CompletionOption& option : node.options) options += option_spec(option) + " \\\n    ";
  return fmt::format(R"({}() {{
  local line state
  local -a commands=(
{}  )
  _arguments -C \
    {}'1: :->command' '*:: :->rest'
  case $state in
    command) _describe command commands ;;
    rest)
      case $line[1] in
{}      esac ;;
  esac
}}
)",
                     function_name(node), commands, options, cases);
}

}  // namespace

std::string zsh_completions(const CompletionNode& root) {
  std::string out = fmt::format(
      "#compdef {}\n# zsh completion for smelt; load it with: source <(smelt completions zsh)\n", root.name);
  for (const CompletionNode* node : all_nodes(root))
    out += node->children.empty() ? leaf_function(*node) : group_function(*node);
  // As a file in zsh's $fpath the script is the body of the function, which must answer the call that loaded it.
  const std::string function = function_name(root);
  return out + fmt::format("if [ \"$funcstack[1]\" = {} ]; then\n  {} \"$@\"\nelse\n  compdef {} {}\nfi\n", function,
                           function, function, root.name);
}

}  // namespace smelt
