// Reads the affinity mask and /sys/devices/system/cpu/cpuN (Linux: Documentation/admin-guide/cputopology.rst).
#include "base/processors.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <fstream>
#include <tuple>

namespace smelt {
namespace {

// The number at the start of a file, such as a list "0,4" or "0-1"; `otherwise` if there is none.
int64_t first_number(const std::string& path, int64_t otherwise) {
  std::ifstream file(path);
  int64_t number = 0;
  return file >> number && number >= 0 ? number : otherwise;
}

}  // namespace

std::vector<Processor> allowed_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<Processor> out;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return out;
  for (int id = 0; id < CPU_SETSIZE; ++id) {
    if (!CPU_ISSET(id, &set)) continue;
    const std::string folder = fmt::format("/sys/devices/system/cpu/cpu{}/", id);
    out.push_back({id, static_cast<int>(first_number(folder + "topology/thread_siblings_list", id)),
                   first_number(folder + "cpu_capacity", 0)});
  }
  return out;
}

std::vector<int> pinning_order(std::vector<Processor> processors) {
  std::sort(processors.begin(), processors.end(),
            [](const Processor& a, const Processor& b) { return std::tie(a.core, a.id) < std::tie(b.core, b.id); });
  struct Place {
    int64_t slowness;
    int turn;  // 0: the first of its core
    int id;
  };
  std::vector<Place> places;
  for (size_t i = 0; i < processors.size(); ++i) {
    const bool shared = i > 0 && processors[i - 1].core == processors[i].core;
    places.push_back({-processors[i].capacity, shared ? places.back().turn + 1 : 0, processors[i].id});
  }
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
    return std::tie(a.slowness, a.turn, a.id) < std::tie(b.slowness, b.turn, b.id);
  });
  std::vector<int> ids;
  for (const Place& place : places) ids.push_back(place.id);
  return ids;
}

bool pin_thread(std::thread& thread, int processor) {
  if (processor < 0 || processor >= CPU_SETSIZE) return false;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  return pthread_setaffinity_np(thread.native_handle(), sizeof(set), &set) == 0;
}

}  // namespace smelt
