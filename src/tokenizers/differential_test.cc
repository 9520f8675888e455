// The tokenizers of all families of text models, pipelines as published, against the PyPI package `tokenizers`: 10,000
// random and hostile texts each. tests/golden/scripts/make_tokenizer_differential.py made the vocabularies and recorded
// the ids as hashes; the texts are made here again by its arithmetic. It also prints what the package gives for one.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "tokenizers/tokenizer.h"

namespace smelt {
namespace {

const std::string kFolder = SMELT_SOURCE_DIR "/tests/golden/tokenizers/";
constexpr uint64_t kOffsetBasis = 0xCBF29CE484222325;

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

uint64_t fold(uint64_t hash, uint32_t number) {  // FNV-1a
  for (int shift = 0; shift < 32; shift += 8) hash = (hash ^ (number >> shift & 0xFF)) * 0x100000001B3;
  return hash;
}

class Numbers {  // splitmix64
 public:
  explicit Numbers(uint64_t seed) : state_(seed) {}
  size_t below(size_t limit) {
    state_ += 0x9E3779B97F4A7C15;
    uint64_t z = state_;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return ((z ^ z >> 31) >> 16) % limit;
  }

 private:
  uint64_t state_;
};

struct Texts {
  std::vector<std::string> words, pieces, added;
  std::vector<std::pair<uint32_t, uint32_t>> blocks;

  std::string make(uint64_t number) const {
    Numbers numbers(number);
    const bool wordy = numbers.below(4) == 0;
    std::string text;
    for (size_t n = numbers.below(24); n > 0; --n) {
      const size_t pick = numbers.below(20);
      if (wordy && pick > 3) {
        text += words[numbers.below(words.size())] + " ";
      } else if (pick < 14) {
        text += pieces[numbers.below(pieces.size())];
      } else if (pick < 17 || added.empty()) {
        const auto [first, last] = blocks[numbers.below(blocks.size())];
        append_utf8(text, first + static_cast<uint32_t>(numbers.below(last - first + 1)));
      } else {
        text += added[numbers.below(added.size())];
      }
    }
    return text;
  }
};

Texts texts_for(const std::string& tokenizer_json) {
  const auto parts = nlohmann::json::parse(read_file(kFolder + "texts.json"));
  Texts texts{parts["words"], parts["pieces"], {}, parts["blocks"]};
  const auto tokenizer = nlohmann::json::parse(tokenizer_json);
  for (const auto& token : tokenizer["added_tokens"]) texts.added.push_back(token["content"]);
  return texts;
}

// The first texts that differ are named, and whether the digest of all does.
void expect_equal(const Tokenizer& tokenizer, const Texts& texts, const std::string& recorded) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(recorded.data());
  uint64_t wanted = 0, digest = kOffsetBasis;
  for (size_t i = 8; i-- > 0;) wanted = wanted << 8 | bytes[i];
  size_t n_wrong = 0;
  for (size_t number = 0; number + 8 < recorded.size(); ++number) {
    const std::string text = texts.make(number);
    const std::vector<TokenId> ids = tokenizer.encode(text, {.add_special = true, .parse_special = true});
    uint64_t one = kOffsetBasis;
    for (const TokenId id : ids) {
      one = fold(one, static_cast<uint32_t>(id));
      digest = fold(digest, static_cast<uint32_t>(id));
    }
    digest = fold(digest, 0xFFFFFFFF);
    if (((one ^ one >> 32) & 0xFF) == bytes[8 + number] || ++n_wrong > 5) continue;
    ADD_FAILURE() << "text " << number << ", '" << escape_for_display(text, 1000) << "', became "
                  << testing::PrintToString(ids);
  }
  EXPECT_EQ(n_wrong, 0U) << "of " << recorded.size() - 8;
  EXPECT_EQ(digest, wanted);
}

class Differential : public testing::TestWithParam<std::string> {};

TEST_P(Differential, TenThousandTextsAsTheReferenceDoes) {
  const std::string json = read_file(kFolder + GetParam() + ".json");
  const std::string recorded = read_file(kFolder + GetParam() + ".bin");
  ASSERT_EQ(recorded.size(), 10'008U);
  const Texts texts = texts_for(json);
  auto vocab = parse_tokenizer_json(json, GetParam());
  ASSERT_TRUE(vocab) << vocab.error().message;
  Metadata keys;
  add_gguf_vocab(*vocab, keys);
  auto tokenizer = make_tokenizer(std::move(*vocab));
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  expect_equal(**tokenizer, texts, recorded);
  // … and from the GGUF file that it becomes.
  auto again = parse_gguf_vocab(keys);
  ASSERT_TRUE(again) << again.error().message;
  tokenizer = make_tokenizer(std::move(*again));
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  expect_equal(**tokenizer, texts, recorded);
}

std::vector<std::string> families() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".bin") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}
INSTANTIATE_TEST_SUITE_P(Families, Differential, testing::ValuesIn(families()),
                         [](const testing::TestParamInfo<std::string>& one) { return one.param; });

}  // namespace
}  // namespace smelt
