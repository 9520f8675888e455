// Where threads run: the processors this process may use, in the order in which a computation should take them, and
// threads bound to one each.
#pragma once

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace smelt {

// One processor as the system counts them: a core, or one of the threads that share a core.
struct Processor {
  int id = 0;
  int core = 0;          // the lowest id of those that share its core
  int64_t capacity = 0;  // how fast beside the others (Arm big.LITTLE: 1024 is the fastest kind); 0 where not told
};

// Those of this process's affinity mask; empty where the system does not tell.
std::vector<Processor> allowed_processors();

// Their ids: the fastest kind first, and of each kind one of every core before the second of any.
std::vector<int> pinning_order(std::vector<Processor> processors);

// Keeps the thread on that processor until it ends. False if the system refuses.
bool pin_thread(std::thread& thread, int processor);

}  // namespace smelt
