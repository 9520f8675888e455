#include "runtime/stop_matcher.h"

#include <gtest/gtest.h>

namespace smelt {
namespace {

struct Outcome {
  std::string text;
  bool stopped;
  bool operator==(const Outcome&) const = default;
};

// The text in pieces of n bytes.
Outcome run(const std::vector<std::string>& stops, const std::string& text, size_t n) {
  StopMatcher matcher(stops);
  std::string shown;
  for (size_t at = 0; at < text.size() && !matcher.stopped(); at += n) shown += matcher.push(text.substr(at, n));
  shown += matcher.finish();
  return {shown, matcher.stopped()};
}

TEST(StopMatcher, EndsBeforeTheStopTextHoweverThePiecesAreCut) {
  for (size_t n = 1; n <= 12; ++n) {
    EXPECT_EQ(run({"END"}, "some text END more", n), (Outcome{"some text ", true})) << n;
    EXPECT_EQ(run({"END", "text"}, "some text END more", n), (Outcome{"some ", true})) << n;
    EXPECT_EQ(run({"aab"}, "aaaab", n), (Outcome{"aa", true})) << n;
    EXPECT_EQ(run({"\n\n"}, "a\nb\n\nc", n), (Outcome{"a\nb", true})) << n;
  }
}

TEST(StopMatcher, WithoutAStopTextNothingIsLost) {
  for (size_t n = 1; n <= 12; ++n) {
    EXPECT_EQ(run({"END"}, "some text EN", n), (Outcome{"some text EN", false})) << n;
    EXPECT_EQ(run({}, "some text", n), (Outcome{"some text", false})) << n;
    EXPECT_EQ(run({""}, "some text", n), (Outcome{"some text", false})) << n;
  }
}

TEST(StopMatcher, HoldsBackOnlyWhatMayBecomeAStopText) {
  StopMatcher matcher({"END"});
  EXPECT_EQ(matcher.push("the E"), "the ");
  EXPECT_EQ(matcher.push("N"), "");
  EXPECT_EQ(matcher.push("G"), "ENG");
  EXPECT_FALSE(matcher.stopped());
}

TEST(StopMatcher, AShortStopTextInsideOfTheBeginningOfALongOne) {
  for (size_t n = 1; n <= 6; ++n) {
    EXPECT_EQ(run({"abcd", "bc"}, "xabcq", n), (Outcome{"xa", true})) << n;
    EXPECT_EQ(run({"abcd", "bc"}, "xabcd", n), (Outcome{"x", true})) << n;
    EXPECT_EQ(run({"abcd", "bc"}, "xabc", n), (Outcome{"xa", true})) << n;  // the text ends there
  }
}

TEST(StopMatcher, SaysNothingAfterTheStop) {
  StopMatcher matcher({"."});
  EXPECT_EQ(matcher.push("a.b"), "a");
  EXPECT_EQ(matcher.push("c"), "");
  EXPECT_EQ(matcher.finish(), "");
  EXPECT_TRUE(matcher.stopped());
}

}  // namespace
}  // namespace smelt
