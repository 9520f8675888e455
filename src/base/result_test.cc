// Result, Status, Error and the two macros that pass errors up.
#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace smelt {
namespace {

Result<int> parse_digit(char c) {
  if (c < '0' || c > '9') return input_error(std::string("'") + c + "' is not a digit");
  return c - '0';
}

Result<int> add_digits(char a, char b) {
  SMELT_ASSIGN(const int first, parse_digit(a).with_context("first"));
  SMELT_ASSIGN(const int second, parse_digit(b).with_context("second"));
  return first + second;
}

Status check_digits(const std::string& text, std::vector<int>* out) {
  for (const char c : text) {
    int digit = 0;
    SMELT_ASSIGN(digit, parse_digit(c));
    out->push_back(digit);
  }
  return {};
}

Status check_both(const std::string& a, const std::string& b, std::vector<int>* out) {
  if (!a.empty()) SMELT_TRY(check_digits(a, out).with_context("a"));
  SMELT_TRY(check_digits(b, out).with_context("b"));
  return {};
}

TEST(Result, HoldsAValue) {
  Result<int> result = add_digits('3', '4');
  ASSERT_TRUE(result);
  EXPECT_TRUE(result.has_value());
  EXPECT_EQ(*result, 7);
  result.value() = 8;
  EXPECT_EQ(result.value(), 8);
}

TEST(Result, HoldsAnErrorWithContext) {
  const Result<int> result = add_digits('3', 'x').with_context("x.gguf");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "x.gguf: second: 'x' is not a digit");
  EXPECT_EQ(result.error().kind, ErrorKind::input);
}

TEST(Result, ContextLeavesValuesAlone) { EXPECT_EQ(add_digits('1', '2').with_context("nowhere").value(), 3); }

TEST(Result, TryStopsAtTheFirstError) {
  std::vector<int> seen;
  const Status status = check_both("12", "3?5", &seen);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, "b: '?' is not a digit");
  EXPECT_EQ(seen, (std::vector<int>{1, 2, 3}));
}

TEST(Result, TryInAnIfWithoutBraces) {
  std::vector<int> seen;
  EXPECT_TRUE(check_both("", "9", &seen));
  EXPECT_EQ(seen, std::vector<int>{9});
}

TEST(Result, MovesOutWhatCannotBeCopied) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(5);
  ASSERT_TRUE(result);
  const std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 5);
}

TEST(Result, AResultOfAStringIsNotAnError) {
  const Result<std::string> result = std::string("text");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->size(), 4U);
}

TEST(Result, KindsOfErrors) {
  EXPECT_EQ(usage_error("no such type").kind, ErrorKind::usage);
  EXPECT_EQ(cancelled_error().kind, ErrorKind::cancelled);
  EXPECT_EQ(usage_error("b").with_context("a").message, "a: b");
  EXPECT_EQ(usage_error("b").with_context("a").kind, ErrorKind::usage);
}

TEST(Status, IsGoodUnlessMadeFromAnError) {
  EXPECT_TRUE(Status());
  Status bad = input_error("disk full");
  EXPECT_FALSE(bad);
  EXPECT_EQ(std::move(bad).with_context("out").error().message, "out: disk full");
}

}  // namespace
}  // namespace smelt
