// Ctrl-C (and SIGTERM, SIGHUP): the first asks the running job to end, which leaves nothing half written; the second
// ends the process at once, after removing temporaries. SIGPIPE is ignored; print notices closed pipes. A mapped file
// that is cut off while it is read, or an exception that cannot be passed on, ends the process with a message and exit
// code 1.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/progress.h"
#include "base/result.h"

namespace smelt {

void install_signal_handlers();
// Set by the handler.
const CancelToken& interrupt_token();
// read(2) that a signal ends with EINTR, one that came since the last call as well: the flags looked at before the call
// may be relied on.
ssize_t read_or_wake(int fd, void* buffer, size_t size);
// For other handlers of signals: ends the read_or_wake that waits, or the next.
void wake_reader();
// For programs that go on after an interruption: the next Ctrl-C is a first one again.
void reset_interrupt();
// A job that was to write `output`: its error, where an interruption tells that nothing was written.
Error job_error(Error error, const std::string& output);
// 128 + the signal that came last, 130 if none did.
int interrupted_exit_code();

}  // namespace smelt
