// smelt completions: scripts for shells.
#include <CLI/CLI.hpp>
#include <memory>

#include "apps/command.h"
#include "apps/completion_tree.h"
#include "apps/output.h"
#include "base/text.h"

namespace smelt {
namespace {

Status run_completions(const CLI::App& root, const std::string& shell) {
  const CompletionNode tree = completion_tree(root);
  if (shell == "bash") return print(bash_completions(tree));
  if (shell == "zsh") return print(zsh_completions(tree));
  if (shell == "fish") return print(fish_completions(tree));
  return usage_error("unknown shell '" + escape_for_display(shell) + "'; one of bash, zsh, fish");
}

Action add(CLI::App& app) {
  auto shell = std::make_shared<std::string>();
  app.add_option("SHELL", *shell, "bash, zsh or fish")->required()->type_name("bash|zsh|fish");
  return [&app, shell] { return run_completions(*app.get_parent(), *shell); };
}

}  // namespace

extern const Command completions_command;
const Command completions_command = {
    .name = "completions",
    .summary = "Print a script that completes smelt's commands and options in a shell",
    .details =
        "To have it always, put the line into ~/.bashrc or ~/.zshrc, or write fish's to "
        "~/.config/fish/completions/smelt.fish.",
    .examples =
        "  source <(smelt completions bash)\n"
        "  source <(smelt completions zsh)\n"
        "  smelt completions fish | source\n",
    .add = add,
};

}  // namespace smelt
