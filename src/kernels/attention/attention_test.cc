// Every instruction set of kernels.inc against attention in double, over head counts, head sizes with tails, cache
// types and positions; and that tokens and threads do not change a bit.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/attention/attention.h"
#include "tensor/test_data.h"

namespace smelt {
namespace {

struct Sizes {
  int64_t position, m, n_heads, n_kv_heads, d_head;
};

constexpr Sizes kSizes[] = {
    {0, 1, 1, 1, 8},   {0, 5, 4, 4, 16}, {3, 4, 8, 2, 20},  // grouped queries, a tail of 4
    {40, 1, 6, 3, 64}, {17, 9, 4, 1, 6},                    // one shared KV head, smaller than a vector
};

// A cache filled through store_kv, and its values as they read back from its type.
struct Cache {
  std::vector<std::byte> bytes;
  std::vector<float> values;
};

Cache make_cache(const Sizes& s, DType dtype, uint64_t seed, Isa isa) {
  const int64_t n = s.n_kv_heads * s.d_head;
  const int64_t rows = s.position + s.m;
  Cache cache;
  cache.values = random_values("bell", rows * n, seed);
  cache.bytes.resize(*row_bytes(dtype, static_cast<uint64_t>(rows * n)));
  store_kv({.values = cache.values.data(), .m = s.position, .n = n, .position = 0}, dtype, cache.bytes.data(), isa);
  store_kv({.values = cache.values.data() + s.position * n, .m = s.m, .n = n, .position = s.position}, dtype,
           cache.bytes.data(), isa);
  dtype_info(dtype).decode(cache.bytes.data(), cache.values.data(), rows * n);
  return cache;
}

struct Problem {
  Sizes s;
  std::vector<float> q;
  Cache k, v;
  DType dtype;
  float scale;
};

Problem make_problem(const Sizes& s, DType dtype, Isa isa) {
  return {.s = s,
          .q = random_values("bell", s.m * s.n_heads * s.d_head, 1),
          .k = make_cache(s, dtype, 2, isa),
          .v = make_cache(s, dtype, 3, isa),
          .dtype = dtype,
          .scale = 1.0F / std::sqrt(static_cast<float>(s.d_head))};
}

std::vector<float> run(Problem& p, int n_threads, Isa isa) {
  ThreadPool threads(n_threads);
  const Sizes& s = p.s;
  std::vector<float> scratch(static_cast<size_t>(attention_scratch_floats(s.position + s.m, s.d_head, n_threads)));
  std::vector<float> out(p.q.size(), NAN);
  const AttentionArgs args{.q = p.q.data(),
                           .m = s.m,
                           .position = s.position,
                           .n_heads = s.n_heads,
                           .n_kv_heads = s.n_kv_heads,
                           .d_head = s.d_head,
                           .kv = {p.k.bytes.data(), p.v.bytes.data(), p.dtype},
                           .scale = p.scale,
                           .out = out.data()};
  attention_into(args, scratch.data(), threads, isa);
  return out;
}

// One output vector, straight from the formula.
std::vector<double> attend_in_double(const Problem& p, int64_t token, int64_t head) {
  const Sizes& s = p.s;
  const int64_t n_keys = s.position + token + 1;
  const int64_t kv_head = head * s.n_kv_heads / s.n_heads;
  const auto cached = [&](const Cache& cache, int64_t j, int64_t i) {
    return static_cast<double>(cache.values[static_cast<size_t>((j * s.n_kv_heads + kv_head) * s.d_head + i)]);
  };
  std::vector<double> out(static_cast<size_t>(s.d_head));
  double total = 0;
  for (int64_t j = 0; j < n_keys; ++j) {
    double score = 0;
    for (int64_t i = 0; i < s.d_head; ++i) {
      score += p.q[static_cast<size_t>((token * s.n_heads + head) * s.d_head + i)] * cached(p.k, j, i);
    }
    const double weight = std::exp(score * p.scale);
    total += weight;
    for (int64_t i = 0; i < s.d_head; ++i) out[static_cast<size_t>(i)] += weight * cached(p.v, j, i);
  }
  for (double& each : out) each /= total;
  return out;
}

class AttentionTest : public testing::TestWithParam<Isa> {};

void expect_formula(const Sizes& s, DType dtype, Isa isa) {
  Problem p = make_problem(s, dtype, isa);
  const std::vector<float> out = run(p, 2, isa);
  for (int64_t pair = 0; pair < s.m * s.n_heads; ++pair) {
    const std::vector<double> expected = attend_in_double(p, pair / s.n_heads, pair % s.n_heads);
    for (int64_t i = 0; i < s.d_head; ++i) {
      ASSERT_NEAR(out[static_cast<size_t>(pair * s.d_head + i)], expected[static_cast<size_t>(i)], 2e-5)
          << "position " << s.position << ", d_head " << s.d_head << ", pair " << pair << ", value " << i;
    }
  }
}

TEST_P(AttentionTest, EqualsTheFormulaInDouble) {
  for (const Sizes& s : kSizes) {
    for (const DType dtype : {DType::f32, DType::f16}) expect_formula(s, dtype, GetParam());
  }
}

TEST_P(AttentionTest, TokensAndThreadsDoNotChangeABit) {
  Problem whole = make_problem({5, 6, 4, 2, 40}, DType::f16, GetParam());
  const std::vector<float> expected = run(whole, 1, GetParam());
  const std::vector<float> threaded = run(whole, 3, GetParam());
  EXPECT_EQ(std::memcmp(threaded.data(), expected.data(), expected.size() * sizeof(float)), 0);
  // Each token alone, with the same cache.
  const auto row = static_cast<size_t>(4 * 40);
  for (size_t t = 0; t < 6; ++t) {
    Problem one = whole;
    one.s.position += static_cast<int64_t>(t);
    one.s.m = 1;
    one.q.assign(whole.q.begin() + static_cast<std::ptrdiff_t>(t * row),
                 whole.q.begin() + static_cast<std::ptrdiff_t>((t + 1) * row));
    const std::vector<float> out = run(one, 1, GetParam());
    EXPECT_EQ(std::memcmp(out.data(), expected.data() + t * row, row * sizeof(float)), 0) << "token " << t;
  }
}

TEST_P(AttentionTest, HugeScoresDoNotOverflow) {
  Problem p = make_problem({7, 1, 1, 1, 16}, DType::f32, GetParam());
  for (float& each : p.q) each *= 1e4F;
  for (const float each : run(p, 1, GetParam())) EXPECT_TRUE(std::isfinite(each));
}

TEST_P(AttentionTest, StoredHalvesAreRoundedToNearestEven) {
  const std::vector<float> values = random_values("heavy", 37, 9);
  std::vector<std::byte> cache(2 * (5 + 37));
  store_kv({.values = values.data(), .m = 1, .n = 37, .position = 0}, DType::f16, cache.data() + 10, GetParam());
  std::vector<std::byte> expected(2 * 37);
  dtype_info(DType::f16).encode(values.data(), expected.data(), 37, nullptr);
  EXPECT_EQ(std::memcmp(cache.data() + 10, expected.data(), expected.size()), 0);
}

INSTANTIATE_TEST_SUITE_P(All, AttentionTest, testing::ValuesIn(usable_isas().begin(), usable_isas().end()),
                         [](const auto& each) { return std::string(isa_name(each.param)); });

}  // namespace
}  // namespace smelt
