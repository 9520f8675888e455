// ProgressBar: what a program on a terminal gives as the ProgressSink of long jobs (smelt/control.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#include "smelt/control.h"

namespace smelt {

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

}  // namespace smelt
