// The completion script for fish: a function that finds the command among the words, and one line per option.
#include <fmt/format.h>

#include "apps/completion_tree.h"

namespace smelt {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

// -x: a value that is no file; -r: a value that may be a file; -f: no files.
std::string value_flags(ValueKind kind, const std::vector<std::string>& choices) {
  if (kind == ValueKind::file) return " -r -F";
  if (kind == ValueKind::choice) return " -x -a " + quoted(fmt::format("{}", fmt::join(choices, " ")));
  return kind == ValueKind::other ? " -x" : "";
}

std::string node_lines(const CompletionNode& node) {
  const std::string start = "complete -c smelt -n " + quoted("__smelt_at " + node.path);
  std::string out;
  for (const CompletionNode& child : node.children)
    out += fmt::format("{} -a {} -d {}\n", start, child.name, quoted(child.summary));
  for (const CompletionArgument& argument : node.arguments) {
    if (argument.kind == ValueKind::file) out += start + " -F\n";
    if (argument.kind == ValueKind::choice)
      out += fmt::format("{} -a {}\n", start, quoted(fmt::format("{}", fmt::join(argument.choices, " "))));
  }
  for (const CompletionOption& option : node.options) {
    out += start + (option.short_name.empty() ? "" : " -s " + option.short_name.substr(1));
    out += fmt::format(" -l {}{} -d {}\n", option.long_name.substr(2), value_flags(option.kind, option.choices),
                       quoted(option.description));
  }
  return out;
}

}  // namespace

std::string fish_completions(const CompletionNode& root) {
  std::string paths, lines;
  for (const CompletionNode* node : all_nodes(root)) {
    if (node != &root) paths += " " + quoted(node->path);
    lines += node_lines(*node);
  }
  return fmt::format(R"(# fish completion for smelt; load it with: smelt completions fish | source
function __smelt_at
    set -l path {}
    for word in (commandline -opc)[2..-1]
        if contains -- "$path $word"{}
            set path "$path $word"
        end
    end
    test "$path" = "$argv"
end
complete -c {} -f
{})",
                     root.name, paths, root.name, lines);
}

}  // namespace smelt
