// What the operating system says of the processor: its name, its caches. For `smelt devices` and for notes beside
// measurements; nothing here decides which kernel runs (kernels/isa.h does).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace smelt {

struct CacheInfo {
  int level = 0;
  std::string kind;    // "data", "instruction" or "unified"
  uint64_t bytes = 0;  // of one such cache
  int shared_by = 0;   // logical processors that share it
};

// "" where the system does not tell.
std::string processor_name();
// Logical processors that are switched on, this process's share or not.
int online_processors();
// Those of the first processor, nearest first; empty where the system does not tell.
std::vector<CacheInfo> processor_caches();
// Memory built in, in bytes; 0 if the system does not tell. memory_budget_bytes (units.h) is what may be used.
uint64_t physical_memory_bytes();

// The processors in a list as Linux writes it: 4 of "0-2,5"; 0 if it is none.
int count_cpu_list(std::string_view list);

}  // namespace smelt
