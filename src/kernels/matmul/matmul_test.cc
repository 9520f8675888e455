// Every instruction set of kernels.inc against sums in double, for every weight format, and the promises of matmul.h:
// the result does not depend on the number of tokens or threads, decoders equal the portable ones bit for bit.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>

#include "kernels/lists.h"
#include "kernels/matmul/matmul.h"
#include "kernels/test_shapes.h"
#include "tensor/half.h"
#include "tensor/test_data.h"

namespace smelt {
namespace {

// A weight matrix of any dtype, one byte off alignment as in a mapped file.
class Weights {
 public:
  Weights(DType dtype, int64_t n, int64_t k, uint64_t seed) {
    const std::vector<float> values = random_values("weights", n * k, seed);
    const uint64_t row = *row_bytes(dtype, static_cast<uint64_t>(k));
    bytes_.resize(1 + row * static_cast<uint64_t>(n));
    for (int64_t r = 0; r < n; ++r) {
      dtype_info(dtype).encode(values.data() + r * k, bytes_.data() + 1 + static_cast<uint64_t>(r) * row, k, nullptr);
    }
    view_ = {.dtype = dtype, .shape = {n, k}, .bytes = std::span(bytes_).subspan(1)};
  }
  Weights(const Weights&) = delete;
  Weights& operator=(const Weights&) = delete;
  const TensorView& view() const { return view_; }

 private:
  std::vector<std::byte> bytes_;
  TensorView view_;
};

struct Case {
  Isa isa;
  DType dtype;
};

std::string case_name(const testing::TestParamInfo<Case>& info) {
  return std::string(isa_name(info.param.isa)) + "_" + dtype_name(info.param.dtype);
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const Isa isa : usable_isas()) {
    if (!has_kernel("matmul", isa)) continue;
    for (const DTypeInfo& info : all_dtypes()) cases.push_back({isa, info.dtype});
  }
  return cases;
}

std::vector<float> run(const TensorView& w, std::span<const float> x, int64_t m, int n_threads, Isa isa,
                       const float* bias = nullptr) {
  ThreadPool threads(n_threads);
  std::vector<float> scratch(static_cast<size_t>(matmul_scratch_floats(m, w.columns(), n_threads)));
  std::vector<float> out(static_cast<size_t>(m * w.rows()), NAN);
  matmul_into({.x = x.data(), .m = m, .w = w, .bias = bias, .out = out.data()}, scratch.data(), threads, isa);
  return out;
}

// The bound that matmul.h states: k * 2^-24 * sum |x w|, and half a unit of the result.
void expect_equals_sum_in_double(const TensorView& w, std::span<const float> x, int64_t m, const float* bias,
                                 const std::vector<float>& out) {
  const int64_t k = w.columns();
  std::vector<float> row(static_cast<size_t>(k));
  for (int64_t r = 0; r < w.rows(); ++r) {
    w.decode_row_into(r, row.data());
    for (int64_t t = 0; t < m; ++t) {
      double sum = bias == nullptr ? 0.0 : bias[r];
      double magnitude = std::fabs(sum);
      for (int64_t i = 0; i < k; ++i) {
        const double product = static_cast<double>(x[static_cast<size_t>(t * k + i)]) * row[static_cast<size_t>(i)];
        sum += product;
        magnitude += std::fabs(product);
      }
      ASSERT_NEAR(out[static_cast<size_t>(t * w.rows() + r)], sum, (static_cast<double>(k) + 2) * 0x1p-24 * magnitude)
          << "token " << t << ", row " << r;
    }
  }
}

class MatmulTest : public testing::TestWithParam<Case> {};

TEST_P(MatmulTest, EqualsTheSumInDouble) {
  const auto [isa, dtype] = GetParam();
  const int64_t block = dtype_info(dtype).block_values;
  for (const int64_t n : {1, 7, 8, 65}) {
    // Plain types take any number of columns: the tails of every vector width.
    for (const int64_t k : {block, 3 * block, block == 1 ? 15 : block, block == 1 ? 33 : 2 * block}) {
      const Weights weights(dtype, n, k, 11);
      for (const int64_t m : {1, 2, 3, 5, 9}) {
        const std::vector<float> x = random_values("uniform", m * k, 12);
        const std::vector<float> bias = random_values("bell", n, 13);
        expect_equals_sum_in_double(weights.view(), x, m, bias.data(), run(weights.view(), x, m, 2, isa, bias.data()));
        expect_equals_sum_in_double(weights.view(), x, m, nullptr, run(weights.view(), x, m, 1, isa));
      }
    }
  }
}

TEST_P(MatmulTest, EqualsTheSumInDoubleOnRandomShapes) {
  const auto [isa, dtype] = GetParam();
  const int64_t block = dtype_info(dtype).block_values;
  const int shapes = n_test_shapes(12, 10000 / 16);  // of each of some 16 types
  for (int i = 0; i < shapes; ++i) {
    const auto random = [&](uint64_t at, int64_t bound) {
      return static_cast<int64_t>(splitmix64(78, 10 * static_cast<uint64_t>(i) + at) % static_cast<uint64_t>(bound));
    };
    const int64_t n = 1 + random(0, 80);
    const int64_t k = block * (1 + random(1, block == 1 ? 300 : block == 32 ? 12 : 2));
    const int64_t m = 1 + random(2, 21);
    SCOPED_TRACE(testing::Message() << "m " << m << ", n " << n << ", k " << k);
    const Weights weights(dtype, n, k, static_cast<uint64_t>(i));
    const std::vector<float> x = random_values("outliers", m * k, static_cast<uint64_t>(i));
    expect_equals_sum_in_double(weights.view(), x, m, nullptr, run(weights.view(), x, m, 1 + i % 3, isa));
    if (HasFatalFailure()) return;
  }
}

TEST_P(MatmulTest, TokensAndThreadsDoNotChangeABit) {
  const auto [isa, dtype] = GetParam();
  constexpr int64_t kTokens = 17;
  const int64_t k = 512;
  const Weights weights(dtype, 130, k, 21);
  const std::vector<float> x = random_values("bell", kTokens * k, 22);
  const std::vector<float> expected = run(weights.view(), x, kTokens, 1, isa);
  for (const int n_threads : {2, 3}) {
    const std::vector<float> out = run(weights.view(), x, kTokens, n_threads, isa);
    EXPECT_EQ(std::memcmp(out.data(), expected.data(), out.size() * sizeof(float)), 0) << n_threads << " threads";
  }
  for (int64_t t = 0; t < kTokens; ++t) {
    const std::span<const float> token(x.data() + t * k, static_cast<size_t>(k));
    const std::vector<float> out = run(weights.view(), token, 1, 1, isa);
    EXPECT_EQ(std::memcmp(out.data(), expected.data() + t * 130, out.size() * sizeof(float)), 0) << "token " << t;
  }
}

TEST_P(MatmulTest, DecoderEqualsThePortableOne) {
  const auto [isa, dtype] = GetParam();
  const DTypeInfo& info = dtype_info(dtype);
  // Random bytes reach every code and scale; not-a-number scales are compared as bits too. Plain types: all tails.
  for (const int64_t blocks : {1, 2, 3, 100}) {
    const int64_t n = blocks * info.block_values;
    std::vector<std::byte> bytes(static_cast<size_t>(blocks) * info.block_bytes + 1);
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(splitmix64(31, i));
    std::vector<float> expected(static_cast<size_t>(n));
    std::vector<float> out(static_cast<size_t>(n), 7.0F);
    info.decode(bytes.data() + 1, expected.data(), n);
    find_row_decoder(dtype, isa)(bytes.data() + 1, out.data(), n);
    for (size_t i = 0; i < out.size(); ++i) {
      if (std::isnan(expected[i]))
        ASSERT_TRUE(std::isnan(out[i])) << "value " << i;
      else
        ASSERT_EQ(std::memcmp(&out[i], &expected[i], sizeof(float)), 0)
            << "value " << i << ": " << out[i] << ", portable " << expected[i];
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, MatmulTest, testing::ValuesIn(all_cases()), case_name);

std::vector<float> rounded_to_bf16(std::vector<float> values) {
  for (float& each : values) each = bf16_to_f32(f32_to_bf16(each));
  return values;
}

TEST(Matmul, Bf16ProductsAreTheSumOfRoundedActivations) {
  for (const Isa isa : usable_isas()) {
    for (const auto& [n, k, m] : {std::array<int64_t, 3>{1, 1, 1}, {7, 33, 2}, {65, 96, 5}, {70, 257, 9}, {8, 64, 3}}) {
      const Weights weights(DType::bf16, n, k, 11);
      const std::vector<float> x = random_values("uniform", m * k, 12);
      const std::vector<float> bias = random_values("bell", n, 13);
      std::vector<float> outs[2];
      for (const int n_threads : {1, 3}) {
        ThreadPool threads(n_threads);
        std::vector<float> scratch(static_cast<size_t>(matmul_scratch_floats(m, k, n_threads)));
        std::vector<float>& out = outs[n_threads / 2];
        out.assign(static_cast<size_t>(m * n), NAN);
        matmul_into(
            {.x = x.data(), .m = m, .w = weights.view(), .bias = bias.data(), .out = out.data(), .bf16_products = true},
            scratch.data(), threads, isa);
      }
      const bool rounds = runs_on(Isa::avx512vnni, isa);  // the only one that has such products
      expect_equals_sum_in_double(weights.view(), rounds ? rounded_to_bf16(x) : x, m, bias.data(), outs[0]);
      EXPECT_EQ(std::memcmp(outs[0].data(), outs[1].data(), outs[0].size() * sizeof(float)), 0);
    }
  }
}

TEST(Matmul, NoTokensOrNoRowsWriteNothing) {
  const Weights weights(DType::f32, 4, 8, 1);
  ThreadPool threads(1);
  float out = 5;
  const std::vector<float> x(8);
  matmul_into({.x = x.data(), .m = 0, .w = weights.view(), .out = &out}, nullptr, threads);
  EXPECT_EQ(out, 5);
}

}  // namespace
}  // namespace smelt
