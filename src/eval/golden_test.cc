// Perplexity and KL divergence of stories260K equal those of an independent implementation
// (tests/golden/scripts/make_eval_fixtures.py: tokenizer, forward pass in float64 and statistics of its own).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "eval/test_models.h"

namespace smelt {
namespace {

using nlohmann::json;

// f32 against float64: about 1e-5 of a probability's logarithm.
constexpr double kRelative = 2e-5;

json read_golden() {
  const auto text = read_file(std::string(SMELT_SOURCE_DIR) + "/tests/golden/eval/stories260K.json", 1 << 22);
  EXPECT_TRUE(text);
  return json::parse(*text);
}

void expect_near(double value, const json& golden, const char* what) {
  EXPECT_NEAR(value, golden.get<double>(), kRelative * std::abs(golden.get<double>())) << what;
}

void expect_near(const Estimate& estimate, const json& golden, const char* what) {
  expect_near(estimate.value, golden[0], what);
  EXPECT_NEAR(estimate.standard_error, golden[1].get<double>(), 10 * kRelative * golden[1].get<double>()) << what;
}

void expect_near(const PerplexityReport& report, const json& golden, const char* what) {
  expect_near(Estimate{report.perplexity, report.standard_error}, golden["perplexity"], what);
  expect_near(report.mean_nll, golden["mean_nll"], what);
  expect_near(report.bits_per_byte, golden["bits_per_byte"], what);
}

EvalOptions options_of(const json& golden) {
  return {.n_ctx = golden["n_ctx"],
          .max_windows = golden.value("max_windows", 0),
          .first_scored = golden.value("first_scored", -1),
          .n_threads = 2,
          .kv_type = KvType::f32};
}

TEST(EvalGolden, Tokens) {
  EXPECT_EQ(encode(load_stories(), evaluation_text()), read_golden()["ids"].get<std::vector<TokenId>>());
}

TEST(EvalGolden, Perplexity) {
  const LoadedModel model = load_stories();
  const json all = read_golden();
  ASSERT_EQ(all["cases"].size(), 4U);
  for (const json& golden : all["cases"]) {
    const auto report = evaluate_perplexity(model, evaluation_text(), options_of(golden), {});
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->n_tokens, golden["n_tokens"]);
    EXPECT_EQ(report->n_windows, golden["n_windows"]);
    expect_near(*report, golden["reference"], "perplexity");
  }
}

void expect_equals(const KlReport& report, const json& golden) {
  EXPECT_EQ(report.n_tokens, golden["n_tokens"]);
  expect_near(report.model, golden["model"], "model");
  expect_near(report.reference, golden["reference"], "reference");
  expect_near(report.mean_kl, golden["mean_kl"], "mean KL");
  const double kls[] = {report.kl_p50, report.kl_p90, report.kl_p99, report.kl_p999, report.kl_max};
  for (size_t i = 0; i < 5; ++i) EXPECT_NEAR(kls[i], golden["kl_percentiles"][i].get<double>(), 1e-3 * kls[i]) << i;
  EXPECT_NEAR(report.top1_agreement.value, golden["top1_agreement"][0].get<double>(), 1e-9);
  EXPECT_NEAR(report.top1_agreement.standard_error, golden["top1_agreement"][1].get<double>(), 1e-9);
  expect_near(report.rms_delta_p, golden["rms_delta_p"], "RMS of the change of p");
  const double deltas[] = {report.delta_p_p01, report.delta_p_p05, report.delta_p_p50, report.delta_p_p95,
                           report.delta_p_p99};
  for (size_t i = 0; i < 5; ++i) EXPECT_NEAR(deltas[i], golden["delta_p_percentiles"][i].get<double>(), 2e-5) << i;
  expect_near(report.log_perplexity_ratio, golden["log_perplexity_ratio"], "ratio");
}

TEST(EvalGolden, Divergence) {
  const LoadedModel reference = load_stories();
  const CoarseStories coarse;
  const json all = read_golden();
  ASSERT_EQ(all["cases"].size(), 4U);
  for (const json& golden : all["cases"]) {
    const auto report = evaluate_kl(coarse.load(), reference, evaluation_text(), options_of(golden), {});
    ASSERT_TRUE(report) << report.error().message;
    expect_equals(*report, golden);
  }
}

}  // namespace
}  // namespace smelt
