// Rows of keys and values into the blocks of a layer's cache, spread over KV heads.
#include "kernels/attention/kv_cache.h"

#include <algorithm>

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
constexpr int64_t kMaxHead = 8192;  // what models may have

int64_t head_bytes_of(int64_t d, KvType type) {
  if (type == KvType::q8) return 2 * kKvBlock * (d + static_cast<int64_t>(sizeof(float)));
  return 2 * kKvBlock * d * (type == KvType::f16 ? 2 : 4);
}

struct Job {
  const KvRows& rows;
  const KvLayer& layer;
  const AttentionKernel& kernel;
  int64_t d, head_bytes;

  // One key and one value of one head into its place in the block: `slot` of 64.
  using Store = void (Job::*)(const float* k, const float* v, int64_t slot, std::byte* block) const;
  Store store() const {
    return layer.type == KvType::q8 ? &Job::store_q8 : layer.type == KvType::f16 ? &Job::store_f16 : &Job::store_f32;
  }

  void run(Store store_one, int64_t token, int64_t head) const {
    const int64_t p = rows.position + token;
    std::byte* block = layer.blocks + ((p / kKvBlock % layer.n_blocks) * rows.n_kv_heads + head) * head_bytes;
    const int64_t at = token * rows.stride + head * rows.d_head;
    (this->*store_one)(rows.k + at, rows.v + at, p % kKvBlock, block);
  }

  template <class T>
  void store_rows(const T* k, const T* v, int64_t slot, std::byte* block) const {
    T* keys = reinterpret_cast<T*>(block) + slot;
    for (int64_t i = 0; i < rows.d_head; ++i) keys[i * kKvBlock] = k[i];
    std::copy(v, v + rows.d_head, reinterpret_cast<T*>(block) + d * kKvBlock + slot * d);
  }
  void store_f32(const float* k, const float* v, int64_t slot, std::byte* block) const {
    store_rows(k, v, slot, block);
  }
  void store_f16(const float* k, const float* v, int64_t slot, std::byte* block) const {
    uint16_t halves[2 * kMaxHead];
    kernel.to_f16(k, rows.d_head, reinterpret_cast<std::byte*>(halves));
    kernel.to_f16(v, rows.d_head, reinterpret_cast<std::byte*>(halves + d));
    store_rows(halves, halves + d, slot, block);
  }
  void store_q8(const float* k, const float* v, int64_t slot, std::byte* block) const {
    int8_t bytes[kMaxHead];
    auto* out = reinterpret_cast<int8_t*>(block);
    auto* scales = reinterpret_cast<float*>(block + 2 * kKvBlock * d);
    scales[slot] = kernel.quantize(k, rows.d_head, d, bytes);
    for (int64_t i = 0; i < d; ++i) bytes[i] = static_cast<int8_t>(bytes[i] ^ 0x80);  // 128 added, as unsigned
    for (int64_t i = 0; i < d; i += 4) std::copy(bytes + i, bytes + i + 4, out + (i / 4 * kKvBlock + slot) * 4);
    scales[kKvBlock + slot] = kernel.quantize(v, rows.d_head, d, bytes);
    out += kKvBlock * d + slot / 2 * 2 * d + slot % 2;
    for (int64_t i = 0; i < d; ++i) out[2 * i] = bytes[i];
  }
};

}  // namespace

const char* kv_type_name(KvType type) { return type == KvType::f32 ? "f32" : type == KvType::f16 ? "f16" : "q8"; }

int64_t kv_block_bytes(const KvShape& shape) {
  return shape.n_kv_heads * head_bytes_of(padded(shape.d_head), shape.type);
}

int64_t kv_ring_positions(int64_t window, int64_t m) {
  // window - 1 positions before the pass and m of it, from any place in a block on.
  const int64_t most = window - 1 + m;
  return ((most + kKvBlock - 2) / kKvBlock + 1) * kKvBlock;
}

std::optional<uint64_t> kv_layer_bytes(const KvShape& shape, int64_t n_positions) {
  const auto blocks = static_cast<uint64_t>((n_positions + kKvBlock - 1) / kKvBlock);
  return checked_mul(blocks, static_cast<uint64_t>(kv_block_bytes(shape)));
}

void store_kv(const KvRows& rows, const KvLayer& layer, ThreadPool& threads, Isa isa) {
  const int64_t d = padded(rows.d_head);
  SMELT_CHECK(d <= kMaxHead);
  const Job job{.rows = rows,
                .layer = layer,
                .kernel = find_kernel<AttentionKernel>(kKernels, isa),
                .d = d,
                .head_bytes = head_bytes_of(d, layer.type)};
  const Job::Store store = job.store();
  const auto run = [&](int64_t begin, int64_t end, int) {
    for (int64_t head = begin; head < end; ++head) {
      for (int64_t token = 0; token < rows.m; ++token) job.run(store, token, head);
    }
  };
  threads.parallel_for(rows.n_kv_heads, kMinWork / (rows.m * rows.d_head) + 1, run);
}

}  // namespace smelt
