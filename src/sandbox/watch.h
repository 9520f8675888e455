// What a program and all that it started use at this moment, by /proc. For sandbox.cc.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace smelt {

struct SandboxUse {
  uint64_t resident_bytes = 0;
  int64_t processes = 0;
  int64_t files = 0;  // in /sandbox
};

// work_bytes: the size of the folder in memory that the program has as /sandbox, to count the files there; 0: not
// counted.
SandboxUse measure_use(pid_t root, uint64_t work_bytes);

}  // namespace smelt
