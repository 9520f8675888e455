// Second-order rounding against its definition, and Hessians that are none.
#include "compress/second_order.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "compress/cholesky.h"
#include "tensor/test_data.h"

namespace smelt {
namespace {

// Correlated inputs: a few hidden causes and noise.
std::vector<float> products_of(int64_t n, int64_t n_tokens, int64_t n_causes, uint64_t seed) {
  const auto causes = random_values("bell", n_tokens * n_causes, seed);
  const auto mixing = random_values("bell", n * n_causes, seed + 1);
  const auto noise = random_values("bell", n_tokens * n, seed + 2);
  std::vector<float> x(static_cast<size_t>(n_tokens * n));
  for (int64_t t = 0; t < n_tokens; ++t) {
    for (int64_t i = 0; i < n; ++i) {
      float sum = 0.3F * noise[static_cast<size_t>(t * n + i)];
      for (int64_t c = 0; c < n_causes; ++c)
        sum += causes[static_cast<size_t>(t * n_causes + c)] * mixing[static_cast<size_t>(i * n_causes + c)];
      x[static_cast<size_t>(t * n + i)] = sum;
    }
  }
  std::vector<float> out(static_cast<size_t>(n * n));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      double sum = 0;
      for (int64_t t = 0; t < n_tokens; ++t)
        sum += static_cast<double>(x[static_cast<size_t>(t * n + i)]) *
               static_cast<double>(x[static_cast<size_t>(t * n + j)]);
      out[static_cast<size_t>(i * n + j)] = static_cast<float>(sum);
    }
  }
  return out;
}

double loss_of(const std::vector<float>& w, const std::vector<std::byte>& bytes, DType type, const Hessian& hessian) {
  const int64_t n = hessian.n(), rows = std::ssize(w) / n;
  std::vector<float> decoded(w.size());
  dtype_info(type).decode(bytes.data(), decoded.data(), std::ssize(w));
  double sum = 0;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < n; ++i) {
      const double e = decoded[static_cast<size_t>(r * n + i)] - w[static_cast<size_t>(r * n + i)];
      for (int64_t j = 0; j < n; ++j)
        sum += e * static_cast<double>(hessian.matrix()[static_cast<size_t>(i * n + j)]) *
               static_cast<double>(decoded[static_cast<size_t>(r * n + j)] - w[static_cast<size_t>(r * n + j)]);
    }
  }
  return sum;
}

TEST(Cholesky, MultipliesBackToTheMatrix) {
  const int64_t n = 200;  // blocks of 64 and a rest
  ThreadPool threads(2);
  std::vector<float> a = products_of(n, 600, 8, 1);
  std::vector<float> l = a;
  ASSERT_TRUE(cholesky_in_place(l.data(), n, threads));
  double worst = 0, scale = 0;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      double sum = 0;
      for (int64_t k = 0; k <= j; ++k)
        sum += static_cast<double>(l[static_cast<size_t>(i * n + k)]) *
               static_cast<double>(l[static_cast<size_t>(j * n + k)]);
      worst = std::max(worst, std::fabs(sum - static_cast<double>(a[static_cast<size_t>(i * n + j)])));
      scale = std::max(scale, std::fabs(sum));
    }
  }
  EXPECT_LT(worst, 1e-5 * scale);
  l = a;
  l[static_cast<size_t>(150 * n + 150)] = -1;
  EXPECT_FALSE(cholesky_in_place(l.data(), n, threads));
}

class SecondOrder : public testing::TestWithParam<DType> {
 protected:
  ThreadPool threads_{2};
  static std::vector<std::byte> room(DType type, const std::vector<float>& w) {
    return std::vector<std::byte>(*row_bytes(type, w.size()));
  }
};

TEST_P(SecondOrder, EachStepLosesLessAndTheLossIsTheTrueOne) {
  const DType type = GetParam();
  const int64_t n = 768, rows = 24;
  const auto w = random_values("weights", rows * n, 3);
  const Hessian hessian = Hessian::make(n, products_of(n, 1500, 24, 4), 1500, {.shrinkage = 0.1}, threads_);
  ASSERT_FALSE(hessian.is_diagonal());
  std::vector<std::byte> bytes = room(type, w);
  double before = std::numeric_limits<double>::infinity();
  double first = 0;
  for (const RoundingMethod method : {RoundingMethod::diagonal, RoundingMethod::feedback, RoundingMethod::polished}) {
    const RoundingLoss loss = round_rows(type, w, hessian, {.method = method}, bytes.data(), threads_);
    EXPECT_NEAR(loss.chosen, loss_of(w, bytes, type, hessian), 0.01 * loss.chosen);
    EXPECT_LT(loss.chosen, before);
    if (method == RoundingMethod::diagonal) first = loss.chosen;
    before = loss.chosen;
  }
  EXPECT_LT(before, 0.8 * first) << "correlated inputs leave much to gain";
}

INSTANTIATE_TEST_SUITE_P(Types, SecondOrder,
                         testing::Values(DType::q2_k, DType::q3_k, DType::q4_k, DType::q6_k, DType::iq4_xs, DType::q4_0,
                                         DType::iq4_nl, DType::q5_1),
                         [](const auto& tested) { return std::string(dtype_name(tested.param)); });

TEST_F(SecondOrder, BytesDoNotDependOnTheNumberOfThreads) {
  const int64_t n = 512;
  const auto w = random_values("weights", 40 * n, 5);
  const auto products = products_of(n, 900, 10, 6);
  std::vector<std::vector<std::byte>> results;
  for (const int n_threads : {1, 3}) {
    ThreadPool threads(n_threads);
    const Hessian hessian = Hessian::make(n, products, 900, {}, threads);
    results.push_back(room(DType::q3_k, w));
    round_rows(DType::q3_k, w, hessian, {}, results.back().data(), threads);
  }
  EXPECT_EQ(results[0], results[1]);
}

TEST_F(SecondOrder, HessiansThatAreNoneNeitherCrashNorExplode) {
  const int64_t n = 256;
  const auto w = random_values("weights", 8 * n, 7);
  std::vector<float> rank_one(static_cast<size_t>(n * n)), spoilt = products_of(n, 300, 4, 8);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) rank_one[static_cast<size_t>(i * n + j)] = static_cast<float>((i + 1) * (j + 1));
  }
  spoilt[static_cast<size_t>(n * 9 + 3)] = std::nanf("");
  std::vector<float> infinite = products_of(n, 300, 4, 9);
  infinite[0] = std::numeric_limits<float>::infinity();
  const std::vector<float> zero(static_cast<size_t>(n * n));
  for (const auto& [name, products] : {std::pair{"zero", zero},
                                       {"rank one", rank_one},
                                       {"not a number", spoilt},
                                       {"infinite", infinite},
                                       {"fewer tokens than inputs", products_of(n, 20, 4, 10)}}) {
    const Hessian hessian = Hessian::make(n, products, 300, {.shrinkage = 0}, threads_);
    std::vector<std::byte> bytes = room(DType::q2_k, w);
    const RoundingLoss loss = round_rows(DType::q2_k, w, hessian, {}, bytes.data(), threads_);
    EXPECT_LE(loss.chosen, loss.diagonal) << name;
    std::vector<float> decoded(w.size());
    dtype_info(DType::q2_k).decode(bytes.data(), decoded.data(), std::ssize(w));
    double error = 0, size = 0;
    for (size_t i = 0; i < w.size(); ++i) {
      error += std::pow(decoded[i] - w[i], 2);
      size += std::pow(w[i], 2);
    }
    EXPECT_LT(error, size) << name;
  }
}

}  // namespace
}  // namespace smelt
