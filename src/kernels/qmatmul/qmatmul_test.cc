// Every instruction set of kernels.inc and every packed format: against sums in double of the quantized activations,
// and the promises of qmatmul.h: a token's result depends on nothing but the token.
#include "kernels/qmatmul/qmatmul.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "kernels/elementwise/elementwise.h"
#include "kernels/lists.h"
#include "kernels/test_shapes.h"
#include "tensor/rows16.h"
#include "tensor/test_data.h"

namespace smelt {
namespace {

// A matrix in both layouts.
class Weights {
 public:
  Weights(DType dtype, int64_t n, int64_t k, uint64_t seed) : n_(n), k_(k), values_(static_cast<size_t>(n * k)) {
    const std::vector<float> values = random_values("weights", n * k, seed);
    const auto row = static_cast<int64_t>(*row_bytes(dtype, static_cast<uint64_t>(k)));
    std::vector<std::byte> stock(static_cast<size_t>(n * row));
    for (int64_t r = 0; r < n; ++r) {
      dtype_info(dtype).encode(values.data() + r * k, stock.data() + r * row, k, nullptr);
      dtype_info(dtype).decode(stock.data() + r * row, values_.data() + r * k, k);
    }
    pack(dtype, stock);
  }
  Weights(const Weights&) = delete;
  Weights& operator=(const Weights&) = delete;
  const TensorView& view() const { return view_; }
  double at(int64_t r, int64_t i) const { return values_[static_cast<size_t>(r * k_ + i)]; }
  // The greatest weight of the block of 32 around input i.
  double greatest_near(int64_t r, int64_t i) const {
    double greatest = 0;
    for (int64_t j = i / 32 * 32; j < i / 32 * 32 + 32; ++j) greatest = std::max(greatest, std::fabs(at(r, j)));
    return greatest;
  }
  std::vector<std::byte>& bytes() { return bytes_; }

 private:
  void pack(DType dtype, const std::vector<std::byte>& stock) {
    const auto row = static_cast<int64_t>(*row_bytes(dtype, static_cast<uint64_t>(k_)));
    bytes_.resize(rows16_bytes(dtype, n_, k_));
    for (int64_t r = 0; r < n_; r += 16) {
      pack_rows16(dtype, stock.data() + r * row, std::min<int64_t>(16, n_ - r), k_, bytes_.data() + r * row);
    }
    view_ = {.dtype = dtype, .shape = {n_, k_}, .bytes = bytes_, .layout = Layout::rows16};
  }

  int64_t n_, k_;
  std::vector<float> values_;
  std::vector<std::byte> bytes_;
  TensorView view_;
};

// Activations quantized, and what they then stand for.
class Rows {
 public:
  Rows(const std::vector<float>& x, int64_t m, int64_t k, QArithmetic arithmetic, Isa isa)
      : memory_(static_cast<size_t>(quantized_rows_floats(m, k) + 16)) {
    auto* start = reinterpret_cast<float*>((reinterpret_cast<uintptr_t>(memory_.data()) + 63) / 64 * 64);
    rows_ = place_quantized_rows(start, m, k);
    for (int64_t t = 0; t < m; ++t) quantize_row_into(x.data() + t * k, t, arithmetic, rows_, isa);
  }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;
  const QuantizedRows& view() const { return rows_; }
  double at(int64_t t, int64_t i) const {
    const ActivationBlock& block = rows_.blocks[t * rows_.blocks_a_row() + i / 32];
    return static_cast<double>(block.q[i % 32]) * block.scale;
  }

 private:
  std::vector<float> memory_;
  QuantizedRows rows_;
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
    for (const DTypeInfo& info : all_dtypes()) {
      if (has_rows16(info.dtype) && has_kernel("qmatmul", isa)) cases.push_back({isa, info.dtype});
    }
  }
  return cases;
}

class Scratch {
 public:
  Scratch(int64_t m, int n_threads) : memory_(static_cast<size_t>(qmatmul_scratch_floats(m, n_threads) + 16)) {}
  float* get() { return reinterpret_cast<float*>((reinterpret_cast<uintptr_t>(memory_.data()) + 63) / 64 * 64); }

 private:
  std::vector<float> memory_;
};

std::vector<float> run(const Weights& w, const Rows& x, QArithmetic arithmetic, int n_threads, Isa isa,
                       const float* bias = nullptr) {
  ThreadPool threads(n_threads);
  const QuantizedRows& rows = x.view();
  Scratch scratch(rows.m, n_threads);
  const int64_t n = w.view().rows();
  std::vector<float> out(static_cast<size_t>(rows.m * n), NAN);
  const QMatrix matrix{.w = w.view(), .bias = bias, .out = out.data(), .out_stride = n};
  qmatmul_into(rows, {&matrix, 1}, arithmetic, {scratch.get(), threads, isa});
  return out;
}

void expect_equals_sum_in_double(const Weights& w, const Rows& x, QArithmetic arithmetic,
                                 const std::vector<float>& out) {
  const int64_t n = w.view().rows();
  const int64_t k = w.view().columns();
  for (int64_t t = 0; t < x.view().m; ++t) {
    for (int64_t r = 0; r < n; ++r) {
      double sum = 0;
      double magnitude = 0;
      double requantized = 0;
      for (int64_t i = 0; i < k; ++i) {
        sum += x.at(t, i) * w.at(r, i);
        // Minima cancel: what is added and subtracted is up to the block's range for each input.
        magnitude += std::fabs(x.at(t, i)) * 2 * w.greatest_near(r, i);
        if (arithmetic == QArithmetic::prefill)
          requantized += std::fabs(x.at(t, i)) * w.greatest_near(r, i) * 1.3 / 254;
      }
      const double bound = (static_cast<double>(k) / 16 + 4) * 0x1p-24 * magnitude + requantized + 1e-30;
      ASSERT_NEAR(out[static_cast<size_t>(t * n + r)], sum, bound) << "token " << t << ", row " << r;
    }
  }
}

class QMatmulTest : public testing::TestWithParam<Case> {};

TEST_P(QMatmulTest, EqualsTheSumInDouble) {
  const auto [isa, dtype] = GetParam();
  const int64_t block = dtype_info(dtype).block_values;
  const int shapes = n_test_shapes(20, 10000 / 12);
  for (int i = 0; i < shapes; ++i) {
    const auto random = [&](uint64_t at, int64_t bound) {
      return static_cast<int64_t>(splitmix64(77, 10 * static_cast<uint64_t>(i) + at) % static_cast<uint64_t>(bound));
    };
    const int64_t n = 1 + random(0, i % 4 == 0 ? 150 : 40);
    const int64_t k = block * (1 + random(1, block == 32 ? 20 : 3));
    const int64_t m = 1 + random(2, 21);
    const Weights w(dtype, n, k, static_cast<uint64_t>(i));
    const std::vector<float> values = random_values(i % 2 == 0 ? "bell" : "outliers", m * k, static_cast<uint64_t>(i));
    SCOPED_TRACE(testing::Message() << "m " << m << ", n " << n << ", k " << k);
    for (const QArithmetic arithmetic : {QArithmetic::exact, QArithmetic::prefill}) {
      const Rows x(values, m, k, arithmetic, isa);
      expect_equals_sum_in_double(w, x, arithmetic, run(w, x, arithmetic, 1, isa));
    }
    if (HasFatalFailure()) return;
  }
}

TEST_P(QMatmulTest, TokensAndThreadsDoNotChangeABit) {
  const auto [isa, dtype] = GetParam();
  constexpr int64_t kTokens = 23;
  const int64_t n = 150;
  const int64_t k = 768;
  const Weights w(dtype, n, k, 21);
  const std::vector<float> values = random_values("bell", kTokens * k, 22);
  for (const QArithmetic arithmetic : {QArithmetic::exact, QArithmetic::prefill}) {
    const Rows all(values, kTokens, k, arithmetic, isa);
    const std::vector<float> expected = run(w, all, arithmetic, 1, isa);
    for (const int n_threads : {2, 3}) {
      const std::vector<float> out = run(w, all, arithmetic, n_threads, isa);
      EXPECT_EQ(std::memcmp(out.data(), expected.data(), out.size() * sizeof(float)), 0) << n_threads << " threads";
    }
    for (int64_t t = 0; t < kTokens; ++t) {
      const Rows one(std::vector<float>(values.begin() + t * k, values.begin() + (t + 1) * k), 1, k, arithmetic, isa);
      const std::vector<float> out = run(w, one, arithmetic, 1, isa);
      ASSERT_EQ(std::memcmp(out.data(), expected.data() + t * n, out.size() * sizeof(float)), 0) << "token " << t;
    }
  }
}

TEST_P(QMatmulTest, ScalesThatAreNotFiniteAreNotLost) {
  const auto [isa, dtype] = GetParam();
  const int64_t k = dtype_info(dtype).block_values;
  Weights w(dtype, 16, k, 3);
  // The last plane is f16: that of row 15 of the block's last f16 field.
  w.bytes()[w.bytes().size() - 1] = std::byte{0x7e};
  for (const QArithmetic arithmetic : {QArithmetic::exact, QArithmetic::prefill}) {
    const Rows x(random_values("bell", 17 * k, 4), 17, k, arithmetic, isa);
    const std::vector<float> out = run(w, x, arithmetic, 1, isa);
    for (size_t t = 0; t < 17; ++t) {
      EXPECT_FALSE(std::isfinite(out[t * 16 + 15])) << "token " << t;
      EXPECT_TRUE(std::isfinite(out[t * 16 + 14])) << "token " << t;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, QMatmulTest, testing::ValuesIn(all_cases()), case_name);

TEST(QMatmul, SeveralMatricesBiasAndAddition) {
  const Weights a(DType::q4_k, 70, 256, 1);
  const Weights b(DType::q8_0, 33, 256, 2);
  const Rows x(random_values("bell", 3 * 256, 5), 3, 256, QArithmetic::exact, chosen_isa());
  const std::vector<float> bias = random_values("bell", 70, 6);
  ThreadPool threads(2);
  Scratch scratch(3, 2);
  std::vector<float> out(3 * 103, 1.0F);  // both results side by side in one row
  const QMatrix matrices[] = {{.w = a.view(), .bias = bias.data(), .out = out.data(), .out_stride = 103},
                              {.w = b.view(), .out = out.data() + 70, .out_stride = 103, .add = true}};
  qmatmul_into(x.view(), matrices, QArithmetic::exact, {scratch.get(), threads});
  const std::vector<float> first = run(a, x, QArithmetic::exact, 1, chosen_isa(), bias.data());
  const std::vector<float> second = run(b, x, QArithmetic::exact, 1, chosen_isa());
  for (size_t t = 0; t < 3; ++t) {
    for (size_t r = 0; r < 70; ++r) ASSERT_EQ(out[t * 103 + r], first[t * 70 + r]);
    for (size_t r = 0; r < 33; ++r) ASSERT_EQ(out[t * 103 + 70 + r], 1.0F + second[t * 33 + r]);
  }
}

// Types that are requantized are left out: a panel of signed codes is not rounded as one of unsigned codes is.
TEST(QMatmul, ProductsOfMatricesGiveTheBitsOfDotProducts) {
  if (!runs_on(Isa::i8mm, usable_isas().front())) GTEST_SKIP() << "no int8 matrices here";
  constexpr int64_t kColumns = 1280;
  for (const DType dtype : {DType::q8_0, DType::q4_0, DType::q5_0, DType::iq4_nl, DType::iq4_xs}) {
    const Weights w(dtype, 150, kColumns, 31);
    for (const int64_t m : {1, 2, 3, 4, 5, 7, 20, 23}) {
      const Rows x(random_values("bell", m * kColumns, 32), m, kColumns, QArithmetic::prefill, Isa::i8mm);
      const std::vector<float> out = run(w, x, QArithmetic::prefill, 1, Isa::i8mm);
      EXPECT_EQ(out, run(w, x, QArithmetic::prefill, 1, Isa::dotprod)) << dtype_name(dtype) << " " << m;
    }
  }
}

TEST(QMatmul, SwigluIsTheTwoProductsAndTheNextQuantization) {
  for (const QArithmetic arithmetic : {QArithmetic::exact, QArithmetic::prefill}) {
    const Isa isa = chosen_isa();
    const Weights gate(DType::q6_k, 96, 256, 1);
    const Weights up(DType::q6_k, 96, 256, 2);
    const Rows x(random_values("outliers", 5 * 256, 5), 5, 256, arithmetic, isa);
    std::vector<float> g = run(gate, x, arithmetic, 1, isa);
    const std::vector<float> u = run(up, x, arithmetic, 1, isa);
    for (int64_t i = 0; i < 5 * 96; i += 32) swiglu_in_place(g.data() + i, u.data() + i, 32, isa);
    const Rows expected(g, 5, 96, arithmetic, isa);
    const Rows out(std::vector<float>(5 * 96), 5, 96, arithmetic, isa);
    ThreadPool threads(2);
    Scratch scratch(5, 2);
    qmatmul_swiglu_into(x.view(), {.w = gate.view()}, {.w = up.view()}, arithmetic, out.view(),
                        {scratch.get(), threads});
    EXPECT_EQ(std::memcmp(out.view().blocks, expected.view().blocks, 5 * 3 * sizeof(ActivationBlock)), 0);
  }
}

TEST(QMatmul, ARowThatIsNotFiniteGivesNotANumberAndSparesTheOthers) {
  const Weights w(DType::q4_0, 40, 64, 1);
  std::vector<float> values = random_values("bell", 3 * 64, 5);
  values[64 + 7] = INFINITY;
  for (const QArithmetic arithmetic : {QArithmetic::exact, QArithmetic::prefill}) {
    const Rows x(values, 3, 64, arithmetic, chosen_isa());
    const std::vector<float> out = run(w, x, arithmetic, 1, chosen_isa());
    for (size_t i = 0; i < out.size(); ++i) EXPECT_EQ(std::isnan(out[i]), i / 40 == 1) << i;
  }
}

void expect_block_stands_for(const float* x, QArithmetic arithmetic, const ActivationBlock& block) {
  float greatest = 0;
  int sums[2] = {};
  for (int64_t i = 0; i < 32; ++i) {
    greatest = std::max(greatest, std::fabs(x[i]));
    sums[i / 16] += block.q[i];
    EXPECT_LE(std::fabs(static_cast<float>(block.q[i]) * block.scale - x[i]), block.scale * 0.50001F);
  }
  EXPECT_GE(block.scale * 127 * 1.0001F, greatest);
  if (greatest > 1e-15F) {
    EXPECT_LT(block.scale * 127 / (arithmetic == QArithmetic::prefill ? 2 : 1), greatest * 1.0001F);
  }
  if (arithmetic == QArithmetic::prefill) {
    EXPECT_EQ(std::exp2(std::round(std::log2(block.scale))), block.scale);
  }
  EXPECT_EQ(block.offset128, -128 * (sums[0] + sums[1]));
  EXPECT_EQ(block.offset128_half[0], -128 * sums[0]);
  EXPECT_EQ(block.offset128_half[1], -128 * sums[1]);
  EXPECT_EQ(block.sum, static_cast<float>(sums[0] + sums[1]) * block.scale);
  EXPECT_EQ(block.sum_half[0], static_cast<float>(sums[0]) * block.scale);
  EXPECT_EQ(block.sum_half[1], static_cast<float>(sums[1]) * block.scale);
}

void expect_blocks_stand_for(const std::vector<float>& values, QArithmetic arithmetic, Isa isa) {
  const Rows rows(values, 1, static_cast<int64_t>(values.size()), arithmetic, isa);
  for (size_t i = 0; i < values.size(); i += 32) {
    expect_block_stands_for(values.data() + i, arithmetic, rows.view().blocks[i / 32]);
  }
}

TEST(QuantizeRow, EachValueIsWithinHalfAStepOfTheLeastScale) {
  for (const Isa isa : usable_isas()) {
    for (const float scale : {1.0F, 1e-6F, 1e6F, 0.0F}) {
      std::vector<float> values = random_values("heavy", 8 * 32, 9);
      for (float& each : values) each *= scale;
      expect_blocks_stand_for(values, QArithmetic::exact, isa);
      expect_blocks_stand_for(values, QArithmetic::prefill, isa);
    }
  }
}

}  // namespace
}  // namespace smelt
