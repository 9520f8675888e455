// The chooser on made-up machines: what passes cost and how often guesses are right is given, time is counted.
#include "runtime/speculative_length.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace smelt {
namespace {

// A machine whose pass with n guesses takes 1 + slope * n, and a drafter that is right `right` times in 100.
struct World {
  double slope;
  int64_t right;
  int64_t draws = 0;

  bool guess() { return (draws++ * 61 + 7) % 100 < right; }  // 61 and 100 share no factor: all residues come
};

struct Outcome {
  double seconds = 0;
  int64_t tokens = 0, passes_without = 0, passes = 0;
  double rate() const { return static_cast<double>(tokens) / seconds; }
};

Outcome play(DraftLength& length, World& world, int64_t n_tokens) {
  Outcome outcome;
  while (outcome.tokens < n_tokens) {
    const int64_t n = length.next();
    const double seconds = 1 + world.slope * static_cast<double>(n);
    length.measured(n, seconds);
    int64_t n_right = 0;
    while (n_right < n && world.guess()) ++n_right;
    length.tested(n_right, n_right < n);
    outcome.tokens += 1 + n_right;
    outcome.seconds += seconds;
    ++outcome.passes;
    if (n == 0) ++outcome.passes_without;
  }
  return outcome;
}

double best_rate(double slope, double right, int64_t most) {
  double best = 1;
  for (int64_t n = 1; n <= most; ++n) {
    double tokens = 1, all = 1;
    for (int64_t i = 0; i < n; ++i) tokens += all *= right;
    best = std::max(best, tokens / (1 + slope * static_cast<double>(n)));
  }
  return best;
}

TEST(DraftLength, NearsTheBestRate) {
  for (const double slope : {0.02, 0.1, 0.25, 0.5, 1.0}) {
    for (const int64_t right : {0, 20, 50, 80, 95, 100}) {
      DraftLength length(8);
      World world{slope, right};
      const double rate = play(length, world, 4000).rate();
      EXPECT_GT(rate, (slope < 1 ? 0.9 : 0.85) * best_rate(slope, static_cast<double>(right) / 100, 8))
          << slope << ", " << right << " %";
    }
  }
}

TEST(DraftLength, WrongGuessesCostLittleEvenInShortTexts) {
  for (const double slope : {0.02, 0.1, 0.25, 0.5, 1.0}) {
    DraftLength length(8);
    World world{slope, 0};
    EXPECT_GT(play(length, world, 128).rate(), slope < 1 ? 0.95 : 0.93) << slope;
    EXPECT_EQ(length.best(), 0) << slope;
    EXPECT_GT(play(length, world, 4000).rate(), 0.99) << slope;
  }
}

TEST(DraftLength, SwitchesOnAgainWhereGuessesBecomeRight) {
  DraftLength length(8);
  World world{0.1, 0};
  play(length, world, 1000);
  ASSERT_EQ(length.best(), 0);
  world.right = 90;
  play(length, world, 600);  // the wait had grown to 512
  EXPECT_GT(length.best(), 2);
  EXPECT_GT(play(length, world, 1000).rate(), 2);
  world.right = 0;
  play(length, world, 50);
  EXPECT_EQ(length.best(), 0);
}

TEST(DraftLength, ADisturbedPassChangesLittle) {
  DraftLength length(8);
  World world{0.1, 80};
  play(length, world, 500);
  const int64_t before = length.best();
  length.measured(before, 50);
  EXPECT_GE(length.best(), before - 3);
  EXPECT_GT(length.best(), 0);
}

TEST(DraftLength, WithoutRoomThereAreNoGuesses) {
  DraftLength length(0);
  World world{0.1, 100};
  const Outcome outcome = play(length, world, 100);
  EXPECT_EQ(outcome.passes, 100);
  EXPECT_EQ(outcome.passes_without, 100);
}

TEST(DraftLength, ADrafterWithoutIdeasTeachesNothing) {
  DraftLength length(8);
  for (int i = 0; i < 1000; ++i) {
    length.next();
    length.measured(0, 1);
    length.tested(0, false);
  }
  EXPECT_GT(length.next(), 0);
}

}  // namespace
}  // namespace smelt
