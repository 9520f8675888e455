// Asks the processor once what it can run. No intrinsics: the compiler's CPU queries check the operating system's
// support of the wide registers as well.
#include "kernels/isa.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <string>

#include "base/log.h"
#include "base/text.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace smelt {
namespace {

constexpr std::array<const char*, 3> kNames = {"reference", "avx2", "avx512"};

struct Usable {
  std::array<Isa, 3> isas{};
  size_t n = 0;
  void add(Isa isa) { isas[n++] = isa; }
};

#if defined(__x86_64__)
bool has_f16c() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}
#endif

Usable detect() {
  Usable usable;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (avx512) usable.add(Isa::avx512);
  if (avx2) usable.add(Isa::avx2);
#endif
  usable.add(Isa::reference);
  return usable;
}

std::string list_usable() {
  std::string list;
  for (const Isa isa : usable_isas()) list += (list.empty() ? "" : ", ") + std::string(isa_name(isa));
  return list;
}

bool is_usable(Isa isa) {
  for (const Isa each : usable_isas()) {
    if (each == isa) return true;
  }
  return false;
}

}  // namespace

const char* isa_name(Isa isa) { return kNames[static_cast<size_t>(isa)]; }

std::optional<Isa> find_isa(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (name == kNames[i]) return static_cast<Isa>(i);
  }
  return std::nullopt;
}

std::span<const Isa> usable_isas() {
  static const Usable usable = detect();
  return {usable.isas.data(), usable.n};
}

Status check_isa_override() {
  const char* wanted = std::getenv("SMELT_ISA");
  if (wanted == nullptr || *wanted == '\0') return {};
  const std::optional<Isa> isa = find_isa(wanted);
  if (isa && is_usable(*isa)) return {};
  return usage_error(fmt::format("SMELT_ISA is '{}', which {}; usable here: {}", escape_for_display(wanted),
                                 isa ? "this machine cannot run" : "is not an instruction set that smelt knows",
                                 list_usable()));
}

Isa chosen_isa() {
  static const Isa chosen = [] {
    if (Status status = check_isa_override(); !status) {
      log(LogLevel::warning, status.error().message);
      return usable_isas().front();
    }
    const char* wanted = std::getenv("SMELT_ISA");
    const std::optional<Isa> isa = find_isa(wanted == nullptr ? "" : wanted);
    return isa.value_or(usable_isas().front());
  }();
  return chosen;
}

}  // namespace smelt
