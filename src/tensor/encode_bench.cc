// Speed of encoding and decoding rows of each format, in bytes of f32 a second on one core.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/test_data.h"

namespace smelt {
namespace {

constexpr int64_t kValues = 16384;

void encode(benchmark::State& state, const DTypeInfo& info) {
  const std::vector<float> values = random_values("bell", kValues, 1);
  std::vector<std::byte> bytes(*row_bytes(info.dtype, kValues));
  for ([[maybe_unused]] auto _ : state) info.encode(values.data(), bytes.data(), kValues, nullptr);
  state.SetBytesProcessed(state.iterations() * kValues * 4);
}

void decode(benchmark::State& state, const DTypeInfo& info) {
  std::vector<float> values = random_values("bell", kValues, 1);
  std::vector<std::byte> bytes(*row_bytes(info.dtype, kValues));
  info.encode(values.data(), bytes.data(), kValues, nullptr);
  for ([[maybe_unused]] auto _ : state) info.decode(bytes.data(), values.data(), kValues);
  state.SetBytesProcessed(state.iterations() * kValues * 4);
}

const bool kRegistered = [] {
  for (const DTypeInfo& info : all_dtypes()) {
    benchmark::RegisterBenchmark((std::string("encode/") + info.name).c_str(), encode, info);
    benchmark::RegisterBenchmark((std::string("decode/") + info.name).c_str(), decode, info);
  }
  return true;
}();

}  // namespace
}  // namespace smelt
