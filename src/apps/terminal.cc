// Terminal or not, colour or not.
#include "apps/terminal.h"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace smelt {
namespace {

std::string dyed(const char* code, const std::string& text, std::FILE* stream) {
  if (!has_colour(stream)) return text;
  return std::string("\x1b[") + code + "m" + text + "\x1b[0m";
}

}  // namespace

bool is_terminal(std::FILE* stream) { return ::isatty(::fileno(stream)) == 1; }

bool has_colour(std::FILE* stream) {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  if (no_colour != nullptr && *no_colour != '\0') return false;
  return terminal != nullptr && std::string_view(terminal) != "dumb" && is_terminal(stream);
}

std::string in_red(const std::string& text, std::FILE* stream) { return dyed("1;31", text, stream); }
std::string in_bold(const std::string& text, std::FILE* stream) { return dyed("1", text, stream); }
std::string in_grey(const std::string& text, std::FILE* stream) { return dyed("90", text, stream); }

}  // namespace smelt
