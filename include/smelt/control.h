// How a caller follows, stops and listens to the library: progress, cancellation, notes. The library itself never
// prints. Standard library only: this header is both the public one and the one all floors use.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace smelt {

class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  // done and total in `unit` ("tensors", "tokens", …); called from one thread at a time, as often as convenient.
  virtual void update(const std::string& label, uint64_t done, uint64_t total, const std::string& unit) = 0;
};

// Set by a signal handler or another thread; long jobs poll it and return cancelled_error().
class CancelToken {
 public:
  void cancel() noexcept { flag_.store(true, std::memory_order_relaxed); }
  void reset() noexcept { flag_.store(false, std::memory_order_relaxed); }
  bool cancelled() const noexcept { return flag_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> flag_{false};
};

// What every long job takes: both may be null. Neither is owned; both must outlive the job.
struct JobControl {
  ProgressSink* progress = nullptr;
  const CancelToken* cancel = nullptr;

  bool cancelled() const { return cancel != nullptr && cancel->cancelled(); }
  void update(const std::string& label, uint64_t done, uint64_t total, const std::string& unit) const {
    if (progress != nullptr) progress->update(label, done, total, unit);
  }
};

enum class LogLevel { debug, note, warning };

using LogSink = std::function<void(LogLevel, std::string_view)>;

// Where notes and warnings go ("context reduced to 2048 tokens: …"); one line each, without an end of line. Without a
// sink they are dropped. Call it before threads are started; an empty function takes the sink away.
void set_log_sink(LogSink sink);

}  // namespace smelt
