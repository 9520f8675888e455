#include "models/layers/biased_attention.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/kernels.h"

namespace smelt {
namespace {

// The first half of the buckets are distances, the others grow with their logarithm. In f32, as transformers counts.
int64_t bucket_of(int64_t distance, int64_t n_buckets) {
  const int64_t n_exact = n_buckets / 2;
  if (distance < n_exact) return distance;
  const float ratio = std::log(static_cast<float>(distance) / static_cast<float>(n_exact));
  const auto full = static_cast<float>(std::log(static_cast<double>(kMaxBiasDistance) / static_cast<double>(n_exact)));
  const float share = ratio / full * static_cast<float>(n_buckets - n_exact);
  return std::min(n_exact + static_cast<int64_t>(share), n_buckets - 1);
}

// Eight sums side by side, so that compilers may use vectors without changing the result.
float dot(const float* a, const float* b, int64_t n) {
  constexpr int64_t kSums = 8;
  std::array<float, kSums> sums{};
  int64_t i = 0;
  for (; i + kSums <= n; i += kSums) {
    for (int64_t j = 0; j < kSums; ++j) sums[static_cast<size_t>(j)] += a[i + j] * b[i + j];
  }
  float total = 0;
  for (const float sum : sums) total += sum;
  for (; i < n; ++i) total += a[i] * b[i];
  return total;
}

void attend(const BiasedAttention& a, int64_t row, int64_t head, float* scores) {
  const float* q = a.q + (row * a.n_heads + head) * a.d_head;
  const float* k = a.k + head * a.capacity * a.d_head;
  const float* v = a.v + head * a.capacity * a.d_head;
  float* out = a.out + (row * a.n_heads + head) * a.d_head;
  const int64_t at = a.position + row;
  const int64_t n = a.is_causal ? at + 1 : a.n_keys;
  for (int64_t j = 0; j < n; ++j) scores[j] = dot(q, k + j * a.d_head, a.d_head);
  if (a.biases != nullptr) {
    const float* biases = a.biases + head * (2 * kMaxBiasDistance + 1) + kMaxBiasDistance;
    for (int64_t j = 0; j < n; ++j) scores[j] += biases[std::clamp(j - at, -kMaxBiasDistance, kMaxBiasDistance)];
  }
  softmax_in_place(scores, n);
  std::fill_n(out, a.d_head, 0.0F);
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t i = 0; i < a.d_head; ++i) out[i] += scores[j] * v[j * a.d_head + i];
  }
}

}  // namespace

std::vector<float> make_distance_biases(const std::vector<float>& table, int64_t n_buckets, int64_t n_heads,
                                        bool both_directions) {
  constexpr int64_t kWidth = 2 * kMaxBiasDistance + 1;
  const int64_t n_each = both_directions ? n_buckets / 2 : n_buckets;
  std::vector<float> biases(static_cast<size_t>(n_heads * kWidth));
  for (int64_t d = -kMaxBiasDistance; d <= kMaxBiasDistance; ++d) {
    const bool is_behind = d > 0;
    if (is_behind && !both_directions) continue;
    const int64_t bucket = bucket_of(std::abs(d), n_each) + (is_behind ? n_each : 0);
    for (int64_t h = 0; h < n_heads; ++h) {
      biases[static_cast<size_t>(h * kWidth + d + kMaxBiasDistance)] = table[static_cast<size_t>(bucket * n_heads + h)];
    }
  }
  return biases;
}

void biased_attention_into(const BiasedAttention& a, float* scores, ThreadPool& threads) {
  constexpr int64_t kMinWork = 1 << 15;  // products worth handing to another thread
  const int64_t n_keys = a.is_causal ? a.position + a.m : a.n_keys;
  const auto run = [&](int64_t begin, int64_t end, int thread) {
    for (int64_t i = begin; i < end; ++i) attend(a, i / a.n_heads, i % a.n_heads, scores + thread * a.capacity);
  };
  threads.parallel_for(a.m * a.n_heads, kMinWork / (n_keys * a.d_head) + 1, run);
}

}  // namespace smelt
