// The probe in portable C++: what a processor does whose instruction sets have no loop here.
#include <cstring>

#include "kernels/probe/kernel.h"

namespace smelt {
namespace {

constexpr int64_t kLanes = 16;

// Keeps the compiler from adding up ones before the program runs.
void hide(void* p) { asm volatile("" : "+r"(p) : : "memory"); }

template <class Value, class Sum>
double multiply_ones(int64_t rounds) {
  Value a[kLanes], b[kLanes];
  Sum sums[kLanes] = {};
  for (int64_t i = 0; i < kLanes; ++i) a[i] = b[i] = 1;
  for (int64_t r = 0; r < rounds; ++r) {
    hide(a);
    for (int64_t i = 0; i < kLanes; ++i) sums[i] += static_cast<Sum>(a[i]) * static_cast<Sum>(b[i]);
  }
  double total = 0;
  for (const Sum sum : sums) total += static_cast<double>(sum);
  return total;
}

uint64_t read(const std::byte* begin, uint64_t bytes) {
  uint64_t folded = 0;
  for (uint64_t at = 0; at < bytes; at += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, begin + at, sizeof word);
    folded ^= word;
  }
  return folded;
}

}  // namespace

extern const ProbeKernel probe_reference = {
    Isa::reference, {multiply_ones<int8_t, int32_t>, 2 * kLanes}, {}, {multiply_ones<float, float>, 2 * kLanes}, read};

}  // namespace smelt
