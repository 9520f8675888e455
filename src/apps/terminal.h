// What the terminal can do, and colours where it can. Nothing here matters to files and pipes.
#pragma once

#include <cstdio>
#include <string>

namespace smelt {

bool is_terminal(std::FILE* stream);
// A terminal, NO_COLOR not set (no-color.org), TERM not "dumb".
bool has_colour(std::FILE* stream);

// The text in colour where `stream` has it, else as it is.
std::string in_red(const std::string& text, std::FILE* stream);
std::string in_bold(const std::string& text, std::FILE* stream);
std::string in_grey(const std::string& text, std::FILE* stream);

}  // namespace smelt
