// Rotation with AVX2, bit-identical to reference.cc (products and sums are rounded separately there too).
#if defined(__x86_64__)

#include "kernels/rope/kernel.h"
#include "kernels/vec_x86_avx2.h"

namespace smelt {
namespace {

void rotate_pair(float& a, float& b, float cos, float sin) {
  const float turned_a = a * cos - b * sin;
  b = b * cos + a * sin;
  a = turned_a;
}

void rotate_split(float* head, int64_t half, const float* cos, const float* sin) {
  int64_t i = 0;
  for (; i + 8 <= half; i += 8) {
    const __m256 a = Avx2::load(head + i);
    const __m256 b = Avx2::load(head + half + i);
    const __m256 c = Avx2::load(cos + i);
    const __m256 s = Avx2::load(sin + i);
    Avx2::store(head + i, Avx2::sub(Avx2::mul(a, c), Avx2::mul(b, s)));
    Avx2::store(head + half + i, Avx2::add(Avx2::mul(b, c), Avx2::mul(a, s)));
  }
  for (; i < half; ++i) rotate_pair(head[i], head[half + i], cos[i], sin[i]);
}

void rotate_interleaved(float* head, int64_t half, const float* cos, const float* sin) {
  int64_t i = 0;
  const __m256i twice = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
  for (; i + 4 <= half; i += 4) {
    const __m256 pairs = Avx2::load(head + 2 * i);                // a0 b0 a1 b1 …
    const __m256 swapped = _mm256_permute_ps(pairs, 0b10110001);  // b0 a0 b1 a1 …
    const __m256 c = _mm256_permutevar8x32_ps(_mm256_castps128_ps256(_mm_loadu_ps(cos + i)), twice);
    const __m256 s = _mm256_permutevar8x32_ps(_mm256_castps128_ps256(_mm_loadu_ps(sin + i)), twice);
    Avx2::store(head + 2 * i, _mm256_addsub_ps(Avx2::mul(pairs, c), Avx2::mul(swapped, s)));
  }
  for (; i < half; ++i) rotate_pair(head[2 * i], head[2 * i + 1], cos[i], sin[i]);
}

void rotate(float* head, int64_t n_rope, RopeLayout layout, const float* cos, const float* sin) {
  if (layout == RopeLayout::half_split) return rotate_split(head, n_rope / 2, cos, sin);
  rotate_interleaved(head, n_rope / 2, cos, sin);
}

}  // namespace

extern const RopeKernel rope_avx2 = {Isa::avx2, rotate};

}  // namespace smelt

#endif
