// The words of each family of pre-tokenizers, against those of the library "tokenizers" (tests/golden/vocab/words.json,
// made by tests/golden/scripts/make_vocab_fixtures.py), and texts that expressions could take too long for.
#include "tokenizers/pre_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "base/text.h"

namespace smelt {
namespace {

std::vector<size_t> lengths_of(const std::vector<std::string_view>& words) {
  std::vector<size_t> lengths;
  for (const std::string_view word : words) lengths.push_back(word.size());
  return lengths;
}

// Where words end, falcon aside: its reference cuts at more places, which no merge of its vocabulary spans.
bool agrees(const std::string& family, const std::vector<size_t>& ours, const std::vector<size_t>& reference) {
  if (family != "falcon") return ours == reference;
  std::set<size_t> ends;
  size_t end = 0;
  for (const size_t length : reference) ends.insert(end += length);
  end = 0;
  return std::all_of(ours.begin(), ours.end(), [&](size_t length) { return ends.contains(end += length); });
}

TEST(PreTokenizerTest, CutsAsTheReferenceDoes) {
  std::ifstream file(SMELT_SOURCE_DIR "/tests/golden/vocab/words.json");
  const auto golden = nlohmann::json::parse(file);
  ASSERT_GE(golden["words"].size(), 8U);
  for (const auto& [family, expected] : golden["words"].items()) {
    const auto pre_tokenizer = PreTokenizer::make(family);
    ASSERT_TRUE(pre_tokenizer) << pre_tokenizer.error().message;
    ASSERT_EQ(expected.size(), golden["texts"].size());
    for (size_t i = 0; i < expected.size(); ++i) {
      const std::string text = golden["texts"][i];
      const auto words = lengths_of(pre_tokenizer->split(text));
      EXPECT_TRUE(agrees(family, words, expected[i].get<std::vector<size_t>>()))
          << family << ": '" << escape_for_display(text) << "': " << testing::PrintToString(words) << ", wanted "
          << expected[i];
    }
  }
}

constexpr const char* kFamilies[] = {"gpt-2",  "llama-bpe", "qwen2", "deepseek-llm", "deepseek-coder", "deepseek-v3",
                                     "falcon", "starcoder", "mpt",   "refact",       "gpt-4o",         "default"};

TEST(PreTokenizerTest, EveryFamilyIsKnownAndCompiles) {
  for (const std::string family : kFamilies) EXPECT_THAT(pre_tokenizer_families(), testing::Contains(family));
  for (const std::string& family : pre_tokenizer_families()) EXPECT_TRUE(PreTokenizer::make(family)) << family;
}

TEST(PreTokenizerTest, WordsOfAnyBytesAreTheText) {
  std::mt19937 random(1);
  for (const std::string family : kFamilies) {
    const auto pre_tokenizer = PreTokenizer::make(family);
    ASSERT_TRUE(pre_tokenizer);
    for (int n = 0; n < 100; ++n) {
      std::string text(random() % 40, ' ');
      for (char& c : text)
        c = random() % 2 == 0 ? "a1 \n\xE4\xB8\xAD'.\xE1\xA0\x8E"[random() % 12] : static_cast<char>(random());
      std::string joined;
      for (const std::string_view word : pre_tokenizer->split(text)) joined += word;
      EXPECT_EQ(joined, text) << family;
    }
  }
}

// Runs of 128 KB, alone and with something behind them that makes expressions go back. With quadratic time the program
// would meet the time limit of the test run.
TEST(PreTokenizerTest, LongRunsTakeLinearTime) {
  constexpr size_t kBytes = 128 << 10;
  for (const std::string family : kFamilies) {
    const auto pre_tokenizer = PreTokenizer::make(family);
    ASSERT_TRUE(pre_tokenizer);
    for (const std::string unit :
         {"a", " ", "1", ".", "\n", "'s", "中", "\xCC\x81", " \n", "a1", "\xFF", "\xE1\xA0\x8E"}) {
      std::string run;
      while (run.size() < kBytes) run += unit;
      for (const std::string end : {"", "a", "中"}) {
        size_t n_bytes = 0;
        for (const std::string_view word : pre_tokenizer->split(run + end)) n_bytes += word.size();
        EXPECT_EQ(n_bytes, run.size() + end.size());
      }
    }
  }
}

}  // namespace
}  // namespace smelt
