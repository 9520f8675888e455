// The signal handlers of the `smelt` command.
#include "apps/signals.h"

#include <atomic>
#include <csignal>

#include "base/atomic_file.h"

namespace smelt {
namespace {

CancelToken g_interrupt;
std::atomic<int> g_signal{SIGINT};

void on_signal(int number) {
  if (g_interrupt.cancelled()) {
    remove_open_temporaries();
    std::signal(number, SIG_DFL);
    std::raise(number);
    return;
  }
  g_signal.store(number);
  g_interrupt.cancel();
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);  // no SA_RESTART: a blocked read returns, so that waiting for input can end
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction inherited {};
    const bool ignored = ::sigaction(number, nullptr, &inherited) == 0 && inherited.sa_handler == SIG_IGN;
    if (!ignored) ::sigaction(number, &action, nullptr);  // nohup and background jobs ignore them on purpose
  }
  std::signal(SIGPIPE, SIG_IGN);
}

const CancelToken& interrupt_token() { return g_interrupt; }

void reset_interrupt() { g_interrupt.reset(); }

int interrupted_exit_code() { return 128 + g_signal.load(); }

}  // namespace smelt
