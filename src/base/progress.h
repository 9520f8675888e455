// Progress of long jobs. The library reports to a ProgressSink that the caller gives; the program gives a ProgressBar.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace smelt {

class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  // done and total in `unit` ("tensors", "tokens", …); called from one thread at a time, as often as convenient.
  virtual void update(const std::string& label, uint64_t done, uint64_t total, const std::string& unit) = 0;
};

// Draws a bar on a terminal, redrawn at most 10 times a second; elsewhere prints a line every few seconds. Erases the
// bar when destroyed.
class ProgressBar final : public ProgressSink {
 public:
  // line_interval: time between the lines elsewhere than on a terminal.
  explicit ProgressBar(std::FILE* stream, std::chrono::milliseconds line_interval = std::chrono::milliseconds(5000));
  ~ProgressBar() override;
  void update(const std::string& label, uint64_t done, uint64_t total, const std::string& unit) override;

 private:
  std::FILE* stream_;
  bool is_terminal_;
  std::chrono::milliseconds interval_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point last_;
  std::chrono::steady_clock::time_point started_;
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

// What every long job takes: both may be null.
struct JobControl {
  ProgressSink* progress = nullptr;
  const CancelToken* cancel = nullptr;

  bool cancelled() const { return cancel != nullptr && cancel->cancelled(); }
  void update(const std::string& label, uint64_t done, uint64_t total, const std::string& unit) const {
    if (progress != nullptr) progress->update(label, done, total, unit);
  }
};

}  // namespace smelt
