// Reads /proc/cpuinfo and /sys/devices/system/cpu (Linux: Documentation/ABI/testing/sysfs-devices-system-cpu).
#include "base/machine.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>

namespace smelt {
namespace {

std::string trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\n");
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(" \t\n") + 1 - begin));
}

std::string first_line(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return trimmed(line);
}

// The value of the first "key : value" line.
std::string cpuinfo(std::string_view key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(':');
    if (colon != std::string::npos && trimmed(std::string_view(line).substr(0, colon)) == key)
      return trimmed(std::string_view(line).substr(colon + 1));
  }
  return "";
}

// "48K", "32M"; 0 if it is none.
uint64_t parse_size(std::string_view text) {
  uint64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc()) return 0;
  const std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  if (unit == "K") return n << 10;
  if (unit == "M") return n << 20;
  return unit.empty() ? n : 0;
}

bool parse_number(std::string_view text, int& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string processor_name() {
  for (const char* key : {"model name", "cpu model", "Hardware"}) {
    if (std::string name = cpuinfo(key); !name.empty()) return name;
  }
  // Arm kernels tell numbers only; a board may have a name.
  if (std::string board = first_line("/sys/firmware/devicetree/base/model"); !board.empty())
    return board.substr(0, board.find('\0'));
  const std::string part = cpuinfo("CPU part");
  return part.empty() ? "" : fmt::format("implementer {}, part {}", cpuinfo("CPU implementer"), part);
}

int online_processors() { return static_cast<int>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN))); }

std::vector<CacheInfo> processor_caches() {
  std::vector<CacheInfo> caches;
  constexpr int kMaxCaches = 16;
  for (int i = 0; i < kMaxCaches; ++i) {
    const std::filesystem::path folder = fmt::format("/sys/devices/system/cpu/cpu0/cache/index{}", i);
    CacheInfo cache{.kind = first_line(folder / "type"),
                    .bytes = parse_size(first_line(folder / "size")),
                    .shared_by = std::max(1, count_cpu_list(first_line(folder / "shared_cpu_list")))};
    if (!parse_number(first_line(folder / "level"), cache.level) || cache.bytes == 0) break;
    std::transform(cache.kind.begin(), cache.kind.end(), cache.kind.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    caches.push_back(std::move(cache));
  }
  return caches;
}

uint64_t physical_memory_bytes() {
  const auto pages = static_cast<uint64_t>(std::max(0L, ::sysconf(_SC_PHYS_PAGES)));
  return pages * static_cast<uint64_t>(std::max(0L, ::sysconf(_SC_PAGESIZE)));
}

int count_cpu_list(std::string_view list) {
  int count = 0;
  while (!list.empty()) {
    const std::string_view part = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), part.size() + 1));
    const size_t dash = part.find('-');
    int first = 0;
    int last = 0;
    if (!parse_number(part.substr(0, dash), first)) return 0;
    if (!parse_number(dash == std::string_view::npos ? part : part.substr(dash + 1), last)) return 0;
    if (first < 0 || last < first) return 0;
    count += last - first + 1;
  }
  return count;
}

}  // namespace smelt
