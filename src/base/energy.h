// Energy that this computer takes while something runs, in joules: counted by the processor's own meters where they can
// be read (Linux powercap, RAPL: packages and memory, all programs together), else estimated from the processor time of
// this process, else unknown.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace smelt {

enum class EnergySource : uint8_t { measured, estimated, unknown };
const char* energy_source_name(EnergySource source);

struct Energy {
  double joules = 0;
  EnergySource source = EnergySource::unknown;
};
// "12.3 kJ (estimated: 10 W a busy processor)", "unknown"
std::string format_energy(const Energy& energy);

// Watts of a busy logical processor where nothing can be measured: about a third to half of what a server's or laptop's
// package takes for one. An assumption, said with each figure that rests on it.
inline constexpr double kAssumedWattsPerProcessor = 10;

// From its making on. Counters wrap: used() has to be called at least once in a quarter of an hour, which sums up.
class EnergyMeter {
 public:
  explicit EnergyMeter(std::string powercap = "/sys/class/powercap");
  Energy used();

 private:
  struct Counter {
    std::string path;
    uint64_t range = 0, last = 0;  // microjoules
  };
  std::vector<Counter> counters_;
  double microjoules_ = 0, processor_seconds_ = 0;
};

}  // namespace smelt
