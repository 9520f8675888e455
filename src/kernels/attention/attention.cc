// Attention one (token, head) at a time: scores against all keys it may see, softmax, mixture of the values. The pairs
// are spread over threads; each is computed by one thread in a fixed order.
#include "kernels/attention/attention.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/check.h"
#include "kernels/attention/kernel.h"
#include "kernels/elementwise/elementwise.h"

namespace smelt {
namespace {

constexpr const AttentionKernel* kKernels[] = {
#define SMELT_KERNEL(isa) &attention_##isa,
#include "kernels/attention/kernels.inc"
#undef SMELT_KERNEL
};

constexpr int64_t kMinWork = 1 << 15;  // multiplications worth handing to another thread

int64_t value_bytes(DType dtype) { return dtype == DType::f16 ? 2 : 4; }

struct Job {
  const AttentionArgs& args;
  const AttentionKernel& kernel;
  Isa isa;

  CacheRows rows_of(const std::byte* cache, int64_t kv_head, int64_t n) const {
    const int64_t head_bytes = args.d_head * value_bytes(args.kv.dtype);
    return {.rows = cache + kv_head * head_bytes,
            .row_bytes = args.n_kv_heads * head_bytes,
            .n = n,
            .d_head = args.d_head,
            .dtype = args.kv.dtype};
  }

  void run(int64_t token, int64_t head, float* scores) const {
    const int64_t n_keys = args.position + token + 1;
    const int64_t kv_head = head / (args.n_heads / args.n_kv_heads);
    const int64_t at = (token * args.n_heads + head) * args.d_head;
    kernel.scores(args.q + at, rows_of(args.kv.k, kv_head, n_keys), args.scale, scores);
    softmax_in_place(scores, n_keys, isa);
    kernel.mix(scores, rows_of(args.kv.v, kv_head, n_keys), args.out + at);
  }
};

}  // namespace

void attention_into(const AttentionArgs& args, float* scratch, ThreadPool& threads, Isa isa) {
  SMELT_CHECK(args.n_heads % args.n_kv_heads == 0);
  SMELT_CHECK(args.kv.dtype == DType::f16 || args.kv.dtype == DType::f32);
  const Job job{.args = args, .kernel = find_kernel<AttentionKernel>(kKernels, isa), .isa = isa};
  const int64_t scratch_stride = args.position + args.m;
  const auto run = [&](int64_t begin, int64_t end, int thread) {
    for (int64_t i = begin; i < end; ++i) {
      job.run(i / args.n_heads, i % args.n_heads, scratch + thread * scratch_stride);
    }
  };
  const int64_t grain = kMinWork / (scratch_stride * args.d_head) + 1;
  threads.parallel_for(args.m * args.n_heads, grain, std::cref(run));
}

int64_t attention_scratch_floats(int64_t capacity, int64_t, int n_threads) { return capacity * n_threads; }

void store_kv(const KvRows& rows, DType dtype, std::byte* cache, Isa isa) {
  const int64_t n_values = rows.m * rows.n;
  std::byte* out = cache + rows.position * rows.n * value_bytes(dtype);
  if (dtype == DType::f32)
    std::memcpy(out, rows.values, static_cast<size_t>(n_values) * sizeof(float));
  else
    find_kernel<AttentionKernel>(kKernels, isa).store_f16(rows.values, n_values, out);
}

}  // namespace smelt
