// Speed of attention in the shape of Llama-3.2-1B (32 heads, 8 KV heads, 64 values each) on one and two threads, by
// instruction set and cache type. decode/DEPTH: one token over DEPTH keys, caches of many layers in turn so that they
// come from memory; "cache" counts the bytes of keys and values read. prefill/M: M tokens from position 0; "ops" counts
// two operations per product of a key or value that is seen.
#include <benchmark/benchmark.h>

#include <cmath>
#include <string>
#include <vector>

#include "kernels/attention/attention.h"
#include "tensor/test_data.h"

namespace smelt {
namespace {

constexpr int64_t kHeads = 32, kKvHeads = 8, kHead = 64;
constexpr int64_t kCacheBytes = int64_t{256} << 20;  // more than caches hold

struct Case {
  Isa isa;
  KvType type;
  int64_t position, m;
  int n_threads;
};

struct Caches {
  std::vector<std::byte> bytes;
  std::vector<KvLayer> layers;
};

Caches make_caches(const Case& c, int64_t n_layers, ThreadPool& threads) {
  const int64_t n_keys = c.position + c.m;
  const int64_t stride = kKvHeads * kHead;
  const auto layer_bytes = static_cast<int64_t>(*kv_layer_bytes({kKvHeads, kHead, c.type}, n_keys));
  const std::vector<float> k = random_values("bell", n_keys * stride, 1);
  const std::vector<float> v = random_values("bell", n_keys * stride, 2);
  Caches caches;
  caches.bytes.resize(static_cast<size_t>(n_layers * layer_bytes));
  for (int64_t l = 0; l < n_layers; ++l) {
    caches.layers.push_back({caches.bytes.data() + l * layer_bytes, (n_keys + kKvBlock - 1) / kKvBlock, c.type});
    store_kv({.k = k.data(), .v = v.data(), .stride = stride, .m = n_keys, .n_kv_heads = kKvHeads, .d_head = kHead},
             caches.layers.back(), threads, c.isa);
  }
  return caches;
}

void attend(benchmark::State& state, const Case& c) {
  ThreadPool threads(c.n_threads);
  const int64_t n_keys = c.position + c.m;
  const auto layer_bytes = static_cast<int64_t>(*kv_layer_bytes({kKvHeads, kHead, c.type}, n_keys));
  const Caches caches = make_caches(c, c.m == 1 ? kCacheBytes / layer_bytes : 1, threads);
  const std::vector<float> q = random_values("bell", c.m * kHeads * kHead, 3);
  std::vector<float> out(q.size());
  std::vector<float> scratch(static_cast<size_t>(attention_scratch_floats({.n_heads = kHeads,
                                                                           .n_kv_heads = kKvHeads,
                                                                           .d_head = kHead,
                                                                           .n_tokens = c.m,
                                                                           .capacity = n_keys,
                                                                           .n_threads = c.n_threads})));
  size_t layer = 0;
  for ([[maybe_unused]] auto _ : state) {
    const AttentionSlice slice = {
        .q = q.data(), .m = c.m, .position = c.position, .kv = caches.layers[layer], .out = out.data()};
    layer = (layer + 1) % caches.layers.size();
    attention_into({.slices = {&slice, 1},
                    .q_stride = kHeads * kHead,
                    .out_stride = kHeads * kHead,
                    .n_heads = kHeads,
                    .n_kv_heads = kKvHeads,
                    .d_head = kHead,
                    .scale = 0.125F},
                   scratch, threads, c.isa);
    benchmark::ClobberMemory();
  }
  const auto n = static_cast<double>(state.iterations());
  const auto seen = static_cast<double>(c.m * c.position + c.m * (c.m + 1) / 2);
  state.counters["cache"] = benchmark::Counter(n * static_cast<double>(layer_bytes), benchmark::Counter::kIsRate,
                                               benchmark::Counter::kIs1024);
  state.counters["ops"] = benchmark::Counter(n * 4 * kHeads * kHead * seen, benchmark::Counter::kIsRate);
}

void register_cases(Isa isa, KvType type, int n_threads) {
  const std::string end =
      std::string("/") + isa_name(isa) + "/" + kv_type_name(type) + "/threads:" + std::to_string(n_threads);
  const auto add = [&](const std::string& name, const Case& c) {
    benchmark::RegisterBenchmark((name + end).c_str(), attend, c)->UseRealTime();
  };
  const int64_t deep = isa == Isa::reference ? 256 : 4096;
  add("attention/decode/" + std::to_string(deep), {isa, type, deep - 1, 1, n_threads});
  if (isa == Isa::reference) return;
  for (const int64_t m : {16, 512, 4096}) add("attention/prefill/" + std::to_string(m), {isa, type, 0, m, n_threads});
}

const bool kRegistered = [] {
  for (const Isa isa : usable_isas()) {
    for (const KvType type : {KvType::f32, KvType::f16, KvType::q8}) {
      for (const int n_threads : {1, 2}) register_cases(isa, type, n_threads);
    }
  }
  return true;
}();

}  // namespace
}  // namespace smelt
