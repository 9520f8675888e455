// Every instruction set of kernels.inc against attention in double, over head counts, head sizes with tails, cache
// types, windows, caps and positions; and that tokens, slices and threads do not change a bit.
#include "kernels/attention/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/test_shapes.h"
#include "tensor/dtype.h"
#include "tensor/test_data.h"

namespace smelt {
namespace {

struct Sizes {
  int64_t position, m, n_heads, n_kv_heads, d_head, window = 0;
  float cap = 0;
  int64_t ahead = 0;
  int64_t keys() const { return position + m; }
};

constexpr Sizes kSizes[] = {
    {0, 1, 1, 1, 8},
    {0, 5, 4, 4, 16},
    {3, 4, 8, 2, 20},  // grouped queries, a tail of 4
    {40, 1, 6, 3, 64},
    {17, 9, 4, 1, 6},
    {63, 3, 4, 2, 64},  // over the edge of a block
    {0, 17, 4, 2, 64},
    {500, 30, 8, 2, 80},
    {1100, 3, 4, 2, 64},  // chunks of keys, tiles of queries
    {0, 70, 14, 2, 64},
    {100, 33, 1, 1, 128},
    {5, 100, 100, 1, 16},
    {200, 40, 4, 2, 64, 50},
    {1300, 2, 4, 4, 32, 7},
    {700, 1, 4, 1, 64, 600},
    {70, 3, 4, 2, 64, 0, 0.5F},
    {700, 40, 4, 2, 32, 90, 2.0F},
    {10, 20, 2, 2, 16, 0, 50.0F},
    {0, 1, 2, 2, 16, 0, 0, kAllAhead},  // all tokens see each other
    {0, 70, 4, 4, 32, 0, 0, kAllAhead},
    {0, 1100, 2, 2, 16, 0, 0, kAllAhead},
    {0, 150, 4, 2, 16, 9, 0, 8},  // windows on both sides
    {0, 1200, 1, 1, 16, 65, 0, 64},
};

// One sequence: its keys, values and queries, and a layer's cache that holds them.
struct Problem {
  Sizes s;
  std::vector<float> q, k, v;
  std::vector<std::byte> bytes = {};
  KvLayer kv = {};
  float scale = 0;
};

void fill_cache(Problem& p, KvType type, Isa isa) {
  ThreadPool threads(1);
  const Sizes& s = p.s;
  const KvShape shape = {s.n_kv_heads, s.d_head, type};
  p.bytes.assign(static_cast<size_t>(*kv_layer_bytes(shape, s.keys())), std::byte{});
  p.kv = {p.bytes.data(), (s.keys() + kKvBlock - 1) / kKvBlock, type};
  const int64_t stride = s.n_kv_heads * s.d_head;
  for (const auto& [from, m] : {std::pair{int64_t{0}, s.position}, {s.position, s.m}}) {
    if (m == 0) continue;
    store_kv({.k = p.k.data() + from * stride,
              .v = p.v.data() + from * stride,
              .stride = stride,
              .m = m,
              .position = from,
              .n_kv_heads = s.n_kv_heads,
              .d_head = s.d_head},
             p.kv, threads, isa);
  }
}

void round_to_f16(std::vector<float>& values) {
  const auto n = static_cast<int64_t>(values.size());
  std::vector<std::byte> rounded(2 * values.size());
  dtype_info(DType::f16).encode(values.data(), rounded.data(), n, nullptr);
  dtype_info(DType::f16).decode(rounded.data(), values.data(), n);
}

// Keys and values in f16 are rounded beforehand, so that only the arithmetic is measured.
Problem make_problem(const Sizes& s, KvType type, Isa isa, uint64_t seed = 1) {
  Problem p{.s = s,
            .q = random_values("bell", s.m * s.n_heads * s.d_head, seed),
            .k = random_values("bell", s.keys() * s.n_kv_heads * s.d_head, seed + 1),
            .v = random_values("bell", s.keys() * s.n_kv_heads * s.d_head, seed + 2)};
  p.scale = 1.0F / std::sqrt(static_cast<float>(s.d_head));
  for (std::vector<float>* each : {&p.k, &p.v}) {
    if (type == KvType::f16) round_to_f16(*each);
  }
  fill_cache(p, type, isa);
  return p;
}

// Tokens [first, first + m) of the problem as a slice.
AttentionSlice slice_of(const Problem& p, int64_t first, int64_t m, float* out) {
  const int64_t row = p.s.n_heads * p.s.d_head;
  return {
      .q = p.q.data() + first * row, .m = m, .position = p.s.position + first, .kv = p.kv, .out = out + first * row};
}

void run_slices(const Problem& p, std::span<const AttentionSlice> slices, int n_threads, Isa isa) {
  ThreadPool threads(n_threads);
  const Sizes& s = p.s;
  int64_t n_tokens = 0;
  for (const AttentionSlice& each : slices) n_tokens += each.m;
  std::vector<float> scratch(static_cast<size_t>(attention_scratch_floats({.n_heads = s.n_heads,
                                                                           .n_kv_heads = s.n_kv_heads,
                                                                           .d_head = s.d_head,
                                                                           .n_tokens = n_tokens,
                                                                           .capacity = s.keys(),
                                                                           .window = s.window,
                                                                           .ahead = s.ahead,
                                                                           .n_threads = n_threads})),
                             NAN);
  attention_into({.slices = slices,
                  .q_stride = s.n_heads * s.d_head,
                  .out_stride = s.n_heads * s.d_head,
                  .n_heads = s.n_heads,
                  .n_kv_heads = s.n_kv_heads,
                  .d_head = s.d_head,
                  .window = s.window,
                  .ahead = s.ahead,
                  .scale = p.scale,
                  .cap = s.cap},
                 scratch, threads, isa);
}

std::vector<float> run(const Problem& p, int n_threads, Isa isa) {
  std::vector<float> out(p.q.size(), NAN);
  const AttentionSlice slice = slice_of(p, 0, p.s.m, out.data());
  run_slices(p, {&slice, 1}, n_threads, isa);
  return out;
}

// One output vector, straight from the formula.
std::vector<double> attend_in_double(const Problem& p, int64_t token, int64_t head) {
  const Sizes& s = p.s;
  const int64_t n_keys = s.position + token + 1;
  const int64_t kv_head = head * s.n_kv_heads / s.n_heads;
  const auto at = [&](const std::vector<float>& cached, int64_t j, int64_t i) {
    return static_cast<double>(cached[static_cast<size_t>((j * s.n_kv_heads + kv_head) * s.d_head + i)]);
  };
  std::vector<double> out(static_cast<size_t>(s.d_head));
  double total = 0;
  const int64_t end = std::min(n_keys + s.ahead, s.keys());
  for (int64_t j = s.window > 0 ? std::max<int64_t>(0, n_keys - s.window) : 0; j < end; ++j) {
    double score = 0;
    for (int64_t i = 0; i < s.d_head; ++i) {
      score += p.q[static_cast<size_t>((token * s.n_heads + head) * s.d_head + i)] * at(p.k, j, i);
    }
    score *= p.scale;
    if (s.cap > 0) score = s.cap * std::tanh(score / s.cap);
    const double weight = std::exp(score);
    total += weight;
    for (int64_t i = 0; i < s.d_head; ++i) out[static_cast<size_t>(i)] += weight * at(p.v, j, i);
  }
  for (double& each : out) each /= total;
  return out;
}

// f32 arithmetic; for long slices over f16, weights, queries and values are rounded to bf16 (8 bits) on some
// instruction sets: an error of 2^-9 of each of them, of values of about 1.
// In q8 the cache and the queries themselves are rounded, by up to 1/254 of a head's largest value.
double bound_of(const Sizes& s, KvType type) {
  if (type == KvType::q8) return 8e-2;
  return type == KvType::f16 && s.m > kFewAttentionTokens ? 2e-2 : 2e-5;
}

class AttentionTest : public testing::TestWithParam<Isa> {};

void expect_formula(const Sizes& s, KvType type, Isa isa, uint64_t seed = 1) {
  const Problem p = make_problem(s, type, isa, seed);
  const std::vector<float> out = run(p, 2, isa);
  for (int64_t pair = 0; pair < s.m * s.n_heads; ++pair) {
    const std::vector<double> expected = attend_in_double(p, pair / s.n_heads, pair % s.n_heads);
    for (int64_t i = 0; i < s.d_head; ++i) {
      ASSERT_NEAR(out[static_cast<size_t>(pair * s.d_head + i)], expected[static_cast<size_t>(i)], bound_of(s, type))
          << "position " << s.position << ", m " << s.m << ", heads " << s.n_heads << "/" << s.n_kv_heads << ", d_head "
          << s.d_head << ", window " << s.window << ", cap " << s.cap << ", " << kv_type_name(type) << ", pair " << pair
          << ", value " << i;
    }
  }
}

TEST_P(AttentionTest, EqualsTheFormulaInDouble) {
  for (const Sizes& s : kSizes) {
    for (const KvType type : {KvType::f32, KvType::f16, KvType::q8}) expect_formula(s, type, GetParam());
  }
}

TEST_P(AttentionTest, EqualsTheFormulaOnRandomShapes) {
  const int n_cases = n_test_shapes(200, 10000);
  std::mt19937_64 random(7);
  const auto pick = [&random](int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
  };
  for (int i = 0; i < n_cases; ++i) {
    const int64_t n_kv_heads = pick(1, 3);
    const Sizes s = {.position = pick(0, 9) == 0 ? pick(0, 1200) : pick(0, 150),
                     .m = pick(0, 2) == 0 ? pick(17, 40) : pick(1, 4),
                     .n_heads = n_kv_heads * pick(1, 7),
                     .n_kv_heads = n_kv_heads,
                     .d_head = pick(1, 10) * (pick(0, 1) == 0 ? 2 : 16),
                     .window = pick(0, 2) == 0 ? pick(1, 200) : 0,
                     .cap = pick(0, 3) == 0 ? static_cast<float>(pick(1, 200)) / 4 : 0.0F,
                     .ahead = pick(0, 3) == 0 ? pick(1, 80) : 0};
    expect_formula(s, static_cast<KvType>(pick(0, 2)), GetParam(), random());
    if (HasFatalFailure()) return;
  }
}

// Whole numbers: only the exponentials and the scaling of sums differ.
TEST_P(AttentionTest, EightBitsEqualTheReference) {
  for (const Sizes& s : kSizes) {
    const std::vector<float> expected = run(make_problem(s, KvType::q8, Isa::reference), 1, Isa::reference);
    const std::vector<float> out = run(make_problem(s, KvType::q8, GetParam()), 1, GetParam());
    for (size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], expected[i], 1e-4) << s.position << " " << s.m;
  }
}

TEST_P(AttentionTest, EightBitCachesAreTheSameBytesAsTheReference) {
  for (const int64_t d_head : {2, 6, 20, 64, 80, 128, 256}) {
    const Sizes s = {60, 9, 2, 2, d_head};
    EXPECT_EQ(make_problem(s, KvType::q8, GetParam()).bytes, make_problem(s, KvType::q8, Isa::reference).bytes)
        << d_head;
  }
}

TEST_P(AttentionTest, TokensSlicesAndThreadsDoNotChangeABit) {
  const Isa isa = GetParam();
  for (const Sizes& s : {Sizes{5, 6, 4, 2, 40}, Sizes{1530, 16, 4, 2, 64}, Sizes{1030, 9, 6, 2, 48, 520}}) {
    for (const KvType type : {KvType::f32, KvType::f16, KvType::q8}) {
      const Problem p = make_problem(s, type, isa);
      const std::vector<float> expected = run(p, 1, isa);
      EXPECT_EQ(run(p, 3, isa), expected) << "threads, position " << s.position;
      // The same tokens cut in two slices, and one by one.
      for (const int64_t cut : {int64_t{1}, s.m / 2}) {
        std::vector<float> out(p.q.size(), NAN);
        std::vector<AttentionSlice> slices;
        for (int64_t t = 0; t < s.m; t += cut) slices.push_back(slice_of(p, t, std::min(cut, s.m - t), out.data()));
        run_slices(p, slices, 2, isa);
        EXPECT_EQ(out, expected) << "slices of " << cut << ", position " << s.position;
      }
    }
  }
}

TEST_P(AttentionTest, LongSlicesDoNotDependOnThreadsAndOverF32NotOnTheirLength) {
  const Isa isa = GetParam();
  const Sizes s = {530, 50, 4, 2, 64};
  const Problem half = make_problem(s, KvType::f16, isa);
  EXPECT_EQ(run(half, 1, isa), run(half, 4, isa));
  const Problem bytes = make_problem(s, KvType::q8, isa);
  EXPECT_EQ(run(bytes, 1, isa), run(bytes, 4, isa));
  const Problem p = make_problem(s, KvType::f32, isa);
  const std::vector<float> expected = run(p, 1, isa);
  std::vector<float> out(p.q.size(), NAN);
  std::vector<AttentionSlice> slices;
  for (int64_t t = 0; t < s.m; ++t) slices.push_back(slice_of(p, t, 1, out.data()));
  run_slices(p, slices, 2, isa);
  EXPECT_EQ(out, expected);
}

TEST_P(AttentionTest, ALongFlatTailIsNotLost) {
  // One key that stands out by a factor of 2^13, then thousands of equal ones: together they weigh half of it.
  for (const KvType type : {KvType::f32, KvType::f16, KvType::q8}) {
    Problem p = make_problem({4096, 1, 1, 1, 16}, type, GetParam());
    std::fill(p.k.begin(), p.k.end(), 0.0F);
    std::fill(p.v.begin(), p.v.end(), 1.0F);
    std::fill(p.q.begin(), p.q.end(), 0.0F);
    p.q[0] = 1;
    p.k[16 * 100] = std::log(8192.0F) / p.scale;
    std::fill(p.v.begin() + 16 * 100, p.v.begin() + 16 * 101, 0.0F);
    fill_cache(p, type, GetParam());
    for (const float each : run(p, 1, GetParam())) EXPECT_NEAR(each, 1.0 / 3, 2e-3);
  }
}

TEST_P(AttentionTest, HugeScoresDoNotOverflow) {
  Problem p = make_problem({7, 1, 1, 1, 16}, KvType::f32, GetParam());
  for (float& each : p.q) each *= 1e4F;
  for (const float each : run(p, 1, GetParam())) EXPECT_TRUE(std::isfinite(each));
}

TEST_P(AttentionTest, WhatIsNotANumberShows) {
  for (const KvType type : {KvType::f32, KvType::f16, KvType::q8}) {
    Problem p = make_problem({70, 20, 1, 1, 16}, type, GetParam());
    p.k[16 * 30 + 3] = NAN;
    fill_cache(p, type, GetParam());
    for (const float each : run(p, 1, GetParam())) EXPECT_TRUE(std::isnan(each));
  }
}

TEST_P(AttentionTest, ARingHoldsTheLatestPositions) {
  const Sizes s = {1000, 3, 4, 2, 64, 100};
  Problem p = make_problem(s, KvType::f16, GetParam());
  const std::vector<float> expected = run(p, 1, GetParam());
  // 100 keys are seen by each of 3 tokens: three blocks hold them wherever they begin.
  const int64_t ring = 3;
  const int64_t block = kv_block_bytes({s.n_kv_heads, s.d_head, KvType::f16});
  std::vector<std::byte> bytes(static_cast<size_t>(ring * block));
  for (int64_t b = 0; b < p.kv.n_blocks; ++b) {
    std::memcpy(bytes.data() + b % ring * block, p.kv.blocks + b * block, static_cast<size_t>(block));
  }
  p.kv = {bytes.data(), ring, KvType::f16};
  EXPECT_EQ(run(p, 1, GetParam()), expected);
}

TEST_P(AttentionTest, TheCacheHoldsValuesRoundedToNearestEven) {
  const Sizes s = {0, 66, 2, 2, 21};
  Problem p = make_problem(s, KvType::f16, GetParam());
  p.k = random_values("heavy", s.m * 42, 9);
  p.v = random_values("heavy", s.m * 42, 10);
  fill_cache(p, KvType::f16, GetParam());
  std::vector<std::byte> k(2 * p.k.size());
  std::vector<std::byte> v(2 * p.v.size());
  dtype_info(DType::f16).encode(p.k.data(), k.data(), s.m * 42, nullptr);
  dtype_info(DType::f16).encode(p.v.data(), v.data(), s.m * 42, nullptr);
  const int64_t d = 32;
  for (int64_t at = 0; at < s.m * 42; ++at) {
    const int64_t token = at / 42;
    const int64_t head = at % 42 / 21;
    const int64_t i = at % 21;
    const std::byte* block = p.kv.blocks + (token / 64 * 2 + head) * 2 * 64 * d * 2;
    EXPECT_EQ(std::memcmp(block + (i * 64 + token % 64) * 2, k.data() + 2 * at, 2), 0) << "key value " << at;
    EXPECT_EQ(std::memcmp(block + (64 * d + token % 64 * d + i) * 2, v.data() + 2 * at, 2), 0) << "value " << at;
  }
}

INSTANTIATE_TEST_SUITE_P(All, AttentionTest, testing::ValuesIn(usable_isas().begin(), usable_isas().end()),
                         [](const auto& each) { return std::string(isa_name(each.param)); });

}  // namespace
}  // namespace smelt
