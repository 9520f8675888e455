// The instruction sets that kernels are written for, which of them this machine has, and which one is used. Called by
// the dispatch file of each operation (matmul/matmul.cc, …) and by tests, which loop over usable_isas().
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"

namespace smelt {

// In rising order on x86: each includes those before it.
enum class Isa : uint8_t {
  reference,  // portable C++
  avx2,       // AVX2 + FMA + F16C
  avx512,     // AVX-512 F, BW, VL, DQ besides
};

const char* isa_name(Isa isa);
std::optional<Isa> find_isa(std::string_view name);

// Those this processor and this build can run, best first; never empty, `reference` is last.
std::span<const Isa> usable_isas();

// The best usable one, or the one that the environment variable SMELT_ISA names. Decided once. A name that is unknown
// or not usable here is noted in the log and ignored.
Isa chosen_isa();
// For programs: tells of a SMELT_ISA that chosen_isa ignores.
Status check_isa_override();

// The first kernel of a list (best first, reference last) that `isa` can run. K has a member `isa`.
template <class K>
const K& find_kernel(std::span<const K* const> best_first, Isa isa) {
  for (const K* kernel : best_first) {
    if (kernel->isa <= isa) return *kernel;
  }
  return *best_first.back();
}

}  // namespace smelt
