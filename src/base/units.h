// Numbers for people: bytes, counts, durations.
#pragma once

#include <cstdint>
#include <string>

namespace smelt {

std::string format_bytes(uint64_t bytes);     // "912 B", "6.5 MiB"
std::string format_count(uint64_t count);     // "3.4 M", "1.24 B"
std::string format_duration(double seconds);  // "0.8 s", "2 min 05 s"

// Peak resident set of this process so far, in bytes; 0 if the system does not tell.
uint64_t peak_rss_bytes();
// Makes what is resident now the peak so far; false if the system cannot.
bool reset_peak_rss();
// Memory this process may use: the smaller of physical memory and the cgroup limit, in bytes.
uint64_t memory_budget_bytes();

}  // namespace smelt
