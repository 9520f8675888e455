// From argv to an exit code: parses with CLI11, runs the chosen command, and turns every error into one line.
#pragma once

#include <span>

#include "apps/command.h"

namespace smelt {

// A program: `smelt`, or one that has some of its commands.
struct Program {
  const char* name;
  const char* description;
  const char* details;
  const char* examples;
  std::span<const Command* const> commands;
};

// Exit codes: 0 done (also when the reader of standard output has left), 1 input, files or machine, 2 usage,
// 128 + signal number when interrupted (130 for Ctrl-C).
int run_command_line(const Program& program, int argc, char** argv);
const Program& smelt_program();

}  // namespace smelt
