// The `smelt` command. Everything it does is in command_line.cc and the cmd_*.cc files.
#include "apps/command_line.h"

int main(int argc, char** argv) { return smelt::run_command_line(smelt::smelt_program(), argc, argv); }
