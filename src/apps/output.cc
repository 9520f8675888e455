// Standard output with every failure noticed.
#include "apps/output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "apps/signals.h"
#include "apps/terminal.h"

namespace smelt {
namespace {

constexpr size_t kBufferBytes = 1 << 16;

std::string g_buffer;
bool g_closed = false;

Error output_error(int code) {
  g_buffer.clear();
  if (code == EPIPE) {
    g_closed = true;
    return cancelled_error();
  }
  return input_error(std::string("standard output: write error: ") + std::strerror(code));
}

// The other side may have made the pipe or terminal non-blocking.
void wait_until_writable() {
  pollfd wanted{STDOUT_FILENO, POLLOUT, 0};
  (void)::poll(&wanted, 1, -1);
}

Status write_out(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<size_t>(n));
      continue;
    }
    if (errno == EINTR && interrupt_token().cancelled()) return cancelled_error();
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      wait_until_writable();
    } else if (errno != EINTR) {
      return output_error(errno);
    }
  }
  return {};
}

}  // namespace

void keep_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) != -1 || errno != EBADF) continue;
    // Opened the wrong way round, so that use is still an error. The lowest free number is `fd`.
    (void)::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

Status print(std::string_view text) {
  static const bool at_once = is_terminal(stdout);
  g_buffer.append(text);
  return at_once || g_buffer.size() >= kBufferBytes ? flush_output() : Status();
}

Status print_now(std::string_view text) {
  if (Status printed = print(text); !printed) return printed;
  return flush_output();
}

Status flush_output() {
  const std::string text = std::exchange(g_buffer, {});
  return write_out(text);
}

bool output_is_closed() { return g_closed; }

void note(std::string_view line) {
  // One call, so that lines of several programs stay whole, and no allocation: it may be the lack of memory that is
  // told.
  char newline = '\n';
  const iovec parts[] = {{const_cast<char*>(line.data()), line.size()}, {&newline, 1}};
  (void)!::writev(STDERR_FILENO, parts, 2);
}

}  // namespace smelt
