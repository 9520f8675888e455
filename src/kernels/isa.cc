// Asks the processor once what it can run, and the operating system whether it keeps the wide registers. No intrinsics.
#include "kernels/isa.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <initializer_list>
#include <string>

#include "base/log.h"
#include "base/text.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace smelt {
namespace {

struct Info {
  const char* name;
  const char* features;
  unsigned includes;  // bits of the instruction sets whose kernels run there
};

constexpr unsigned bits(std::initializer_list<Isa> isas) {
  unsigned all = 0;
  for (const Isa isa : isas) all |= 1U << static_cast<unsigned>(isa);
  return all;
}

constexpr unsigned kAvx2 = bits({Isa::reference, Isa::avx2});
constexpr unsigned kAvx512 = kAvx2 | bits({Isa::avx512});
constexpr unsigned kVnni256 = kAvx512 | bits({Isa::avx512vl_vnni});
constexpr unsigned kVnni512 = kVnni256 | bits({Isa::avx512vnni});
constexpr unsigned kNeon = bits({Isa::reference, Isa::neon});

// In the order of Isa.
constexpr std::array<Info, kIsaCount> kInfos = {{
    {"reference", "portable C++", bits({Isa::reference})},
    {"avx2", "AVX2, FMA, F16C", kAvx2},
    {"avxvnni", "AVX2, FMA, F16C, AVX-VNNI", kAvx2 | bits({Isa::avxvnni})},
    {"avx512", "AVX-512 F, BW, VL, DQ", kAvx512},
    {"avx512vl_vnni", "AVX-512 F, BW, VL, DQ, VNNI", kVnni256},
    {"avx512vnni", "AVX-512 F, BW, VL, DQ, VNNI, VBMI, BF16", kVnni512},
    {"amxint8", "AVX-512 F, BW, VL, DQ, VNNI, VBMI, BF16, AMX-TILE, AMX-INT8", kVnni512 | bits({Isa::amxint8})},
    {"neon", "Advanced SIMD", kNeon},
    {"dotprod", "Advanced SIMD, dot product", kNeon | bits({Isa::dotprod})},
    {"i8mm", "Advanced SIMD, dot product, int8 matrices", kNeon | bits({Isa::dotprod, Isa::i8mm})},
}};

const Info& info(Isa isa) { return kInfos[static_cast<size_t>(isa)]; }

struct Usable {
  std::array<Isa, kIsaCount> isas{};
  size_t n = 0;
  void add(Isa isa) { isas[n++] = isa; }
};

#if defined(__x86_64__)
struct CpuLeaf {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
};

// All zero where the processor does not have the leaf.
CpuLeaf cpu_leaf(unsigned leaf, unsigned sub_leaf) {
  CpuLeaf out;
  if (__get_cpuid_count(leaf, sub_leaf, &out.a, &out.b, &out.c, &out.d) == 0) return {};
  return out;
}

// The register files that the operating system saves and restores (XCR0).
unsigned saved_registers() {
  unsigned low = 0;
  unsigned high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

bool has(unsigned word, std::initializer_list<int> positions) {
  for (const int position : positions) {
    if ((word >> position & 1U) == 0) return false;
  }
  return true;
}

// Linux keeps tiles for a process from when it asks on (Documentation/arch/x86/xstate.rst; not in old headers).
bool ask_for_tiles() {
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;               // its position in XCR0
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

// Bit positions: Intel's Software Developer's Manual, volume 2, CPUID, leaves 1 and 7; volume 1, 13.3 for XCR0.
void add_native(Usable& usable) {
  const CpuLeaf basic = cpu_leaf(1, 0);
  if (!has(basic.c, {12 /* FMA */, 27 /* OSXSAVE */, 28 /* AVX */, 29 /* F16C */})) return;
  const unsigned saved = saved_registers();
  const CpuLeaf extended = cpu_leaf(7, 0);
  // Sub-leaf 0 tells in eax how many there are.
  const CpuLeaf extended_1 = extended.a >= 1 ? cpu_leaf(7, 1) : CpuLeaf{};
  if (!has(saved, {1 /* xmm */, 2 /* ymm */}) || !has(extended.b, {5 /* AVX2 */})) return;
  if (has(saved, {5 /* k */, 6, 7 /* zmm */}) && has(extended.b, {16 /* F */, 17 /* DQ */, 30 /* BW */, 31 /* VL */})) {
    const bool vnni = has(extended.c, {11 /* AVX512_VNNI */});
    const bool wide_vnni = vnni && has(extended.c, {1 /* VBMI */}) && has(extended_1.a, {5 /* BF16 */});
    const bool tiles = has(saved, {17, 18 /* tile configuration and data */}) &&
                       has(extended.d, {24 /* AMX-TILE */, 25 /* AMX-INT8 */});
    if (wide_vnni && tiles && ask_for_tiles()) usable.add(Isa::amxint8);
    if (wide_vnni) usable.add(Isa::avx512vnni);
    if (vnni) usable.add(Isa::avx512vl_vnni);
    usable.add(Isa::avx512);
  }
  if (has(extended_1.a, {4 /* AVX-VNNI */})) usable.add(Isa::avxvnni);
  usable.add(Isa::avx2);
}
#elif defined(__aarch64__)
// Linux's names for these bits (asm/hwcap.h) are missing from old headers.
constexpr unsigned long kHwcapDotProduct = 1UL << 20;
constexpr unsigned long kHwcap2Int8Matrix = 1UL << 13;

void add_native(Usable& usable) {
  const bool dot = (getauxval(AT_HWCAP) & kHwcapDotProduct) != 0;
  if (dot && (getauxval(AT_HWCAP2) & kHwcap2Int8Matrix) != 0) usable.add(Isa::i8mm);
  if (dot) usable.add(Isa::dotprod);
  usable.add(Isa::neon);
}
#else
void add_native(Usable& usable) { (void)usable; }
#endif

Usable detect() {
  Usable usable;
  add_native(usable);
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

const char* isa_name(Isa isa) { return info(isa).name; }
const char* isa_features(Isa isa) { return info(isa).features; }

bool runs_on(Isa kernel, Isa isa) { return (info(isa).includes & bits({kernel})) != 0; }

std::optional<Isa> find_isa(std::string_view name) {
  for (size_t i = 0; i < kInfos.size(); ++i) {
    if (name == kInfos[i].name) return static_cast<Isa>(i);
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
