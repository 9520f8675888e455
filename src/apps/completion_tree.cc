// CLI11's tree as plain data.
#include "apps/completion_tree.h"

#include <CLI/CLI.hpp>

#include "apps/help.h"

namespace smelt {
namespace {

std::vector<std::string> split_choices(const std::string& type_name) {
  std::vector<std::string> choices;
  std::istringstream stream(type_name);
  for (std::string choice; std::getline(stream, choice, '|');) choices.push_back(choice);
  return choices;
}

ValueKind kind_of(const CLI::Option& option) {
  if (option.get_type_size() == 0) return ValueKind::none;
  const std::string type_name = option.get_type_name();
  if (type_name == "FILE") return ValueKind::file;
  return type_name.find('|') == std::string::npos ? ValueKind::other : ValueKind::choice;
}

std::vector<std::string> choices_of(const CLI::Option& option) {
  if (kind_of(option) != ValueKind::choice) return {};
  return split_choices(option.get_type_name());
}

CompletionOption read_option(const CLI::Option& option) {
  return {.short_name = option.get_snames().empty() ? "" : "-" + option.get_snames().front(),
          .long_name = "--" + option.get_lnames().front(),
          .description = option.get_description(),
          .kind = kind_of(option),
          .choices = choices_of(option)};
}

CompletionArgument read_argument(const CLI::Option& option) {
  return {.name = option.get_name(true),
          .kind = kind_of(option),
          .choices = choices_of(option),
          .repeats = option.get_expected_max() > 1};
}

void collect(const CompletionNode& node, std::vector<const CompletionNode*>& out) {
  out.push_back(&node);
  for (const CompletionNode& child : node.children) collect(child, out);
}

}  // namespace

CompletionNode completion_tree(const CLI::App& root) {
  CompletionNode node{.path = full_name(root), .name = root.get_name(), .summary = root.get_description()};
  for (const CLI::Option* option : root.get_options()) {
    if (option->get_positional()) {
      node.arguments.push_back(read_argument(*option));
    } else {
      node.options.push_back(read_option(*option));
    }
  }
  for (const CLI::App* child : root.get_subcommands({})) node.children.push_back(completion_tree(*child));
  return node;
}

std::vector<const CompletionNode*> all_nodes(const CompletionNode& root) {
  std::vector<const CompletionNode*> nodes;
  collect(root, nodes);
  return nodes;
}

}  // namespace smelt
