#include "base/energy.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

namespace smelt {
namespace {

namespace fs = std::filesystem;

double processor_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::optional<uint64_t> read_number(const fs::path& path) {
  std::ifstream in(path);
  uint64_t value = 0;
  return in >> value ? std::optional(value) : std::nullopt;
}

std::string read_word(const fs::path& path) {
  std::ifstream in(path);
  std::string word;
  in >> word;
  return word;
}

// A package holds its cores, which are not counted again; memory stands beside it. psys, if there, holds the packages.
bool counts(const std::string& name) { return name.starts_with("package") || name == "dram"; }

}  // namespace

const char* energy_source_name(EnergySource source) {
  constexpr const char* kNames[] = {"measured", "estimated", "unknown"};
  return kNames[static_cast<int>(source)];
}

std::string format_energy(const Energy& energy) {
  if (energy.source == EnergySource::unknown) return "unknown";
  const std::string amount =
      energy.joules >= 1e3 ? fmt::format("{:.1f} kJ", energy.joules / 1e3) : fmt::format("{:.1f} J", energy.joules);
  if (energy.source == EnergySource::measured) return amount + " (measured, the whole processor)";
  return amount + fmt::format(" (estimated: {} W a busy processor)", kAssumedWattsPerProcessor);
}

EnergyMeter::EnergyMeter(std::string powercap) : processor_seconds_(processor_seconds()) {
  std::error_code ignored;
  std::vector<fs::path> zones;
  for (const auto& entry : fs::directory_iterator(powercap, ignored)) zones.push_back(entry.path());
  std::sort(zones.begin(), zones.end());
  std::vector<std::string> seen;  // intel-rapl and intel-rapl-mmio show the same package
  for (const fs::path& zone : zones) {
    const std::string name = read_word(zone / "name"), place = zone.filename().string();
    const std::string key = name == "dram" ? place.substr(place.find(':') + 1) + name : name;
    const auto now = read_number(zone / "energy_uj");
    const auto range = read_number(zone / "max_energy_range_uj");
    if (!counts(name) || !now || !range || std::find(seen.begin(), seen.end(), key) != seen.end()) continue;
    seen.push_back(key);
    counters_.push_back({(zone / "energy_uj").string(), *range, *now});
  }
}

Energy EnergyMeter::used() {
  if (counters_.empty())
    return {kAssumedWattsPerProcessor * (processor_seconds() - processor_seconds_), EnergySource::estimated};
  for (Counter& counter : counters_) {
    const auto now = read_number(counter.path);
    if (!now) return {};
    microjoules_ +=
        static_cast<double>(*now >= counter.last ? *now - counter.last : *now + counter.range - counter.last);
    counter.last = *now;
  }
  return {1e-6 * microjoules_, EnergySource::measured};
}

}  // namespace smelt
