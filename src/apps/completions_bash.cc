// The completion script for bash: one function that finds the command among the words, then completes an option's
// value, an option's name, or an argument.
#include <fmt/format.h>

#include "apps/completion_tree.h"

namespace smelt {
namespace {

// 'smelt run -n'|'smelt run --n-predict'
std::string patterns(const CompletionNode& node, const CompletionOption& option) {
  const std::string long_form = fmt::format("'{} {}'", node.path, option.long_name);
  return option.short_name.empty() ? long_form : fmt::format("'{} {}'|{}", node.path, option.short_name, long_form);
}

std::string value_action(ValueKind kind, const std::vector<std::string>& choices) {
  if (kind == ValueKind::file) return "_smelt_files";
  if (kind == ValueKind::choice) return fmt::format("_smelt_words '{}'", fmt::join(choices, " "));
  return "COMPREPLY=()";
}

std::string value_cases(const CompletionNode& node) {
  std::string out;
  for (const CompletionOption& option : node.options) {
    if (option.kind == ValueKind::none) continue;
    out += fmt::format("    {}) {}; return ;;\n", patterns(node, option), value_action(option.kind, option.choices));
  }
  return out;
}

std::string option_words(const CompletionNode& node) {
  std::string out;
  for (const CompletionOption& option : node.options) out += (out.empty() ? "" : " ") + option.long_name;
  return out;
}

// What completes a word that is no option: commands, the choices of the first argument, or files.
std::string argument_action(const CompletionNode& node) {
  std::vector<std::string> children;
  for (const CompletionNode& child : node.children) children.push_back(child.name);
  if (!children.empty()) return value_action(ValueKind::choice, children);
  if (node.arguments.empty()) return "COMPREPLY=()";
  return value_action(node.arguments.front().kind, node.arguments.front().choices);
}

}  // namespace

std::string bash_completions(const CompletionNode& root) {
  std::string paths, values, words;
  for (const CompletionNode* node : all_nodes(root)) {
    if (node != &root) paths += fmt::format("{}'{}'", paths.empty() ? "" : "|", node->path);
    values += value_cases(*node);
    words += fmt::format("    '{}')\n      case \"$cur\" in -*) _smelt_words '{}' ;; *) {} ;; esac ;;\n", node->path,
                         option_words(*node), argument_action(*node));
  }
  return fmt::format(R"(# bash completion for smelt; load it with: source <(smelt completions bash)
_smelt_words() {{ mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur"); }}
_smelt_files() {{
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}}
_smelt() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} path={} i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path ${{COMP_WORDS[i]}}" in
      {}) path="$path ${{COMP_WORDS[i]}}" ;;
    esac
  done
  case "$path $prev" in
{}  esac
  case "$path" in
{}  esac
}}
complete -F _smelt {}
)",
                     root.name, paths, values, words, root.name);
}

}  // namespace smelt
