// Speed of matmul on one core, by instruction set, weight type and number of tokens: 1 (writing) and 128 (a prompt).
// "weights" counts the weights multiplied in a second, each once for every token.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "kernels/matmul/matmul.h"
#include "tensor/dtype.h"
#include "tensor/test_data.h"

namespace smelt {
namespace {

constexpr int64_t kInputs = 1024, kOutputs = 1024;

struct Case {
  Isa isa;
  DType dtype;
  int64_t n_tokens;
};

void multiply(benchmark::State& state, const Case& c) {
  const std::vector<float> values = random_values("bell", kInputs * kOutputs, 1);
  std::vector<std::byte> weights(*row_bytes(c.dtype, kInputs) * kOutputs);
  for (int64_t row = 0; row < kOutputs; ++row) {
    std::byte* to = weights.data() + row * static_cast<int64_t>(*row_bytes(c.dtype, kInputs));
    dtype_info(c.dtype).encode(values.data() + row * kInputs, to, kInputs, nullptr);
  }
  const std::vector<float> x = random_values("bell", c.n_tokens * kInputs, 2);
  std::vector<float> out(static_cast<size_t>(c.n_tokens * kOutputs));
  ThreadPool threads(1);
  std::vector<float> scratch(static_cast<size_t>(matmul_scratch_floats(c.n_tokens, kInputs, threads.size())));
  const MatmulArgs args = {.x = x.data(),
                           .m = c.n_tokens,
                           .w = {.dtype = c.dtype, .shape = {kOutputs, kInputs}, .bytes = weights},
                           .out = out.data(),
                           .bf16_products = c.n_tokens > 1};
  for ([[maybe_unused]] auto _ : state) {
    matmul_into(args, scratch.data(), threads, c.isa);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  const auto weights_used = static_cast<double>(state.iterations() * c.n_tokens * kInputs * kOutputs);
  state.counters["weights"] = benchmark::Counter(weights_used, benchmark::Counter::kIsRate);
}

const bool kRegistered = [] {
  for (const Isa isa : usable_isas()) {
    for (const DTypeInfo& info : all_dtypes()) {
      if (info.dtype == DType::i8 || info.dtype == DType::q8_k) continue;
      for (const int64_t n_tokens : {1, 128}) {
        const std::string name =
            std::string("matmul/") + isa_name(isa) + "/" + info.name + "/" + std::to_string(n_tokens);
        benchmark::RegisterBenchmark(name.c_str(), multiply, Case{isa, info.dtype, n_tokens});
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace smelt
