// Attention steps with AVX-512 and its bf16 products: as x86_avx512.cc, but f16 caches are folded in bf16 where there
// are many rows.
#if defined(__x86_64__)

#include "kernels/attention/int8_vec.h"
#include "kernels/attention/lanes_x86_avx512.h"
#include "kernels/vec_x86_avx512.h"

namespace smelt {
namespace {

using Ops = Attention<Avx512>;
constexpr int kRows = Ops::kRows;

__m512i as_int(__m512bh a) { return reinterpret_cast<__m512i>(a); }
__m512bh as_bf16(__m512i a) { return reinterpret_cast<__m512bh>(a); }

__m512bh broadcast_pair(uint32_t pair) {
  __m512i all = _mm512_set1_epi32(static_cast<int>(pair));
#if defined(__clang__)
  asm("" : "+v"(all));  // clang 16 overruns its stack on a broadcast that it sees become bf16
#endif
  return as_bf16(all);
}

// Two rows of 16 values side by side: a[0] b[0] a[1] b[1] ….
__m512i pairs(__m512 a, __m512 b) {
  const __m512i both = as_int(_mm512_cvtne2ps_pbh(b, a));
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                         5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(order, both);
}

// n rows of `columns` f16 values as [row pair][column][2] bf16; a row missing to the last pair is zeros.
void pair_rows(const std::byte* rows, int64_t n, int64_t columns, std::byte* out) {
  for (int64_t k = 0; k < n; k += 2) {
    const std::byte* row = rows + k * columns * 2;
    for (int64_t c = 0; c < columns; c += 16, out += 64) {
      const __m512 a = Avx512::load_f16(row + c * 2);
      const __m512 b = k + 1 < n ? Avx512::load_f16(row + (columns + c) * 2) : _mm512_setzero_ps();
      _mm512_storeu_si512(out, pairs(a, b));
    }
  }
}

void prepare_bf16(const QueryRows& rows) {
  std::byte* out = rows.out;
  const __m512 scale = _mm512_set1_ps(rows.scale);
  for (int64_t r = 0; r < rows.n; ++r) {
    const float* q = rows.q + r / rows.group * rows.stride + r % rows.group * rows.d_head;
    for (int64_t i = 0; i < rows.d; i += 16, out += 32) {
      const int64_t rest = rows.d_head - i;
      const __m512 x = rest >= 16 ? Avx512::load(q + i) : rest > 0 ? Avx512::load_n(q + i, rest) : Avx512::zero();
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out),
                          reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_mul_ps(scale, x))));
    }
  }
}

// c[r] = factors[r] * c[r] + sum over pairs of a[r][pair] . b[pair][column]; without factors c is overwritten.
struct Product {
  const uint32_t* a;  // pairs of bf16
  int64_t a_stride;
  const std::byte* b;
  int64_t b_row_bytes;
  int64_t n;  // pairs
  float* c;
  int64_t c_stride;
  const float* factors;
};

template <int R, int NC>
void multiply(const Product& p) {
  __m512 sums[R][NC];
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < NC; ++c) {
      sums[r][c] = p.factors == nullptr
                       ? _mm512_setzero_ps()
                       : _mm512_mul_ps(_mm512_set1_ps(p.factors[r]), _mm512_loadu_ps(p.c + r * p.c_stride + c * 16));
    }
  }
  const std::byte* b = p.b;
  for (int64_t k = 0; k < p.n; ++k, b += p.b_row_bytes) {
    __m512bh column[NC];
    for (int c = 0; c < NC; ++c) column[c] = as_bf16(_mm512_loadu_si512(b + c * 64));
    for (int r = 0; r < R; ++r) {
      const __m512bh pair = broadcast_pair(p.a[r * p.a_stride + k]);
      for (int c = 0; c < NC; ++c) sums[r][c] = _mm512_dpbf16_ps(sums[r][c], column[c], pair);
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < NC; ++c) _mm512_storeu_ps(p.c + r * p.c_stride + c * 16, sums[r][c]);
  }
}

template <int R>
void multiply_all(Product p, int64_t n_columns) {
  int64_t column = 0;
  for (; column + 64 <= n_columns; column += 64, p.b += 256, p.c += 64) multiply<R, 4>(p);
  for (; column < n_columns; column += 16, p.b += 64, p.c += 16) multiply<R, 1>(p);
}

// The block's keys and values in bf16 pairs, shared by all rows.
struct Bf16Block {
  std::byte *keys, *values;
};

template <int R>
void fold_rows(const BlockFold& f, const Bf16Block& block, int64_t row) {
  const Keys seen = visible_keys(f, row, R);
  if (seen.none()) return;
  alignas(64) float scores[R * kKvBlock];
  multiply_all<R>({.a = reinterpret_cast<const uint32_t*>(f.q + row * f.d * 2),
                   .a_stride = f.d / 2,
                   .b = block.keys,
                   .b_row_bytes = kKvBlock * 4,
                   .n = f.d / 2,
                   .c = scores,
                   .c_stride = kKvBlock,
                   .factors = nullptr},
                  seen.end > 32   ? kKvBlock
                  : seen.end > 16 ? 32
                                  : 16);
  float factors[R];
  alignas(64) uint32_t weights[R * kKvBlock / 2];
  for (int r = 0; r < R; ++r) {
    float* s = scores + r * kKvBlock;
    if (f.cap > 0) Weigher<Avx512>::soften(s, f.cap);
    factors[r] = Weigher<Avx512>::weigh(s, visible_keys(f, row + r), f.max[row + r], f.sum[row + r]);
    for (int64_t j = 0; j < kKvBlock; j += 32) {
      _mm512_storeu_si512(weights + (r * kKvBlock + j) / 2,
                          as_int(_mm512_cvtne2ps_pbh(_mm512_load_ps(s + j + 16), _mm512_load_ps(s + j))));
    }
  }
  const int64_t begin = seen.begin / 2;
  multiply_all<R>({.a = weights + begin,
                   .a_stride = kKvBlock / 2,
                   .b = block.values + begin * f.d * 4,
                   .b_row_bytes = f.d * 4,
                   .n = (seen.end + 1) / 2 - begin,
                   .c = f.acc + row * f.d,
                   .c_stride = f.d,
                   .factors = factors},
                  f.d);
}

void fold_bf16(const BlockFold& f) {
  const Keys seen = visible_keys(f, 0, f.n);
  if (seen.none()) return;
  const Bf16Block block = {f.scratch, f.scratch + f.d * kKvBlock * 2};
  pair_rows(f.block, f.d, kKvBlock, block.keys);
  pair_rows(f.block + f.d * kKvBlock * 2, seen.end, f.d, block.values);
  int64_t row = 0;
  for (; row + kRows <= f.n; row += kRows) fold_rows<kRows>(f, block, row);
  switch (f.n - row) {
    case 1:
      return fold_rows<1>(f, block, row);
    case 2:
      return fold_rows<2>(f, block, row);
    case 3:
      return fold_rows<3>(f, block, row);
    case 4:
      return fold_rows<4>(f, block, row);
    case 5:
      return fold_rows<5>(f, block, row);
    default:
      return;
  }
}

}  // namespace

extern const AttentionKernel attention_avx512vnni = {.isa = Isa::avx512vnni,
                                                     .f32 = Ops::kF32,
                                                     .f16 = Ops::kF16,
                                                     .f16_prefill = {prepare_bf16, fold_bf16},
                                                     .q8 = Int8Attention<Avx512, Lanes512>::kQ8,
                                                     .to_f16 = Ops::to_f16,
                                                     .quantize = Hadamard<Avx512>::quantize,
                                                     .rotate = Hadamard<Avx512>::rotate};

}  // namespace smelt

#endif
