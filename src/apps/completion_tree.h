// The commands and options of the program as plain data, read from CLI11's tree, so that completions cannot drift from
// what is parsed; and the scripts made from it, one file per shell.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace smelt {

enum class ValueKind : unsigned char { none, file, choice, other };

struct CompletionOption {
  std::string short_name;  // "-n" or ""
  std::string long_name;   // "--n-predict"
  std::string description;
  ValueKind kind = ValueKind::none;
  std::vector<std::string> choices{};
};

struct CompletionArgument {
  std::string name;  // "MODEL"
  ValueKind kind = ValueKind::other;
  std::vector<std::string> choices{};
  bool repeats = false;
};

struct CompletionNode {
  std::string path;  // "smelt eval kl"
  std::string name;  // "kl"
  std::string summary;
  std::vector<CompletionOption> options{};
  std::vector<CompletionArgument> arguments{};
  std::vector<CompletionNode> children{};
};

CompletionNode completion_tree(const CLI::App& root);
// The node and all below it, each before its children.
std::vector<const CompletionNode*> all_nodes(const CompletionNode& root);

std::string bash_completions(const CompletionNode& root);
std::string zsh_completions(const CompletionNode& root);
std::string fish_completions(const CompletionNode& root);

}  // namespace smelt
