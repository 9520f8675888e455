// Numbers for people, and what the system says about memory.
#include "base/units.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <fstream>

namespace smelt {
namespace {

// Three significant digits: "6.50", "65.0", "650" read as "6.5", "65", "650".
std::string scaled(double value, const char* suffix) {
  std::string digits = value < 10    ? fmt::format("{:.2f}", value)
                       : value < 100 ? fmt::format("{:.1f}", value)
                                     : fmt::format("{:.0f}", value);
  if (digits.find('.') != std::string::npos) {
    digits.erase(digits.find_last_not_of('0') + 1);
    if (digits.back() == '.') digits.pop_back();
  }
  return digits + suffix;
}

uint64_t cgroup_memory_limit() {
  std::ifstream file("/sys/fs/cgroup/memory.max");
  uint64_t limit = 0;
  return file >> limit ? limit : UINT64_MAX;  // "max" does not parse as a number
}

}  // namespace

std::string format_bytes(uint64_t bytes) {
  static constexpr std::array<const char*, 5> kUnits = {" B", " KiB", " MiB", " GiB", " TiB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1023.5 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : scaled(value, kUnits[unit]);
}

std::string format_count(uint64_t count) {
  static constexpr std::array<const char*, 5> kUnits = {"", " k", " M", " B", " T"};
  auto value = static_cast<double>(count);
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  return unit == 0 ? std::to_string(count) : scaled(value, kUnits[unit]);
}

std::string format_duration(double seconds) {
  constexpr double kLongest = 1e9;  // thirty years; also keeps llround in range
  if (!(seconds >= 0 && seconds < kLongest)) return "?";
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<uint64_t>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

uint64_t peak_rss_bytes() {
  // getrusage alone would not do on Linux: it keeps the peak of the program that started this one (fork, then exec).
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::strtoull(line.c_str() + sizeof("VmHWM:") - 1, nullptr, 10) * 1024;
  }
  struct rusage usage {};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;  // Linux counts in KiB
}

bool reset_peak_rss() {
  std::ofstream command("/proc/self/clear_refs");
  command << "5";  // proc(5): resets the peak, and nothing else
  command.close();
  return !command.fail();
}

uint64_t memory_budget_bytes() {
  const auto pages = static_cast<uint64_t>(std::max(0L, ::sysconf(_SC_PHYS_PAGES)));
  const auto page = static_cast<uint64_t>(std::max(0L, ::sysconf(_SC_PAGESIZE)));
  return std::min(pages * page, cgroup_memory_limit());
}

}  // namespace smelt
