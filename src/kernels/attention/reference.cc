// Portable attention steps.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/attention/kernel.h"
#include "kernels/attention/kv_cache.h"
#include "tensor/half.h"

namespace smelt {
namespace {

struct F32 {
  static constexpr int64_t kBytes = 4;
  static float load(const std::byte* p) {
    float value = 0;
    std::memcpy(&value, p, sizeof(value));
    return value;
  }
};
struct F16 {
  static constexpr int64_t kBytes = 2;
  static float load(const std::byte* p) {
    uint16_t half = 0;
    std::memcpy(&half, p, sizeof(half));
    return f16_to_f32(half);
  }
};

void prepare(const QueryRows& rows) {
  auto* out = reinterpret_cast<float*>(rows.out);
  for (int64_t r = 0; r < rows.n; ++r, out += rows.d) {
    const float* q = rows.q + r / rows.group * rows.stride + r % rows.group * rows.d_head;
    for (int64_t i = 0; i < rows.d; ++i) out[i] = i < rows.d_head ? rows.scale * q[i] : 0.0F;
  }
}

struct Keys {
  int64_t begin, end;
};

Keys visible_keys(const BlockFold& f, int64_t row) {
  const int64_t end = f.position + row / f.group + 1 - f.block_position;
  const int64_t begin = f.window > 0 ? end - f.window : 0;
  return {std::max<int64_t>(begin, 0), std::min(end, kKvBlock)};
}

// exp2 of the scores minus their running maximum, which is written back with the sum; the factor for what came before.
float weigh(float* scores, Keys keys, float& max, float& sum) {
  float top = max;
  for (int64_t j = keys.begin; j < keys.end; ++j) top = std::isnan(scores[j]) ? scores[j] : std::max(top, scores[j]);
  const float factor = std::exp2(max - top);
  sum *= factor;
  for (int64_t j = keys.begin; j < keys.end; ++j) sum += scores[j] = std::exp2(scores[j] - top);
  max = top;
  return factor;
}

template <class T>
void fold_row(const BlockFold& f, int64_t row, Keys keys) {
  const float* q = reinterpret_cast<const float*>(f.q) + row * f.d;
  float scores[kKvBlock];
  for (int64_t j = keys.begin; j < keys.end; ++j) {
    scores[j] = 0;
    for (int64_t i = 0; i < f.d; ++i) scores[j] += q[i] * T::load(f.block + (i * kKvBlock + j) * T::kBytes);
  }
  const float factor = weigh(scores, keys, f.max[row], f.sum[row]);
  float* acc = f.acc + row * f.d;
  for (int64_t i = 0; i < f.d; ++i) acc[i] *= factor;
  const std::byte* values = f.block + f.d * kKvBlock * T::kBytes;
  for (int64_t j = keys.begin; j < keys.end; ++j) {
    for (int64_t i = 0; i < f.d; ++i) acc[i] += scores[j] * T::load(values + (j * f.d + i) * T::kBytes);
  }
}

template <class T>
void fold(const BlockFold& f) {
  for (int64_t row = 0; row < f.n; ++row) {
    const Keys keys = visible_keys(f, row);
    if (keys.begin < keys.end) fold_row<T>(f, row, keys);
  }
}

void to_f16(const float* in, int64_t n, std::byte* out) {
  for (int64_t i = 0; i < n; ++i) {
    const uint16_t half = f32_to_f16(in[i]);
    std::memcpy(out + 2 * i, &half, sizeof(half));
  }
}

}  // namespace

extern const AttentionKernel attention_reference = {
    .isa = Isa::reference,
    .f32 = {prepare, fold<F32>},
    .f16 = {prepare, fold<F16>},
    .f16_prefill = {prepare, fold<F16>},
    .to_f16 = to_f16,
};

}  // namespace smelt
