// Speed of the int8 products on one core, by instruction set and weight type. exact/1: one token, as when writing, over
// weights that no cache holds, in bytes of weights a second. exact/2 to 16: guesses of speculation, and several
// sequences. prefill/512: a prompt, in int8 operations a second.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "kernels/lists.h"
#include "kernels/qmatmul/qmatmul.h"
#include "tensor/rows16.h"
#include "tensor/test_data.h"

namespace smelt {
namespace {

constexpr int64_t kInputs = 2048, kPanel = 64;

struct Case {
  Isa isa;
  DType dtype;
  QArithmetic arithmetic;
  int64_t n_tokens, n_outputs;
};

struct AlignedFree {
  void operator()(void* p) const { std::free(p); }
};
template <class T>
std::unique_ptr<T, AlignedFree> aligned(uint64_t n) {
  return std::unique_ptr<T, AlignedFree>(static_cast<T*>(std::aligned_alloc(64, (n * sizeof(T) + 63) / 64 * 64)));
}

void multiply(benchmark::State& state, const Case& c) {
  const uint64_t bytes = rows16_bytes(c.dtype, c.n_outputs, kInputs);
  const auto weights = aligned<std::byte>(bytes);
  // One group of real rows, repeated.
  const std::vector<float> values = random_values("weights", 16 * kInputs, 1);
  std::vector<std::byte> stock(bytes / static_cast<uint64_t>(c.n_outputs) * 16);
  dtype_info(c.dtype).encode(values.data(), stock.data(), 16 * kInputs, nullptr);
  for (uint64_t at = 0; at < bytes; at += stock.size())
    pack_rows16(c.dtype, stock.data(), 16, kInputs, weights.get() + at);

  ThreadPool threads(1);
  const std::vector<float> x = random_values("bell", c.n_tokens * kInputs, 2);
  const auto memory = aligned<float>(static_cast<uint64_t>(quantized_rows_floats(c.n_tokens, kInputs)));
  const auto scratch = aligned<float>(static_cast<uint64_t>(qmatmul_scratch_floats(c.n_tokens, 1)));
  const QuantizedRows rows = place_quantized_rows(memory.get(), c.n_tokens, kInputs);
  std::vector<float> out(static_cast<size_t>(c.n_tokens * c.n_outputs));
  const QMatrix matrix{.w = {.dtype = c.dtype,
                             .shape = {c.n_outputs, kInputs},
                             .bytes = {weights.get(), bytes},
                             .layout = Layout::rows16},
                       .out = out.data(),
                       .out_stride = c.n_outputs};
  for ([[maybe_unused]] auto _ : state) {
    for (int64_t t = 0; t < c.n_tokens; ++t) quantize_row_into(x.data() + t * kInputs, t, c.arithmetic, rows, c.isa);
    qmatmul_into(rows, {&matrix, 1}, c.arithmetic, {scratch.get(), threads, c.isa});
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  const auto n = static_cast<double>(state.iterations());
  state.counters["weight_bytes"] = benchmark::Counter(n * static_cast<double>(bytes), benchmark::Counter::kIsRate);
  state.counters["ops"] =
      benchmark::Counter(n * 2 * static_cast<double>(c.n_tokens * c.n_outputs * kInputs), benchmark::Counter::kIsRate);
}

const bool kRegistered = [] {
  for (const Isa isa : usable_isas()) {
    for (const DTypeInfo& info : all_dtypes()) {
      if (!has_rows16(info.dtype) || !has_kernel("qmatmul", isa)) continue;
      const std::string name = std::string(isa_name(isa)) + "/" + info.name;
      // Weights that no cache holds, not in part either.
      const auto group = static_cast<int64_t>(rows16_bytes(info.dtype, kPanel, kInputs));
      const int64_t all_rows = (int64_t{512} << 20) / group * kPanel;
      const int64_t large = isa == Isa::reference ? 1024 : all_rows;
      benchmark::RegisterBenchmark(("qmatmul/exact/1/" + name).c_str(), multiply,
                                   Case{isa, info.dtype, QArithmetic::exact, 1, large});
      for (const int64_t m : {2, 4, 8, 16}) {
        benchmark::RegisterBenchmark(("qmatmul/exact/" + std::to_string(m) + "/" + name).c_str(), multiply,
                                     Case{isa, info.dtype, QArithmetic::exact, m, std::min<int64_t>(large, 16384)});
      }
      benchmark::RegisterBenchmark(("qmatmul/prefill/512/" + name).c_str(), multiply,
                                   Case{isa, info.dtype, QArithmetic::prefill, isa == Isa::reference ? 16 : 512, 1024});
    }
  }
  return true;
}();

}  // namespace
}  // namespace smelt
