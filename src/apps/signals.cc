// The signal handlers of the `smelt` command.
#include "apps/signals.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <exception>
#include <new>
#include <string_view>

#include "base/atomic_file.h"
#include "base/text.h"

namespace smelt {
namespace {

CancelToken g_interrupt;
std::atomic<int> g_signal{SIGINT};
// Whoever waits for input waits for this pipe too. A signal that comes between the look at its flag and the read would
// else be noticed only with the next key.
std::array<int, 2> g_wake{-1, -1};

void on_signal(int number) {
  if (g_interrupt.cancelled()) {
    remove_open_temporaries();
    std::signal(number, SIG_DFL);
    std::raise(number);
    return;
  }
  g_signal.store(number);
  g_interrupt.cancel();
  wake_reader();
}

void end_with(std::string_view message) {
  remove_open_temporaries();
  (void)!::write(STDERR_FILENO, message.data(), message.size());
  ::_exit(1);
}

// An exception where none can be passed on: destructors of the JSON library need memory, and so may not get it.
void on_terminate() {
  try {
    if (const std::exception_ptr current = std::current_exception()) std::rethrow_exception(current);
  } catch (const std::bad_alloc&) {
    end_with("smelt: not enough memory\n");
  } catch (...) {
  }
  end_with("smelt: internal error: an exception that nothing catches\n");
}

// A mapped file that became shorter while it was read (SIGBUS). There is no way back into the code that was reading.
void on_lost_file(int) {
  end_with("smelt: a file in use became shorter or its disk failed while it was read; nothing was written\n");
}

}  // namespace

void install_signal_handlers() {
  if (::pipe2(g_wake.data(), O_CLOEXEC | O_NONBLOCK) != 0) g_wake = {-1, -1};  // poll() passes over negative ones
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);  // no SA_RESTART: a blocked read returns, so that waiting for input can end
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction inherited {};
    const bool ignored = ::sigaction(number, nullptr, &inherited) == 0 && inherited.sa_handler == SIG_IGN;
    if (!ignored) ::sigaction(number, &action, nullptr);  // nohup and background jobs ignore them on purpose
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file size limit then is a write error like a full disk
  std::signal(SIGBUS, on_lost_file);
  std::set_terminate(on_terminate);
}

const CancelToken& interrupt_token() { return g_interrupt; }

void wake_reader() {
  const int error = errno;
  (void)!::write(g_wake[1], "", 1);  // a full pipe wakes as well
  errno = error;
}

ssize_t read_or_wake(int fd, void* buffer, size_t size) {
  std::array<pollfd, 2> sources{{{fd, POLLIN, 0}, {g_wake[0], POLLIN, 0}}};
  if (::poll(sources.data(), sources.size(), -1) < 0) return -1;
  if (sources[1].revents == 0) return ::read(fd, buffer, size);
  std::array<char, 64> bytes;
  while (::read(g_wake[0], bytes.data(), bytes.size()) > 0) {
  }
  errno = EINTR;
  return -1;
}

void reset_interrupt() { g_interrupt.reset(); }

Error job_error(Error error, const std::string& output) {
  if (error.kind != ErrorKind::cancelled) return error;
  return {ErrorKind::cancelled, "interrupted; " + escape_for_display(output, 4096) + " was not written"};
}

int interrupted_exit_code() { return 128 + g_signal.load(); }

}  // namespace smelt
