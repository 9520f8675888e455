// ProgressBar: one line redrawn on a terminal, a plain line every few seconds elsewhere.
#include "base/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include "base/units.h"

namespace smelt {
namespace {

using std::chrono::duration;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kRedrawInterval{100};
constexpr int kBarWidth = 24;

std::string format_line(const std::string& label, uint64_t done, uint64_t total, const std::string& unit,
                        double seconds) {
  std::string line = fmt::format("{}: {}/{} {}", label, done, total, unit);
  if (total > 0) line += fmt::format(" ({:.0f} %)", 100.0 * static_cast<double>(done) / static_cast<double>(total));
  if (done > 0 && total > done && seconds > 1.0) {
    line += ", " + format_duration(seconds * static_cast<double>(total - done) / static_cast<double>(done)) + " left";
  }
  return line;
}

std::string format_bar(uint64_t done, uint64_t total) {
  const auto filled =
      total == 0 ? 0 : static_cast<int>(kBarWidth * static_cast<double>(done) / static_cast<double>(total));
  return "[" + std::string(static_cast<size_t>(filled), '#') +
         std::string(static_cast<size_t>(kBarWidth - filled), '.') + "] ";
}

}  // namespace

ProgressBar::ProgressBar(std::FILE* stream, milliseconds line_interval)
    : stream_(stream),
      is_terminal_(::isatty(::fileno(stream)) == 1),
      interval_(is_terminal_ ? kRedrawInterval : line_interval),
      started_(steady_clock::now()) {
  // A bar is drawn at once; a log gets its first line only if the job is long.
  last_ = is_terminal_ ? started_ - interval_ : started_;
}

ProgressBar::~ProgressBar() {
  if (drawn_) std::fputs("\r\x1b[K", stream_);
  std::fflush(stream_);
}

void ProgressBar::update(const std::string& label, uint64_t done, uint64_t total, const std::string& unit) {
  const auto now = steady_clock::now();
  if (now - last_ < interval_) return;
  last_ = now;
  const std::string line = format_line(label, done, total, unit, duration<double>(now - started_).count());
  if (is_terminal_) {
    std::fputs(("\r\x1b[K" + format_bar(std::min(done, total), total) + line).c_str(), stream_);
    drawn_ = true;
  } else {
    std::fputs((line + "\n").c_str(), stream_);
  }
  std::fflush(stream_);
}

}  // namespace smelt
