// What a command tells command_line.cc about itself. One constant of this type in each cmd_*.cc; the list is
// commands.inc.
#pragma once

#include <functional>
#include <span>

#include "base/result.h"

namespace CLI {
class App;
}

namespace smelt {

// Runs the command with the options that were parsed.
using Action = std::function<Status()>;

struct Command {
  const char* name;
  const char* summary;   // one line, no full stop
  const char* details;   // more for its own help, or ""
  const char* examples;  // lines of "  smelt NAME …"
  // Adds its options to `app`; the action keeps what they are parsed into.
  Action (*add)(CLI::App& app);
};

std::span<const Command* const> all_commands();

// Adds the commands to `app`; the action runs the one that was chosen. For the program and for groups such as `eval`.
Action add_commands(CLI::App& app, std::span<const Command* const> commands);

}  // namespace smelt
