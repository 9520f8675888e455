// Rows of keys and values into the blocks of a layer's cache, spread over KV heads.
#include "kernels/attention/kv_cache.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/check.h"
#include "base/checked.h"
#include "kernels/attention/kernel.h"

namespace smelt {
namespace {

constexpr const AttentionKernel* kKernels[] = {
#define SMELT_KERNEL(isa) &attention_##isa,
#include "kernels/attention/kernels.inc"
#undef SMELT_KERNEL
};

constexpr int64_t kPad = 16;           // heads are filled up to a multiple of it
constexpr int64_t kMinWork = 1 << 14;  // values worth handing to another thread

int64_t padded(int64_t d_head) { return (d_head + kPad - 1) / kPad * kPad; }
int64_t value_bytes(DType dtype) { return dtype == DType::f16 ? 2 : 4; }

struct Job {
  const KvRows& rows;
  const KvLayer& layer;
  const AttentionKernel& kernel;
  int64_t d, size, head_bytes;

  // A piece of a row in the cache's type.
  void convert(const float* in, int64_t n, std::byte* out) const {
    if (layer.dtype == DType::f16) return kernel.to_f16(in, n, out);
    std::memcpy(out, in, static_cast<size_t>(n) * sizeof(float));
  }

  void store_key(const float* in, std::byte* keys) const {
    constexpr int64_t kPiece = 64;
    std::byte piece[kPiece * sizeof(float)];
    for (int64_t from = 0; from < rows.d_head; from += kPiece) {
      const int64_t n = std::min(kPiece, rows.d_head - from);
      convert(in + from, n, piece);
      std::byte* out = keys + from * kKvBlock * size;
      for (int64_t i = 0; i < n; ++i) {
        std::memcpy(out + i * kKvBlock * size, piece + i * size, static_cast<size_t>(size));
      }
    }
  }

  void store(int64_t token, int64_t head) const {
    const int64_t p = rows.position + token;
    std::byte* block = layer.blocks + ((p / kKvBlock % layer.n_blocks) * rows.n_kv_heads + head) * head_bytes;
    const int64_t at = token * rows.stride + head * rows.d_head;
    store_key(rows.k + at, block + p % kKvBlock * size);
    convert(rows.v + at, rows.d_head, block + (d * kKvBlock + p % kKvBlock * d) * size);
  }
};

}  // namespace

int64_t kv_block_bytes(const KvShape& shape) {
  return shape.n_kv_heads * 2 * kKvBlock * padded(shape.d_head) * value_bytes(shape.dtype);
}

std::optional<uint64_t> kv_layer_bytes(const KvShape& shape, int64_t n_positions) {
  const auto blocks = static_cast<uint64_t>((n_positions + kKvBlock - 1) / kKvBlock);
  return checked_mul(blocks, static_cast<uint64_t>(kv_block_bytes(shape)));
}

void store_kv(const KvRows& rows, const KvLayer& layer, ThreadPool& threads, Isa isa) {
  SMELT_CHECK(layer.dtype == DType::f16 || layer.dtype == DType::f32);
  const KvShape shape = {rows.n_kv_heads, rows.d_head, layer.dtype};
  const Job job{.rows = rows,
                .layer = layer,
                .kernel = find_kernel<AttentionKernel>(kKernels, isa),
                .d = padded(rows.d_head),
                .size = value_bytes(layer.dtype),
                .head_bytes = kv_block_bytes(shape) / rows.n_kv_heads};
  const auto run = [&job, &rows](int64_t begin, int64_t end, int) {
    for (int64_t head = begin; head < end; ++head) {
      for (int64_t token = 0; token < rows.m; ++token) job.store(token, head);
    }
  };
  threads.parallel_for(rows.n_kv_heads, kMinWork / (rows.m * rows.d_head) + 1, std::cref(run));
}

}  // namespace smelt
