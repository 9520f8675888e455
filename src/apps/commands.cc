// The list of commands and how they hang in CLI11's tree.
#include <CLI/CLI.hpp>
#include <map>

#include "apps/command.h"
#include "apps/help.h"

namespace smelt {

#define SMELT_COMMAND(name) extern const Command name##_command;
#include "apps/commands.inc"
#undef SMELT_COMMAND

namespace {

constexpr const Command* kCommands[] = {
#define SMELT_COMMAND(name) &name##_command,
#include "apps/commands.inc"
#undef SMELT_COMMAND
};

}  // namespace

std::span<const Command* const> all_commands() { return kCommands; }

Action add_commands(CLI::App& app, std::span<const Command* const> commands) {
  // At most one: words after the command are its arguments even when they spell another command.
  app.require_subcommand(0, 1);
  auto actions = std::make_shared<std::map<const CLI::App*, Action>>();
  for (const Command* command : commands) {
    CLI::App* child = app.add_subcommand(command->name, command->summary);
    prepare_app(*child);
    set_help(*child, command->details, command->examples);
    (*actions)[child] = command->add(*child);
  }
  return [&app, actions]() -> Status {
    const std::vector<CLI::App*> chosen = app.get_subcommands();
    if (chosen.empty()) return usage_error("a command is missing");
    return actions->at(chosen.front())();
  };
}

}  // namespace smelt
