// Portable attention steps.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

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
  const int64_t own_end = f.position + row / f.group + 1;
  const int64_t begin = f.window > 0 ? own_end - f.window - f.block_position : 0;
  const int64_t end = std::min(own_end + f.ahead, f.n_keys) - f.block_position;
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

void soften(float* scores, Keys keys, float cap) {
  if (cap <= 0) return;
  for (int64_t j = keys.begin; j < keys.end; ++j) scores[j] = cap * std::tanh(scores[j] / cap);
}

template <class T>
void fold_row(const BlockFold& f, int64_t row, Keys keys) {
  const float* q = reinterpret_cast<const float*>(f.q) + row * f.d;
  float scores[kKvBlock];
  for (int64_t j = keys.begin; j < keys.end; ++j) {
    scores[j] = 0;
    for (int64_t i = 0; i < f.d; ++i) scores[j] += q[i] * T::load(f.block + (i * kKvBlock + j) * T::kBytes);
  }
  soften(scores, keys, f.cap);
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

// ---------------------------------------------------------------------------------------------------------------- q8

void rotate(float* x, int64_t d_head, int64_t) {
  const int64_t block = d_head & -d_head;
  for (int64_t step = 1; step < block; step *= 2) {
    for (int64_t i = 0; i < d_head; ++i) {
      if ((i & step) != 0) continue;
      const float a = x[i];
      const float b = x[i + step];
      x[i] = a + b;
      x[i + step] = a - b;
    }
  }
  const float factor = 1.0F / std::sqrt(static_cast<float>(block));
  for (int64_t i = 0; i < d_head; ++i) x[i] *= factor;
}

float quantize(const float* in, int64_t d_head, int64_t d, int8_t* out) {
  constexpr int64_t kMaxHead = 8192;  // what models may have
  float x[kMaxHead];
  std::copy(in, in + d_head, x);
  rotate(x, d_head, d);
  std::fill(out, out + d, int8_t{0});
  float max = 0;
  float zeros = 0;  // not a number where x is not finite
  for (int64_t i = 0; i < d_head; ++i) {
    max = std::max(max, std::fabs(x[i]));
    zeros += 0.0F * x[i];
  }
  const float scale = max / 127.0F + zeros;
  if (!(scale > 0)) return scale;
  const float inverse = 127.0F / max;
  for (int64_t i = 0; i < d_head; ++i) out[i] = static_cast<int8_t>(std::nearbyint(inverse * x[i]));
  return scale;
}

QuantizedQueries queries_at(std::byte* memory, int64_t n, int64_t d) {
  auto* scales = reinterpret_cast<float*>(memory + n * d);
  return {reinterpret_cast<int8_t*>(memory), scales, reinterpret_cast<int32_t*>(scales + n)};
}

void prepare_q8(const QueryRows& rows) {
  const QuantizedQueries out = queries_at(rows.out, rows.n, rows.d);
  for (int64_t r = 0; r < rows.n; ++r) {
    const float* q = rows.q + r / rows.group * rows.stride + r % rows.group * rows.d_head;
    int8_t* values = out.values + r * rows.d;
    out.scales[r] = rows.scale * quantize(q, rows.d_head, rows.d, values);
    out.offsets[r] = 128 * std::accumulate(values, values + rows.d, int32_t{0});
  }
}

// Weights times their values' scales as whole numbers up to 32767, the largest of the block; what one stands for.
float round_weights(const float* weights, const float* scales, Keys keys, int32_t* out) {
  float max = 0;
  for (int64_t j = keys.begin; j < keys.end; ++j) max = std::max(max, weights[j] * scales[j]);
  const float inverse = max > 0 ? 32767.0F / max : 0.0F;
  for (int64_t j = keys.begin; j < keys.end; ++j) {
    const float whole = std::nearbyint(weights[j] * scales[j] * inverse);
    out[j] = whole >= 0 && whole <= 32767 ? static_cast<int32_t>(whole) : 0;  // what is not a number shows in the sum
  }
  return max / 32767.0F;
}

void fold_row_q8(const BlockFold& f, int64_t row, Keys keys) {
  const QuantizedQueries queries = queries_at(const_cast<std::byte*>(f.q), f.n, f.d);
  const int8_t* q = queries.values + row * f.d;
  const auto* k = reinterpret_cast<const uint8_t*>(f.block);
  const auto* v = reinterpret_cast<const int8_t*>(f.block) + kKvBlock * f.d;
  const auto* key_scales = reinterpret_cast<const float*>(v + kKvBlock * f.d);
  float scores[kKvBlock];
  for (int64_t j = keys.begin; j < keys.end; ++j) {
    int32_t sum = -queries.offsets[row];
    for (int64_t i = 0; i < f.d; ++i) sum += q[i] * k[(i / 4 * kKvBlock + j) * 4 + i % 4];
    scores[j] = static_cast<float>(sum) * (queries.scales[row] * key_scales[j]);
  }
  soften(scores, keys, f.cap);
  const float factor = weigh(scores, keys, f.max[row], f.sum[row]);
  int32_t weights[kKvBlock];
  const float unit = round_weights(scores, key_scales + kKvBlock, keys, weights);
  for (int64_t i = 0; i < f.d; ++i) {
    int32_t sum = 0;
    for (int64_t j = keys.begin; j < keys.end; ++j) sum += weights[j] * v[(j / 2 * f.d + i) * 2 + j % 2];
    float& acc = f.acc[row * f.d + i];
    acc = acc * factor + static_cast<float>(sum) * unit;
  }
}

void fold_q8(const BlockFold& f) {
  for (int64_t row = 0; row < f.n; ++row) {
    const Keys keys = visible_keys(f, row);
    if (keys.begin < keys.end) fold_row_q8(f, row, keys);
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
    .q8 = {prepare_q8, fold_q8},
    .to_f16 = to_f16,
    .quantize = quantize,
    .rotate = rotate,
};

}  // namespace smelt
