// Standard output with every failure noticed.
#include "apps/output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

namespace smelt {
namespace {

bool g_closed = false;

Error output_error(int code) {
  if (code == EPIPE) {
    g_closed = true;
    return cancelled_error();
  }
  return input_error(std::string("standard output: write error: ") + std::strerror(code));
}

}  // namespace

Status print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) return output_error(errno);
  return {};
}

Status print_now(std::string_view text) {
  if (Status printed = print(text); !printed) return printed;
  return flush_output();
}

Status flush_output() {
  if (std::fflush(stdout) != 0) return output_error(errno);
  return {};
}

bool output_is_closed() { return g_closed; }

void note(std::string_view line) {
  const std::string whole = std::string(line) + "\n";
  std::fwrite(whole.data(), 1, whole.size(), stderr);
  std::fflush(stderr);
}

}  // namespace smelt
