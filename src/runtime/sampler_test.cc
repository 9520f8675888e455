#include "runtime/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace smelt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// All filters off: draws from softmax(logits).
SamplerOptions plain(uint64_t seed = 1) { return {.temperature = 1, .top_k = 0, .top_p = 1, .min_p = 0, .seed = seed}; }

std::vector<float> logits_of(const std::vector<double>& p) {
  std::vector<float> logits;
  for (const double each : p) logits.push_back(static_cast<float>(std::log(each)));
  return logits;
}

std::map<TokenId, double> frequencies(const SamplerOptions& options, const std::vector<float>& logits, int n = 20000) {
  Sampler sampler(options, static_cast<int64_t>(logits.size()));
  std::map<TokenId, double> counts;
  for (int i = 0; i < n; ++i) counts[sampler.sample(logits)] += 1.0 / n;
  return counts;
}

std::vector<TokenId> drawn(const SamplerOptions& options, const std::vector<float>& logits) {
  std::vector<TokenId> ids;
  for (const auto& [id, share] : frequencies(options, logits)) ids.push_back(id);
  return ids;
}

TEST(Sampler, GreedyTakesTheBestAndTheLowerIdOfEqualOnes) {
  Sampler sampler({.temperature = 0}, 4);
  EXPECT_EQ(sampler.sample(std::vector<float>{1, 3, 3, 2}), 1);
  EXPECT_EQ(sampler.sample(std::vector<float>{-1, -3, -3, -0.5F}), 3);
}

TEST(Sampler, DrawsFromTheDistribution) {
  auto shares = frequencies(plain(), logits_of({0.5, 0.3, 0.15, 0.05}));
  EXPECT_NEAR(shares[0], 0.5, 0.015);  // four standard deviations are 0.014
  EXPECT_NEAR(shares[1], 0.3, 0.014);
  EXPECT_NEAR(shares[2], 0.15, 0.011);
  EXPECT_NEAR(shares[3], 0.05, 0.007);
}

TEST(Sampler, TemperatureSharpensAndFlattens) {
  SamplerOptions options = plain();
  options.temperature = 0.5F;  // p ∝ p²
  auto sharp = frequencies(options, logits_of({0.6, 0.4}));
  EXPECT_NEAR(sharp[0], 0.36 / 0.52, 0.014);
  options.temperature = 2;
  auto flat = frequencies(options, logits_of({0.9, 0.1}));
  EXPECT_NEAR(flat[0], 0.75, 0.014);
}

TEST(Sampler, TopKKeepsTheKBest) {
  SamplerOptions options = plain();
  options.top_k = 2;
  EXPECT_THAT(drawn(options, logits_of({0.1, 0.4, 0.2, 0.3})), ElementsAre(1, 3));
  options.top_k = 99;
  EXPECT_THAT(drawn(options, logits_of({0.1, 0.4, 0.2, 0.3})), ElementsAre(0, 1, 2, 3));
}

TEST(Sampler, TopPKeepsTheFewestThatHoldTheShare) {
  SamplerOptions options = plain();
  options.top_p = 0.65F;
  EXPECT_THAT(drawn(options, logits_of({0.1, 0.4, 0.2, 0.3})), ElementsAre(1, 3));
  options.top_p = 0.01F;
  EXPECT_THAT(drawn(options, logits_of({0.1, 0.4, 0.2, 0.3})), ElementsAre(1));
}

TEST(Sampler, MinPDropsWhatIsFarBelowTheBest) {
  SamplerOptions options = plain();
  options.min_p = 0.45F;  // of 0.4: at least 0.18
  EXPECT_THAT(drawn(options, logits_of({0.1, 0.4, 0.2, 0.3})), ElementsAre(1, 2, 3));
}

TEST(Sampler, TypicalDropsTheTooCertainAndTheTooRare) {
  SamplerOptions options = plain();
  // Entropy 1.43 nats; surprises 0.60, 1.83 (four times), 4.61 (twice, half each): the four are the typical ones.
  options.typical_p = 0.5F;
  EXPECT_THAT(drawn(options, logits_of({0.35, 0.16, 0.16, 0.16, 0.16, 0.01})), ElementsAre(1, 2, 3, 4));
}

TEST(Sampler, PenaltiesLookBackAtTheLastTokens) {
  SamplerOptions options{.temperature = 0, .repeat_penalty = 2, .penalty_last_n = 2};
  const std::vector<float> logits = {4, 3, 2.5F};
  Sampler sampler(options, 3);
  EXPECT_EQ(sampler.sample(logits), 0);
  sampler.accept(0);
  EXPECT_EQ(sampler.sample(logits), 1);  // 2, 3, 2.5
  sampler.accept(1);
  EXPECT_EQ(sampler.sample(logits), 2);  // 2, 1.5, 2.5
  sampler.accept(2);                     // 0 is forgotten
  EXPECT_EQ(sampler.sample(logits), 0);
}

TEST(Sampler, PenaltiesPushNegativeLogitsDown) {
  Sampler sampler({.temperature = 0, .repeat_penalty = 2}, 2);
  sampler.accept(0);
  EXPECT_EQ(sampler.sample(std::vector<float>{-1, -1.5F}), 1);  // -2, -1.5
}

TEST(Sampler, FrequencyCountsAndPresenceDoesNot) {
  Sampler frequency({.temperature = 0, .frequency_penalty = 1}, 2);
  Sampler presence({.temperature = 0, .presence_penalty = 1}, 2);
  for (int i = 0; i < 3; ++i) {
    frequency.accept(0);
    presence.accept(0);
  }
  const std::vector<float> logits = {5, 3};
  EXPECT_EQ(frequency.sample(logits), 1);  // 2, 3
  EXPECT_EQ(presence.sample(logits), 0);   // 4, 3
}

TEST(Sampler, SeedsReproduceAndDiffer) {
  const std::vector<float> logits(1000, 0.0F);
  const auto draw = [&](uint64_t seed) {
    Sampler sampler(plain(seed), 1000);
    std::vector<TokenId> ids;
    for (int i = 0; i < 20; ++i) ids.push_back(sampler.sample(logits));
    return ids;
  };
  EXPECT_EQ(draw(7), draw(7));
  EXPECT_NE(draw(7), draw(8));
  // xoshiro256++ seeded by SplitMix64(0), computed apart in Python: floor(1000 u). A change would change users' texts.
  std::vector<TokenId> first = draw(0);
  first.resize(5);
  EXPECT_THAT(first, ElementsAre(324, 382, 359, 11, 495));
}

TEST(Sampler, OptionsOutOfRangeAreUsageErrorsThatNameThem) {
  const std::pair<SamplerOptions, const char*> cases[] = {
      {{.temperature = -1}, "temperature is -1"},
      {{.temperature = std::nanf("")}, "temperature is nan"},
      {{.temperature = INFINITY}, "temperature is inf"},
      {{.top_k = -1}, "top-k is -1"},
      {{.top_p = 0}, "top-p is 0, allowed above 0 and at most 1"},
      {{.top_p = 1.5F}, "top-p is 1.5"},
      {{.min_p = -0.1F}, "min-p is -0.1"},
      {{.typical_p = 0}, "typical is 0"},
      {{.repeat_penalty = 0}, "repeat penalty is 0"},
      {{.presence_penalty = INFINITY}, "presence penalty is inf"},
      {{.frequency_penalty = -INFINITY}, "frequency penalty is -inf"},
      {{.penalty_last_n = -2}, "penalty length is -2"},
  };
  for (const auto& [options, hint] : cases) {
    const Status status = check_sampler_options(options);
    ASSERT_FALSE(status) << hint;
    EXPECT_EQ(status.error().kind, ErrorKind::usage);
    EXPECT_THAT(status.error().message, HasSubstr(hint));
  }
  EXPECT_TRUE(check_sampler_options({}));
}

TEST(Sampler, AMaskOfAllTokensChangesNothingAndOthersKeepOut) {
  const std::vector<float> logits = {1, 5, 2, 4, 3, 0};
  const std::vector<uint64_t> all = {0b111111}, even = {0b010101};
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const SamplerOptions options{.temperature = 2, .seed = seed};
    Sampler plain(options, 6), masked(options, 6), half(options, 6);
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(plain.sample(logits), masked.sample(logits, all));
      EXPECT_EQ(half.sample(logits, even) % 2, 0);
    }
  }
  EXPECT_EQ(Sampler({.temperature = 0}, 6).sample(logits, even), 4);
}

}  // namespace
}  // namespace smelt
