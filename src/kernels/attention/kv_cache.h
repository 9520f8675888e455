// The cache of keys and values of one layer, and how new tokens are written into it. Planned by runtime/, written and
// read by the families' forward through attention.h.
//
// Memory is a row of blocks of 64 positions. In a block the KV heads follow each other, each with its keys transposed,
// so that one register holds the same value of neighbouring keys, and its values in rows (d: d_head rounded up to 16,
// the rest zeros):
//
//   block     | head 0 | head 1 | …
//   f32, f16  | k[0] of keys 0 … 63 | k[1] of keys 0 … 63 | … k[d-1]
//             | v of key 0, d values | v of key 1 | … v of key 63
//   q8        | k[0…3] + 128 of key 0, of key 1, … of key 63 | k[4…7] + 128 of key 0, … | … k[d-4…d-1]
//             | v[0] of keys 0 and 1, v[1] of keys 0 and 1, … v[d-1] | the same of keys 2 and 3 | … 62 and 63
//             | 64 scales of the keys, f32 | 64 scales of the values, f32
//
// q8 has one scale for each position and head. Heads are multiplied by a Hadamard matrix of the largest power of two
// that divides d_head before they are rounded (as in QuaRot, Ashkboos et al., arXiv 2404.00456): that spreads outliers
// over the values and leaves products of queries and keys as they were. The result is multiplied back.
//
// Position p lies in block (p / 64) mod n_blocks: with fewer blocks than positions the memory is a ring that holds the
// latest ones, for layers with a sliding window.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/thread_pool.h"
#include "kernels/isa.h"

namespace smelt {

inline constexpr int64_t kKvBlock = 64;

enum class KvType : uint8_t {
  f32,  // the reference
  f16,
  q8,  // 8 bits
};
const char* kv_type_name(KvType type);

struct KvLayer {
  std::byte* blocks = nullptr;
  int64_t n_blocks = 0;
  KvType type = KvType::f32;
};

struct KvShape {
  int64_t n_kv_heads = 0, d_head = 0;
  KvType type = KvType::f32;
};
// Bytes of one block; a multiple of 64. d_head and n_kv_heads are within the models' limits.
int64_t kv_block_bytes(const KvShape& shape);
// Positions that a layer with a window keeps, so that passes of m tokens find what they see when they begin up to m
// positions behind the last one written; in whole blocks.
int64_t kv_ring_positions(int64_t window, int64_t m);
// Of a layer of n positions, in whole blocks; absent if it overflows.
std::optional<uint64_t> kv_layer_bytes(const KvShape& shape, int64_t n_positions);

// Keys (already rotated) and values of the new tokens of one sequence.
struct KvRows {
  const float *k = nullptr, *v = nullptr;  // [m] rows of [n_kv_heads][d_head]
  int64_t stride = 0;                      // floats from one token's row to the next
  int64_t m = 0;
  int64_t position = 0;  // of the first
  int64_t n_kv_heads = 0, d_head = 0;
};
void store_kv(const KvRows& rows, const KvLayer& layer, ThreadPool& threads, Isa isa = chosen_isa());

}  // namespace smelt
