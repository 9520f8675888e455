// The instruction sets that kernels are written for, which of them this machine has, and which one is used. Called by
// the dispatch file of each operation (matmul/matmul.cc, …) and by tests, which loop over usable_isas().
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"

namespace smelt {

// Within one processor family a later one is to be preferred where both can be used, but need not include an earlier
// one: AVX-512 came years before AVX-VNNI. runs_on says what includes what.
enum class Isa : uint8_t {
  reference,      // portable C++
  avx2,           // x86: AVX2 + FMA + F16C
  avxvnni,        // avx2 + AVX-VNNI
  avx512,         // avx2 + AVX-512 F, BW, VL, DQ
  avx512vl_vnni,  // avx512 + AVX-512 VNNI, in 256-bit registers: the source of avxvnni in another encoding
  avx512vnni,     // avx512vl_vnni + AVX-512 VBMI and BF16, in 512-bit registers
  amxint8,        // avx512vnni + AMX-TILE and AMX-INT8: products of whole tiles
  neon,           // Arm: Advanced SIMD of every 64-bit Armv8
  dotprod,        // neon + SDOT and UDOT (optional in Armv8.2)
  i8mm,           // dotprod + USDOT and SMMLA (optional in Armv8.2, always in 8.6)
};
inline constexpr int kIsaCount = 10;

const char* isa_name(Isa isa);
// What a processor must have for it, for people.
const char* isa_features(Isa isa);
std::optional<Isa> find_isa(std::string_view name);

// Whether a kernel of the instruction set `kernel` can run wherever `isa` can be used: a partial order, true of equals.
bool runs_on(Isa kernel, Isa isa);

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
    if (runs_on(kernel->isa, isa)) return *kernel;
  }
  return *best_first.back();
}

}  // namespace smelt
