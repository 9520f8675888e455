// Labels against transformers' logits, and the places of tokens against those of tokenizers
// (tests/golden/scripts/make_encoder_fixtures.py).
#include "runtime/classifier.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/mapped_file.h"

namespace smelt {
namespace {

const std::string kGolden = std::string(SMELT_SOURCE_DIR) + "/tests/golden/";

nlohmann::json recorded(const std::string& fixture) {
  auto text = read_file(kGolden + fixture + "/golden.json", 1 << 20);
  EXPECT_TRUE(text) << text.error().message;
  return nlohmann::json::parse(*text);
}

std::vector<TextLabels> classify(const std::string& fixture, const std::vector<std::string>& texts) {
  auto classifier = Classifier::open(kGolden + fixture, {.n_threads = 2, .compute = Compute::f32});
  EXPECT_TRUE(classifier) << classifier.error().message;
  if (!classifier) return {};
  auto out = classifier->classify(texts);
  EXPECT_TRUE(out) << out.error().message;
  return out ? *out : std::vector<TextLabels>();
}

class TextHead : public testing::TestWithParam<const char*> {};

TEST_P(TextHead, ProbabilitiesAreThoseOfTheReferencesLogits) {
  const auto golden = recorded(GetParam());
  const bool each_for_itself = std::string_view(GetParam()).starts_with("distilbert");  // multi_label_classification
  const auto out = classify(GetParam(), golden["texts"].get<std::vector<std::string>>());
  ASSERT_EQ(out.size(), golden["logits"].size());
  const std::string names[] = {"bad", "so-so", "good"};
  for (size_t i = 0; i < out.size(); ++i) {
    const auto logits = golden["logits"][i].get<std::vector<double>>();
    double total = 0;
    for (const double logit : logits) total += std::exp(logit);
    ASSERT_EQ(out[i].labels.size(), 3U);
    float last = 1;
    for (const LabelProbability& label : out[i].labels) {
      const size_t number = static_cast<size_t>(std::find(names, names + 3, label.label) - names);
      const double e = std::exp(logits.at(number));
      EXPECT_NEAR(label.probability, each_for_itself ? e / (1 + e) : e / total, 1e-4) << i << " " << label.label;
      EXPECT_LE(label.probability, last);
      last = label.probability;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, TextHead,
                         testing::Values("bert/text", "distilbert/text", "roberta/text", "modernbert/text"),
                         [](const auto& each) {
                           const std::string name = each.param;
                           return name.substr(0, name.find('/'));
                         });

class TokenHead : public testing::TestWithParam<const char*> {};

// Characters that byte-level tokens part have no place of their own there.
TEST_P(TokenHead, PlacesAreThoseOfTheReferencesTokenizer) {
  const auto golden = recorded(GetParam());
  auto checkpoint = Checkpoint::open(kGolden + GetParam());
  ASSERT_TRUE(checkpoint);
  const auto tokenizer = load_tokenizer(*checkpoint);
  ASSERT_TRUE(tokenizer);
  int n_compared = 0;
  for (size_t i = 0; i < golden["texts"].size(); ++i) {
    const auto text = golden["texts"][i].get<std::string>();
    const auto ids = golden["ids"][i].get<std::vector<TokenId>>();
    const std::vector<TokenPlace> places = locate_tokens(**tokenizer, text, ids);
    ASSERT_EQ(places.size(), ids.size());
    for (size_t t = 1; t + 1 < places.size(); ++t) {
      const auto expected = golden["places"][i][t].get<std::vector<size_t>>();
      const std::string part = text.substr(expected[0], expected[1] - expected[0]);
      if (std::any_of(part.begin(), part.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) continue;
      if (part.empty()) continue;
      EXPECT_EQ((std::vector<size_t>{places[t].begin, places[t].end}), expected) << i << " " << t << " " << part;
      ++n_compared;
    }
  }
  EXPECT_GT(n_compared, 30);
}

TEST_P(TokenHead, SpansAreThoseOfTheReferencesLogits) {
  const auto golden = recorded(GetParam());
  const std::string names[] = {"O", "PER", "PER", "LOC", "LOC"};
  const auto texts = golden["texts"].get<std::vector<std::string>>();
  const auto out = classify(GetParam(), texts);
  ASSERT_EQ(out.size(), texts.size());
  size_t n_spans = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    size_t last_end = 0;
    for (const LabelledSpan& span : out[i].spans) {
      EXPECT_GE(span.begin, last_end);
      EXPECT_LT(span.begin, span.end);
      EXPECT_LE(span.end, texts[i].size());
      last_end = span.end;
      ++n_spans;
    }
    // Each token that the reference labels is in a span of that kind.
    for (size_t t = 1; t + 1 < golden["places"][i].size(); ++t) {
      const auto place = golden["places"][i][t].get<std::vector<size_t>>();
      const auto logits = golden["logits"][i][t].get<std::vector<double>>();
      const size_t best = static_cast<size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
      const size_t middle = (place[0] + place[1]) / 2;
      if (place[0] == place[1] || static_cast<unsigned char>(texts[i][middle]) >= 0x80) continue;
      const auto holds = [&](const LabelledSpan& s) { return s.begin <= middle && middle < s.end; };
      const auto span = std::find_if(out[i].spans.begin(), out[i].spans.end(), holds);
      if (best == 0) continue;
      ASSERT_NE(span, out[i].spans.end()) << i << " " << t;
      EXPECT_EQ(span->label, names[best]) << i << " " << t;
    }
  }
  EXPECT_GT(n_spans, 3U);
}

INSTANTIATE_TEST_SUITE_P(All, TokenHead,
                         testing::Values("bert/token", "distilbert/token", "roberta/token", "modernbert/token"),
                         [](const auto& each) {
                           const std::string name = each.param;
                           return name.substr(0, name.find('/'));
                         });

TEST(Spans, MergeByKind) {
  const LabelProbability labels[] = {{"O", 1},     {"B-PER", 0.5F}, {"I-PER", 1}, {"B-PER", 1}, {"I-LOC", 1},
                                     {"I-LOC", 1}, {"O", 1},        {"I-LOC", 1}, {"MISC", 1},  {"B-PER", 1}};
  const TokenPlace places[] = {{0, 0},   {0, 4},   {4, 6},   {7, 9},   {10, 12},
                               {13, 15}, {16, 17}, {18, 20}, {21, 23}, {23, 23}};
  const std::vector<LabelledSpan> spans = merge_spans(labels, places);
  ASSERT_EQ(spans.size(), 5U);
  EXPECT_EQ(spans[0].label, "PER");
  EXPECT_EQ(spans[0].begin, 0U);
  EXPECT_EQ(spans[0].end, 6U);
  EXPECT_FLOAT_EQ(spans[0].probability, 0.75F);
  EXPECT_EQ(spans[1].begin, 7U);
  EXPECT_EQ(spans[2].label, "LOC");
  EXPECT_EQ(spans[2].end, 15U);
  EXPECT_EQ(spans[3].begin, 18U);
  EXPECT_EQ(spans[4].label, "MISC");
}

TEST(Classifier, AnEncoderWithoutAHeadIsRefused) {
  const auto classifier = Classifier::open(kGolden + "bert/embedding", {});
  ASSERT_FALSE(classifier);
  EXPECT_NE(classifier.error().message.find("smelt embed"), std::string::npos);
}

}  // namespace
}  // namespace smelt
