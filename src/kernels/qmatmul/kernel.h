// What one instruction set provides for qmatmul. Seen by qmatmul.cc and the files per instruction set only. Plain data
// and pointers: nothing here may be an inline function, as it would be compiled with each file's own flags.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/isa.h"
#include "kernels/qmatmul/activations.h"
#include "tensor/dtype.h"

namespace smelt {

inline constexpr int64_t kPanelGroups = 4;  // groups of 16 rows that a panel has
inline constexpr int64_t kPanelRows = 16 * kPanelGroups;
// The prefill kernel takes up to so many panels at once: activations, which do not fit into the second cache, are then
// read as many times less often.
inline constexpr int64_t kTilePanels = 4;
inline constexpr int64_t kTileGroups = kTilePanels * kPanelGroups;
inline constexpr int64_t kChunk = 256;  // inputs that a panel holds at a time
inline constexpr int64_t kChunkBlocks = kChunk / 32;

// Codes of 64 rows and a chunk of up to 256 inputs, unpacked: what the exact kernel multiplies.
struct alignas(64) ExactPanel {
  uint8_t codes[kChunkBlocks][8][kPanelGroups][64];   // [block of 32][four inputs][group][row and input]
  float scale[2 * kChunkBlocks][kPanelGroups][16];    // of each block, or of each half of one
  float minimum[2 * kChunkBlocks][kPanelGroups][16];  // what is added for each unit of the activations' sum
};

// Codes of 64 rows and a chunk, brought to one int8 form: what the prefill kernel multiplies. Their order within a
// block, and whether 128 is added, are the instruction set's own (prefill_vec.h, matrix_*.h).
struct alignas(64) PrefillPanel {
  uint8_t codes[kChunkBlocks][8][kPanelGroups][64];
  uint32_t scale[kChunkBlocks][kPanelGroups][16];  // bits of the f32 scale, less those of 1.0F
};

// Where weights that are read once for a few tokens are fetched to.
enum class FetchInto : uint8_t { all_caches, second_cache, past_larger_caches };

// Up to kPanelGroups groups of weights times m rows of activations, for the prefill kernel up to kTileGroups.
struct QTile {
  const std::byte* groups[kTileGroups];  // rows16-packed groups of 16 rows, the first n_groups of them
  DType dtype;
  int64_t k;
  int64_t n_groups;
  const std::byte* ahead[kTileGroups];  // what will probably be read in a group's place next, to be fetched; or null
  FetchInto fetch;
  const ActivationBlock* x;  // [m][x_stride], of which k / 32 are read
  int64_t x_stride;
  const float* poison;  // [m]
  int64_t m;
  float* out;  // [m][out_stride]: 16 values a group, and room for whole panels
  int64_t out_stride;
  void* panel;  // scratch of max(sizeof(ExactPanel), kTilePanels * sizeof(PrefillPanel)), on a cache line
};

struct QMatmulKernel {
  Isa isa;
  // One row of k values (a multiple of 32); returns 0, or NaN where a value is not finite.
  float (*quantize)(const float* x, int64_t k, QArithmetic arithmetic, ActivationBlock* out);
  // The exact arithmetic of qmatmul.h, any m; a token's result does not depend on m.
  void (*exact)(const QTile& tile);
  // For long prompts.
  void (*prefill)(const QTile& tile);
};

#define SMELT_KERNEL(isa) extern const QMatmulKernel qmatmul_##isa;
#include "kernels/qmatmul/kernels.inc"
#undef SMELT_KERNEL

}  // namespace smelt
