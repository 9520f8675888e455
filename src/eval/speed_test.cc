// Speeds themselves are not tested, but what is counted: tokens, bytes and products, repeats, refusals, interruption.
#include "eval/speed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/speed_cost.h"
#include "eval/test_models.h"

namespace smelt {
namespace {

using testing::HasSubstr;

const std::string kModel = kStories + "stories260K.bin";

SpeedOptions small_options() {
  SpeedOptions options;
  options.n_prompt = 16;
  options.n_predict = 4;
  options.depth = 32;
  options.n_sequences = 2;
  options.n_repeats = 3;
  options.n_threads = 2;
  return options;
}

TEST(Speed, SpreadIsMedianLeastAndMost) {
  const Spread odd = spread_of({3, 1, 2});
  EXPECT_EQ(odd.median, 2);
  EXPECT_EQ(odd.min, 1);
  EXPECT_EQ(odd.max, 3);
  EXPECT_EQ(spread_of({4, 1, 2, 9}).median, 3);
  EXPECT_EQ(spread_of({}).max, 0);
}

// stories260K: 5 layers, width 64, 8 heads and 4 KV heads of 8, FFN 172, 512 tokens, tied, f32.
TEST(Speed, CostsAreThoseOfTheShape) {
  const LoadedModel model = load_stories();
  const SpeedCost cost = speed_cost(*model.model, KvType::f16);
  const double layer = 64 * 64 * 2 + 64 * 32 * 2 + 3 * 64 * 172;
  EXPECT_EQ(cost.layer_ops, 2 * 5 * layer);
  EXPECT_EQ(cost.head_ops, 2 * 64 * 512);
  EXPECT_EQ(cost.row_bytes, 0);
  EXPECT_EQ(cost.decode_bytes, static_cast<double>(cost.weights_bytes));
  EXPECT_EQ(cost.decode_bytes, 4 * (5 * (layer + 2 * 64) + 64 * 512 + 64));
  // Heads of 8 values take the room of 16.
  EXPECT_EQ(cost.kv_bytes_per_token, 5 * 2 * 4 * 16 * 2);
}

TEST(Speed, MeasuresWhatIsAskedFor) {
  const auto report = measure_speed(kModel, small_options(), {});
  ASSERT_TRUE(report) << report.error().message;
  std::vector<std::string> names;
  for (const SpeedMeasure& measure : report->measures) {
    names.push_back(measure.name);
    EXPECT_GT(measure.tokens_per_second.min, 0);
    EXPECT_LE(measure.tokens_per_second.min, measure.tokens_per_second.median);
    EXPECT_LE(measure.tokens_per_second.median, measure.tokens_per_second.max);
    EXPECT_GT(measure.read_share.min, 0);
    EXPECT_GT(measure.int8_share.min, 0);
  }
  EXPECT_THAT(names, testing::ElementsAre("pp16", "tg4", "tg4@32", "batch2"));
  const double weights = static_cast<double>(report->weights_bytes),
               kv = static_cast<double>(report->kv_bytes_per_token);
  EXPECT_DOUBLE_EQ(report->measures[0].bytes_per_token, weights / 16);
  EXPECT_DOUBLE_EQ(report->measures[1].bytes_per_token, weights + 1.5 * kv);
  EXPECT_DOUBLE_EQ(report->measures[2].bytes_per_token, weights + 33.5 * kv);
  EXPECT_DOUBLE_EQ(report->measures[3].bytes_per_token, weights / 2 + 1.5 * kv);
  EXPECT_EQ(report->n_threads, 2);
  EXPECT_GT(report->peak_rss_bytes, 0U);
  EXPECT_GE(report->first_token_seconds.min, report->load_seconds.min);
  EXPECT_GT(report->limits.int8_ops_per_second.min, 0);
  EXPECT_GT(report->limits.read_bytes_per_second.min, 0);
}

TEST(Speed, PartsAreLeftOut) {
  SpeedOptions options = small_options();
  options.n_prompt = options.depth = options.n_sequences = 0;
  options.n_repeats = 1;
  const auto report = measure_speed(kModel, options, {});
  ASSERT_TRUE(report) << report.error().message;
  ASSERT_EQ(report->measures.size(), 1U);
  EXPECT_EQ(report->measures[0].name, "tg4");
}

TEST(Speed, RefusesAndStops) {
  SpeedOptions options = small_options();
  options.n_prompt = options.n_predict = 0;
  const auto nothing = measure_speed(kModel, options, {});
  ASSERT_FALSE(nothing);
  EXPECT_THAT(nothing.error().message, HasSubstr("nothing to measure"));
  CancelToken cancel;
  cancel.cancel();
  const auto stopped = measure_speed(kModel, small_options(), {nullptr, &cancel});
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().kind, ErrorKind::cancelled);
}

}  // namespace
}  // namespace smelt
