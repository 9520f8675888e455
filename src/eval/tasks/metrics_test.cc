// Metrics against rouge-score and seqeval (tests/golden/scripts/make_task_fixtures.py), and by hand.
#include "eval/tasks/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "eval/tasks/answers.h"
#include "eval/tasks/pattern.h"
#include "eval/tasks/rouge.h"
#include "eval/tasks/spans.h"
#include "eval/tasks/test_tasks.h"

namespace smelt {
namespace {

using nlohmann::json;

json read_golden(const char* name) { return json::parse(read_all(kTaskGolden + name)); }

void expect_equal(const RougeScore& score, const json& golden, const json& whole) {
  EXPECT_NEAR(score.precision, golden[0].get<double>(), 1e-12) << whole;
  EXPECT_NEAR(score.recall, golden[1].get<double>(), 1e-12) << whole;
  EXPECT_NEAR(score.f, golden[2].get<double>(), 1e-12) << whole;
}

void expect_equal(const RougeScores& scores, const json& each) {
  expect_equal(scores.rouge1, each["scores"]["rouge1"], each);
  expect_equal(scores.rouge2, each["scores"]["rouge2"], each);
  expect_equal(scores.rouge_l, each["scores"]["rougeL"], each);
}

TEST(Rouge, EqualsRougeScore) {
  const json golden = read_golden("rouge.json");
  ASSERT_GT(golden["pairs"].size(), 400U);
  for (const json& each : golden["pairs"])
    expect_equal(rouge(each["target"].get<std::string>(), each["prediction"].get<std::string>()), each);
  for (const json& each : golden["multi"])
    expect_equal(best_rouge(each["targets"].get<std::vector<std::string>>(), each["prediction"].get<std::string>()),
                 each);
}

TEST(Spans, EqualSeqeval) {
  const json golden = read_golden("spans.json");
  std::vector<TaskRecord> records;
  for (const json& each : golden["cases"]) {
    const auto gold = spans_of_tags(each["gold"].get<std::vector<std::string>>());
    ASSERT_EQ(gold.size(), each["gold_spans"].size()) << each;
    for (size_t i = 0; i < gold.size(); ++i)
      EXPECT_EQ(gold[i], (Span{each["gold_spans"][i][0], each["gold_spans"][i][1], each["gold_spans"][i][2]})) << each;
    const SpanCounts counts = compare_spans(gold, spans_of_tags(each["found"].get<std::vector<std::string>>()));
    TaskRecord record;
    record.scores = {{"right", static_cast<double>(counts.right)},
                     {"wanted", static_cast<double>(counts.wanted)},
                     {"found", static_cast<double>(counts.found)}};
    records.push_back(std::move(record));
  }
  TaskDefinition definition;
  definition.kind = TaskKind::text;
  definition.text.metric = TextMetric::span_f1;
  const auto metrics = make_metrics(definition, records, 1);
  ASSERT_EQ(metrics.size(), 3U);
  EXPECT_NEAR(metrics[0].estimate.value, golden["f1"].get<double>(), 1e-12);
  EXPECT_NEAR(metrics[1].estimate.value, golden["precision"].get<double>(), 1e-12);
  EXPECT_NEAR(metrics[2].estimate.value, golden["recall"].get<double>(), 1e-12);
  // The error of a proportion over some 1,500 spans, give or take: a bootstrap that resampled wrongly would be far off.
  EXPECT_GT(metrics[2].estimate.standard_error, 0.005);
  EXPECT_LT(metrics[2].estimate.standard_error, 0.03);
  EXPECT_EQ(make_metrics(definition, records, 1)[0].estimate.standard_error, metrics[0].estimate.standard_error);
  EXPECT_NE(make_metrics(definition, records, 2)[0].estimate.standard_error, metrics[0].estimate.standard_error);
}

TEST(Spans, LinesBecomeSpansWhereTheirWordsStand) {
  const std::vector<std::string> tokens = {"Ann", "met", "Ann", "in", "New", "York"};
  const auto found =
      read_spans("person: Ann\nperson:  Ann \nlocation: New  York\nlocation: Boston\nnone\nx\n: y\n", tokens);
  EXPECT_EQ(found, (std::vector<Span>{
                       {"person", 0, 1}, {"person", 2, 3}, {"location", 4, 6}, {"location", 6, 7}, {"", 6, 7}}));
  EXPECT_TRUE(read_spans("none", tokens).empty());
  EXPECT_TRUE(read_spans("", tokens).empty());
}

double binomial(int64_t n, int64_t k) {
  double out = k > n ? 0 : 1;
  for (int64_t i = 0; i < k; ++i) out *= static_cast<double>(n - i) / static_cast<double>(i + 1);
  return out;
}

TEST(PassAtK, IsTheShareOfDrawsWithARightOne) {
  for (int64_t n = 1; n <= 12; ++n)
    for (int64_t c = 0; c <= n; ++c)
      for (int64_t k = 1; k <= n; ++k)
        EXPECT_NEAR(pass_at_k(n, c, k), 1 - binomial(n - c, k) / binomial(n, k), 1e-12) << n << " " << c << " " << k;
  EXPECT_NEAR(pass_at_k(200, 1, 100), 0.5, 1e-12);
}

TEST(Answers, NormalizationTakesOutSmallDifferences) {
  EXPECT_EQ(normalize_answer("  a \n b ", {}), "a b");
  EXPECT_EQ(normalize_answer("The Cat, sat.", {Normalize::lower, Normalize::punctuation, Normalize::articles}),
            "cat sat");
  for (const char* same : {"1234.5", "$1,234.50", " 1,234.5. ", "1234.500"})
    EXPECT_EQ(normalize_answer(same, {Normalize::number}), "1234.5") << same;
  EXPECT_EQ(normalize_answer("42.0", {Normalize::number}), "42");
  EXPECT_EQ(normalize_answer("-0", {Normalize::number}), "0");
  EXPECT_EQ(normalize_answer("12 apples", {Normalize::number}), "12 apples");
  EXPECT_EQ(normalize_answer("nan", {Normalize::number}), "nan");
}

std::string found(const char* pattern, std::string_view text, Pattern::Which which = Pattern::Which::first) {
  return Pattern::compile(pattern)->find(text, which).value_or("none");
}

TEST(TaskPattern, GivesGroupOrMatchFirstOrLast) {
  EXPECT_EQ(found("#### (-?[0-9,]+)", "so\n#### 1,234\n#### 5"), "1,234");
  EXPECT_EQ(found("#### (-?[0-9,]+)", "so\n#### 1,234\n#### 5", Pattern::Which::last), "5");
  EXPECT_EQ(found("[0-9]+", "a 7 b 8", Pattern::Which::last), "8");
  EXPECT_EQ(found("x", "abc"), "none");
  EXPECT_EQ(found("b*", "abc", Pattern::Which::last), "");
  EXPECT_EQ(found("(a|b(c))x", "bcx \xff ax", Pattern::Which::last), "a");
  EXPECT_EQ(found("(?:(y)|x)", "x"), "none");  // its group took no part
}

TEST(TaskPattern, EndlessSearchesGiveUp) {
  EXPECT_EQ(found("(a+)+$b", std::string(50'000, 'a') + "c"), "none");
  const auto bad = Pattern::compile("(");
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().message, testing::HasSubstr("at position 1"));
}

}  // namespace
}  // namespace smelt
