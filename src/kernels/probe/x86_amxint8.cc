// The probe with AMX's int8 products; everything else is avx512vnni's.
#if defined(__x86_64__)

#include "kernels/probe/loops_vec.h"
#include "kernels/probe/units_x86_avx512vnni.h"
#include "kernels/tiles_x86_amx.h"

namespace smelt {
namespace {

constexpr int64_t kSums = 4, kRows = 16, kBytes = 64, kColumns = 16;

// Tiles 0 … 3 are sums, 4 and 5 ones.
double run_tiles(int64_t rounds) {
  TileShapes shapes;
  for (int t = 0; t < 6; ++t) shapes.set(t, kRows, kBytes);
  const TileUse tiles(shapes);
  alignas(64) int8_t ones[kRows][kBytes];
  for (auto& row : ones) {
    for (int8_t& one : row) one = 1;
  }
  asm volatile("" : : "r"(&ones) : "memory");
  _tile_loadd(4, ones, kBytes);
  _tile_loadd(5, ones, kBytes);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t r = 0; r < rounds; ++r) {
    _tile_dpbssd(0, 4, 5);
    _tile_dpbssd(1, 4, 5);
    _tile_dpbssd(2, 4, 5);
    _tile_dpbssd(3, 4, 5);
  }
  alignas(64) int32_t sums[kSums][kRows][kColumns];
  _tile_stored(0, sums[0], kBytes);
  _tile_stored(1, sums[1], kBytes);
  _tile_stored(2, sums[2], kBytes);
  _tile_stored(3, sums[3], kBytes);
  double total = 0;
  for (const auto& tile : sums) {
    for (const auto& row : tile) {
      for (const int32_t sum : row) total += sum;
    }
  }
  return total;
}

}  // namespace

extern const ProbeKernel probe_amxint8 = {Isa::amxint8,
                                          {run_tiles, 2 * kSums* kRows* kColumns* kBytes},
                                          probe_loop<Bf16Dot>(),
                                          probe_loop<F32Avx512>(),
                                          read_probe<Words512>};

}  // namespace smelt

#endif
