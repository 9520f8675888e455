// From argv to an exit code: parses with CLI11, runs the chosen command, and turns every error into one line.
#pragma once

namespace smelt {

// Exit codes: 0 done (also when the reader of standard output has left), 1 input, files or machine, 2 usage,
// 128 + signal number when interrupted (130 for Ctrl-C).
int run_command_line(int argc, char** argv);

}  // namespace smelt
