// The tile registers of AMX. A register has up to 16 rows of up to 64 bytes; tdpbssd adds to 16 x 16 ints the products
// of 16 rows of bytes with 16 columns, four of which lie side by side in each row of the second operand. What a
// register's shape is stands in the thread's configuration (Intel's Software Developer's Manual, volume 1, chapter 18).
// Everything is in an unnamed namespace on purpose: see vec_x86_avx2.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace smelt {
namespace {

struct alignas(64) TileShapes {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};

  void set(int tile, int n_rows, int n_bytes) {
    rows[tile] = static_cast<uint8_t>(n_rows);
    row_bytes[tile] = static_cast<uint16_t>(n_bytes);
  }
};
static_assert(sizeof(TileShapes) == 64);

// From here to the end of its life the thread's tiles have these shapes.
class TileUse {
 public:
  explicit TileUse(const TileShapes& shapes) { load(shapes); }
  ~TileUse() { _tile_release(); }
  TileUse(const TileUse&) = delete;
  TileUse& operator=(const TileUse&) = delete;
  static void load(const TileShapes& shapes) {
    // What g++ 12 has for these instructions does not say that they read memory: it drops what nobody else reads.
    asm volatile("" : : "r"(&shapes) : "memory");
    _tile_loadconfig(&shapes);
  }
};

}  // namespace
}  // namespace smelt
