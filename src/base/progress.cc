// ProgressBar: one line redrawn on a terminal, a plain line every few seconds elsewhere.
#include "base/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/text.h"
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

// Columns of the terminal, 0 if it does not tell.
size_t terminal_columns(std::FILE* stream) {
  winsize size{};
  return ::ioctl(::fileno(stream), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

// What fits into one row: a longer line could not be drawn over.
std::string fit(const std::string& bar, const std::string& line, size_t columns) {
  if (columns == 0 || bar.size() + line.size() < columns) return bar + line;
  return line.substr(0, utf8_complete_prefix(line.substr(0, columns - 1)));
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
    const std::string row = fit(format_bar(std::min(done, total), total), line, terminal_columns(stream_));
    std::fputs(("\r\x1b[K" + row).c_str(), stream_);
    drawn_ = true;
  } else {
    std::fputs((line + "\n").c_str(), stream_);
  }
  std::fflush(stream_);
}

}  // namespace smelt
