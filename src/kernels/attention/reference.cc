// Portable attention steps.
#include <cstring>

#include "kernels/attention/kernel.h"
#include "tensor/half.h"

namespace smelt {
namespace {

float load(const std::byte* row, DType dtype, int64_t i) {
  if (dtype == DType::f32) {
    float value = 0;
    std::memcpy(&value, row + 4 * i, sizeof(value));
    return value;
  }
  uint16_t half = 0;
  std::memcpy(&half, row + 2 * i, sizeof(half));
  return f16_to_f32(half);
}

template <DType dtype>
void run_scores(const float* q, const CacheRows& keys, float scale, float* scores) {
  for (int64_t j = 0; j < keys.n; ++j) {
    const std::byte* key = keys.rows + j * keys.row_bytes;
    float sum = 0;
    for (int64_t i = 0; i < keys.d_head; ++i) sum += q[i] * load(key, dtype, i);
    scores[j] = scale * sum;
  }
}

template <DType dtype>
void run_mix(const float* p, const CacheRows& values, float* out) {
  for (int64_t i = 0; i < values.d_head; ++i) out[i] = 0;
  for (int64_t j = 0; j < values.n; ++j) {
    const std::byte* value = values.rows + j * values.row_bytes;
    for (int64_t i = 0; i < values.d_head; ++i) out[i] += p[j] * load(value, dtype, i);
  }
}

void scores(const float* q, const CacheRows& keys, float scale, float* out) {
  return keys.dtype == DType::f32 ? run_scores<DType::f32>(q, keys, scale, out)
                                  : run_scores<DType::f16>(q, keys, scale, out);
}

void mix(const float* p, const CacheRows& values, float* out) {
  return values.dtype == DType::f32 ? run_mix<DType::f32>(p, values, out) : run_mix<DType::f16>(p, values, out);
}

void store_f16(const float* in, int64_t n, std::byte* out) {
  for (int64_t i = 0; i < n; ++i) {
    const uint16_t half = f32_to_f16(in[i]);
    std::memcpy(out + 2 * i, &half, sizeof(half));
  }
}

}  // namespace

extern const AttentionKernel attention_reference = {Isa::reference, scores, mix, store_f16};

}  // namespace smelt
