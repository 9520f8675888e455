// What must hold for every text, on the vocabularies of tests/golden/vocab: texts come back, streams never break a
// character, long runs are no trap. Texts are random, from a fixed seed.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <random>

#include "base/text.h"
#include "tokenizers/tokenizer.h"
#include "tokenizers/unicode_forms.h"

namespace smelt {
namespace {

std::shared_ptr<const Tokenizer> load(const std::string& name) {
  std::ifstream file(SMELT_SOURCE_DIR "/tests/golden/vocab/" + name, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  auto vocab = name.ends_with(".model") ? parse_sentencepiece_model(std::as_bytes(std::span(bytes)), name)
                                        : parse_tokenizer_json(bytes, name);
  EXPECT_TRUE(vocab) << vocab.error().message;
  if (!vocab) return nullptr;
  auto tokenizer = make_tokenizer(std::move(*vocab));
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return tokenizer ? *tokenizer : nullptr;
}

// Bytes, pieces of characters, whole characters and what vocabularies have tokens for.
class Texts {
 public:
  explicit Texts(uint32_t seed) : random_(seed) {}
  std::string bytes() {
    std::string text;
    for (size_t n = random_() % 24; n > 0; --n)
      text += random_() % 3 == 0 ? std::string(1, static_cast<char>(random_())) : piece();
    return text;
  }
  std::string characters() {
    std::string text;
    for (size_t n = random_() % 24; n > 0; --n) {
      if (random_() % 3 == 0) {
        append_utf8(text, static_cast<char32_t>(random_() % (random_() % 2 == 0 ? 0x300 : 0x110000)));
      } else {
        text += piece();
      }
    }
    return text;
  }
  // One of the words, with single spaces between.
  std::string words(const std::vector<std::string>& list) {
    std::string text = list[random_() % list.size()];
    for (size_t n = random_() % 12; n > 0; --n) text += " " + list[random_() % list.size()];
    return text;
  }

 private:
  std::string piece() {
    static constexpr const char* kPieces[] = {
        "the ", "river",   " ",      "  ", "\n",           "\r\n", "\t",       "a",  "1",     "12",
        "<",    "user>",   "<user>", "▁",  "中",           "é",    "\xCC\x81", "😀", "don't", "<s>",
        "</s>", "<|end|>", ".",      "「", "\xE1\xA0\x8E", "Ġ",    "<0x41>",   "of"};
    return kPieces[random_() % std::size(kPieces)];
  }
  std::mt19937 random_;
};

constexpr int kTexts = 400;

class ByteComplete : public testing::TestWithParam<const char*> {};

// Two kinds of text come back changed by the nature of their vocabularies, in the reference implementations too: what
// has another composed form where the model composes (that of ill-formed text is open), and "▁", which SentencePiece
// cannot tell from a space.
TEST_P(ByteComplete, AnyBytesComeBack) {
  const auto tokenizer = load(GetParam());
  ASSERT_NE(tokenizer, nullptr);
  Texts texts(1);
  for (int n = 0; n < kTexts; ++n) {
    const bool composes = tokenizer->vocab().nfc;
    std::string text = n % 2 == 0 && !composes ? texts.bytes() : texts.characters();
    if (composes) text = normalize_unicode(text, UnicodeForm::composed);
    const bool sentencepiece = tokenizer->vocab().model == TokenizerModel::sentencepiece_bpe;
    if (sentencepiece && text.find("▁") != std::string::npos) continue;
    ASSERT_EQ(tokenizer->decode(tokenizer->encode(text)), text) << "'" << escape_for_display(text) << "'";
  }
}

INSTANTIATE_TEST_SUITE_P(Files, ByteComplete,
                         testing::Values("byte_bpe_gpt-2.tokenizer.json", "byte_bpe_llama-bpe.tokenizer.json",
                                         "byte_bpe_qwen2.tokenizer.json", "byte_bpe_starcoder.tokenizer.json",
                                         "byte_bpe_falcon.tokenizer.json", "byte_bpe_mpt.tokenizer.json",
                                         "byte_bpe_deepseek-llm.tokenizer.json",
                                         "byte_bpe_deepseek-coder.tokenizer.json",
                                         "byte_bpe_deepseek-v3.tokenizer.json", "bpe_prepend.tokenizer.json",
                                         "bpe.model"));

// "Metaspace" takes a "▁" that begins a text for the space that it would put there itself.
TEST(TextComesBack, WhereASpaceInFrontIsOptional) {
  const auto tokenizer = load("bpe_metaspace.tokenizer.json");
  ASSERT_NE(tokenizer, nullptr);
  Texts texts(2);
  for (int n = 0; n < kTexts; ++n) {
    const std::string text = "x" + texts.characters();
    if (text.find("▁") != std::string::npos) continue;
    ASSERT_EQ(tokenizer->decode(tokenizer->encode(text)), text) << "'" << escape_for_display(text) << "'";
  }
}

// Without byte tokens only known characters come back, and extra spaces do not where they are removed.
TEST(TextComesBack, OfKnownCharacters) {
  for (const char* name : {"unigram.model", "unigram.tokenizer.json"}) {
    const auto tokenizer = load(name);
    ASSERT_NE(tokenizer, nullptr);
    Texts texts(3);
    for (int n = 0; n < kTexts; ++n) {
      const std::string text =
          texts.words({"the", "river", "a", "größer", "où", "seconds", "+", "2026;", "水は", "(a,"});
      ASSERT_EQ(tokenizer->decode(tokenizer->encode(text)), text) << name;
    }
  }
}

class EveryVocab : public testing::TestWithParam<const char*> {};

// Each part that comes out is whole, and the parts make the text with its ill-formed bytes replaced.
TEST_P(EveryVocab, StreamsAreWholeCharacters) {
  const auto tokenizer = load(GetParam());
  ASSERT_NE(tokenizer, nullptr);
  std::mt19937 random(4);
  for (int n = 0; n < kTexts; ++n) {
    std::vector<TokenId> ids(random() % 20);
    for (TokenId& id : ids) id = static_cast<TokenId>(random() % static_cast<uint32_t>(tokenizer->n_vocab()));
    StreamDecoder decoder(*tokenizer, n % 2 == 0, true);
    std::string joined;
    for (const TokenId id : ids) {
      const std::string part = decoder.push(id);
      ASSERT_TRUE(is_valid_utf8(part)) << escape_for_display(part);
      joined += part;
    }
    joined += decoder.finish();
    std::string whole;
    for (const char32_t c : decode_utf8(tokenizer->decode(ids, n % 2 == 0))) append_utf8(whole, c);
    ASSERT_EQ(joined, whole);
  }
}

// 128 KB of one thing. Quadratic time would meet the time limit of the test run.
TEST_P(EveryVocab, LongRunsAreNoTrap) {
  const auto tokenizer = load(GetParam());
  ASSERT_NE(tokenizer, nullptr);
  for (const std::string unit : {"a", " ", "1", ".", "\n", "中", "e\xCC\x81", "<user>", "\xFF", "▁"}) {
    std::string run;
    while (run.size() < (128 << 10)) run += unit;
    const std::vector<TokenId> ids = tokenizer->encode(run);
    EXPECT_LE(ids.size(), 2 * run.size());
    StreamDecoder decoder(*tokenizer);
    for (const TokenId id : ids) decoder.push(id);
  }
}

INSTANTIATE_TEST_SUITE_P(Files, EveryVocab,
                         testing::Values("byte_bpe_gpt-2.tokenizer.json", "byte_bpe_llama-bpe.tokenizer.json",
                                         "byte_bpe_qwen2.tokenizer.json", "byte_bpe_deepseek-llm.tokenizer.json",
                                         "byte_bpe_deepseek-v3.tokenizer.json", "bpe_metaspace.tokenizer.json",
                                         "bpe.model", "unigram.model", "unigram.tokenizer.json",
                                         "wordpiece_uncased.tokenizer.json", "wordpiece_cased.tokenizer.json"));

}  // namespace
}  // namespace smelt
