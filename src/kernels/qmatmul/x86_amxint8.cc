// qmatmul for long prompts with AMX: a panel's codes are what the second operand of a tile product is (four inputs of
// 16 rows side by side), a block of activations is a row of the first. A product of 16 tokens with 16 rows and a block
// of 32 inputs goes to memory as ints, from where AVX-512 scales it and adds it to sums in registers, in the order of k
// as everywhere: the sums are those of avx512vnni bit for bit. The scaling, three operations for 16 sums, is what
// limits the speed, not the tiles. The exact arithmetic is avx512vnni's.
#if defined(__x86_64__)

#include "kernels/qmatmul/lanes_x86_avx512.h"
#include "kernels/qmatmul/prefill_vec.h"
#include "kernels/tiles_x86_amx.h"

namespace smelt {
namespace {

constexpr int kTokens = 16;  // of a tile
constexpr int kRing = 4;  // products in memory, together 4 KiB: none lies at another's place within a page, which the
                          // processor would take for a dependency between the storing of one and the loading of another

// Tiles 0 and 1: activations of a block, in turn; 2 and 3: codes; 4 … 7: products.
TileShapes shapes_of(int n_tokens) {
  TileShapes shapes;
  for (const int x : {0, 1}) shapes.set(x, n_tokens, 32);
  for (const int codes : {2, 3}) shapes.set(codes, 8, 64);
  for (int products = 4; products < 8; ++products) shapes.set(products, n_tokens, 64);
  return shapes;
}

// A chunk of a group of 16 rows, and of the activations of 16 tokens.
struct Unit {
  const PrefillPanel* panel;
  int64_t group;
  const ActivationBlock* x;  // of the first token, at the chunk's first block
  int64_t x_stride;
  float* out;
  int64_t out_stride;

  const void* codes(int64_t block) const { return panel->codes[block][0][group]; }
  const void* scales(int64_t block) const { return panel->scale[block][group]; }
};
constexpr size_t kCodesStride = sizeof(PrefillPanel::codes[0][0]);

struct Chunk {
  const PrefillPanel* panels;
  const QTile& tile;
  const ActivationBlock* x;

  int64_t units_a_tile() const { return n_panels_of(tile) * kPanelGroups; }
  Unit unit(int64_t index) const {
    const int64_t token = index / units_a_tile() * kTokens;
    const int64_t group = index % units_a_tile();
    return {panels + group / kPanelGroups,
            group % kPanelGroups,
            x + token * tile.x_stride,
            tile.x_stride,
            tile.out + token * tile.out_stride + 16 * group,
            tile.out_stride};
  }
};

// The compilers want tile numbers as literals.
#define MULTIPLY(X, CODES, PRODUCTS)                                                     \
  _tile_zero(PRODUCTS);                                                                  \
  _tile_loadd(X, unit.x[block].q, static_cast<size_t>(unit.x_stride) * sizeof(*unit.x)); \
  _tile_loadd(CODES, unit.codes(block), kCodesStride);                                   \
  _tile_dpbssd(PRODUCTS, X, CODES)

template <int block>
SMELT_INLINE inline void multiply_block(const Unit& unit) {
  if constexpr (block % kRing == 0) {
    MULTIPLY(0, 2, 4);
  } else if constexpr (block % kRing == 1) {
    MULTIPLY(1, 3, 5);
  } else if constexpr (block % kRing == 2) {
    MULTIPLY(0, 2, 6);
  } else {
    MULTIPLY(1, 3, 7);
  }
}

struct alignas(64) Ring {
  int32_t products[kRing][kTokens][16];
};

template <int block>
SMELT_INLINE inline void store_products(Ring& ring) {
  void* to = ring.products[block % kRing];
  if constexpr (block % kRing == 0)
    _tile_stored(4, to, 64);
  else if constexpr (block % kRing == 1)
    _tile_stored(5, to, 64);
  else if constexpr (block % kRing == 2)
    _tile_stored(6, to, 64);
  else
    _tile_stored(7, to, 64);
}

SMELT_INLINE inline __m512 add_scaled(__m512 sums, const int32_t* products, __m512i scales, const ActivationBlock& x) {
  int32_t bits = 0;
  std::memcpy(&bits, &x.scale, sizeof(bits));
  const __m512 both = _mm512_castsi512_ps(_mm512_add_epi32(scales, _mm512_set1_epi32(bits)));
  return _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_load_si512(products)), both, sums);
}

// Block j of a unit is scaled while the block after it, already computed, is stored and the one after that is computed:
// whichever waits, the others go on. ahead: what is to be fetched meanwhile.
template <int j>
SMELT_INLINE inline void run_block(const Unit& unit, const Unit& next, Ring& ring, __m512 (&sums)[kTokens]) {
  multiply_block<(j + 2) % kChunkBlocks>(j + 2 < kChunkBlocks ? unit : next);
  store_products<(j + 1) % kChunkBlocks>(ring);
  const __m512i scales = _mm512_load_si512(unit.scales(j));
  unrolled<kTokens>([&]<int t>() {
    sums[t] = add_scaled(sums[t], ring.products[j % kRing][t], scales, unit.x[t * unit.x_stride + j]);
  });
}

// A whole chunk times whole tiles of tokens.
void run_units(const Chunk& chunk, int64_t n_tokens) {
  Ring ring;
  const int64_t a_tile = chunk.units_a_tile();
  const int64_t n_units = n_tokens / kTokens * a_tile;
  Unit unit = chunk.unit(0);
  multiply_block<0>(unit);
  multiply_block<1>(unit);
  store_products<0>(ring);
  for (int64_t i = 0; i < n_units; ++i) {
    const Unit next = chunk.unit(i + 1 < n_units ? i + 1 : i);
    // Blocks that the next tile of tokens has come from far: some for each unit.
    const ActivationBlock* ahead = unit.x + (kTokens + i % kTokens) * unit.x_stride;
    __m512 sums[kTokens];
    for (int t = 0; t < kTokens; ++t) sums[t] = _mm512_load_ps(unit.out + t * unit.out_stride);
    unrolled<kChunkBlocks>([&]<int j>() {
      run_block<j>(unit, next, ring, sums);
      _mm_prefetch(reinterpret_cast<const char*>(ahead + j), _MM_HINT_T0);
    });
    for (int t = 0; t < kTokens; ++t) _mm512_store_ps(unit.out + t * unit.out_stride, sums[t]);
    unit = next;
  }
}

// Any number of blocks and of tokens, block by block.
void run_alone(const Unit& unit, int64_t n_blocks, int64_t n_tokens) {
  Ring ring;
  for (int64_t b = 0; b < n_blocks; ++b) {
    const int64_t block = b;
    MULTIPLY(0, 2, 4);
    store_products<0>(ring);
    const __m512i scales = _mm512_load_si512(unit.scales(b));
    for (int64_t t = 0; t < n_tokens; ++t) {
      float* out = unit.out + t * unit.out_stride;
      const ActivationBlock& x = unit.x[t * unit.x_stride + b];
      _mm512_store_ps(out, add_scaled(_mm512_load_ps(out), ring.products[0][t], scales, x));
    }
  }
}
#undef MULTIPLY

struct TileProducts {
  SMELT_INLINE static void store_codes(PrefillPanel& panel, int64_t b, int64_t j, int64_t g, __m512i four,
                                       __m512i next) {
    _mm512_store_si512(panel.codes[b][j][g], four);
    _mm512_store_si512(panel.codes[b][j + 1][g], next);
  }

  static void multiply_panels(const PrefillPanel* panels, int64_t n_blocks, const QTile& tile, int64_t first_block) {
    const Chunk chunk{panels, tile, tile.x + first_block};
    const int64_t full = tile.m / kTokens * kTokens;
    const int64_t full_units = full / kTokens * chunk.units_a_tile();
    const TileUse tiles(shapes_of(kTokens));
    if (full > 0 && n_blocks == kChunkBlocks) {
      run_units(chunk, full);
    } else {
      for (int64_t i = 0; i < full_units; ++i) run_alone(chunk.unit(i), n_blocks, kTokens);
    }
    if (full == tile.m) return;
    TileUse::load(shapes_of(static_cast<int>(tile.m - full)));
    for (int64_t i = 0; i < chunk.units_a_tile(); ++i) run_alone(chunk.unit(full_units + i), n_blocks, tile.m - full);
  }
};

struct NoDot {
  static constexpr int kBias = 0;
  static constexpr int kTileGroups = 4, kTileTokens = 1;
};

float quantize(const float* x, int64_t k, QArithmetic arithmetic, ActivationBlock* out) {
  return qmatmul_avx512vnni.quantize(x, k, arithmetic, out);
}

void exact(const QTile& tile) { qmatmul_avx512vnni.exact(tile); }

}  // namespace

extern const QMatmulKernel qmatmul_amxint8 = {Isa::amxint8, quantize, exact,
                                              prefill_tile<Lanes512<NoDot>, TileProducts>};

}  // namespace smelt

#endif
