// The unigram engine on a small vocabulary: best sums, unknown characters, ties, bytes, user-defined tokens.
#include <gtest/gtest.h>

#include "tokenizers/small_vocabs.h"

namespace smelt {
namespace {

Vocab small_unigram_vocab() {
  VocabBuilder builder(TokenizerModel::unigram);
  Vocab& vocab = builder.vocab();
  vocab.padding = builder.add("<pad>", TokenType::control);
  vocab.eos = builder.add("</s>", TokenType::control);
  vocab.unknown = builder.add("<unk>", TokenType::unknown);
  vocab.eos_all = {*vocab.eos};
  vocab.add_eos = true;
  const struct {
    const char* text;
    float score;
  } tokens[] = {{"▁", -2},  {"▁a", -3}, {"a", -4}, {"b", -4}, {"ab", -5}, {"abb", -6.5F},
                {"aa", -7}, {"▁▁", -5}, {"é", -6}, {"<", -6}, {"▁zz", 0}, {"zzz", -1}};
  for (const auto& [text, score] : tokens) builder.add(text, TokenType::normal, score);
  builder.add("▁unused", TokenType::unused, 100);
  builder.add("<tool>", TokenType::user_defined);
  return vocab;
}

TEST(UnigramTest, TakesTheBestSum) {
  const Vocab vocab = small_unigram_vocab();
  EXPECT_EQ(spell(vocab, "ab"), "▁|ab");    // -7; ▁a|b is -7 too, and its last token is shorter
  EXPECT_EQ(spell(vocab, "abb"), "▁|abb");  // -8.5
  EXPECT_EQ(spell(vocab, "b abb"), "▁|b|▁|abb");
  EXPECT_EQ(spell(vocab, ""), "");
  EXPECT_EQ(spell(vocab, "a", {.add_special = true}), "▁a|</s>");
}

TEST(UnigramTest, EqualSumsGoToTheLongerLastToken) {
  Vocab vocab = small_unigram_vocab();
  vocab.add_space_prefix = false;
  EXPECT_EQ(spell(vocab, "aaa"), "a|aa");
  EXPECT_EQ(spell(vocab, "aaaa"), "aa|aa");
}

TEST(UnigramTest, UnknownCharactersCostTenAndComeAsOne) {
  const Vocab vocab = small_unigram_vocab();
  EXPECT_EQ(spell(vocab, "a∂∂b"), "▁a|<unk>|b");
  EXPECT_EQ(spell(vocab, "zz"), "▁zz");
  EXPECT_EQ(spell(vocab, "zzz"), "▁|zzz");  // -3, against -17 with one unknown
  EXPECT_EQ(spell(vocab, "\xFF\xE2\x88"), "▁|<unk>");
}

TEST(UnigramTest, BytesStandForUnknownCharacters) {
  VocabBuilder builder(TokenizerModel::unigram);
  builder.vocab() = small_unigram_vocab();
  builder.add_bytes();
  EXPECT_EQ(spell(builder.vocab(), "a∂b"), "▁a|<0xE2>|<0x88>|<0x82>|b");
  const auto tokenizer = make_tokenizer(builder.vocab());
  ASSERT_TRUE(tokenizer);
  for (const std::string text : {"a∂b", " <tool> é", "\xFF\xFEzz", "  aab"}) {
    EXPECT_EQ((*tokenizer)->decode((*tokenizer)->encode(text)), text);
  }
}

TEST(UnigramTest, UnusedAndControlTokensAreNotMade) {
  const Vocab vocab = small_unigram_vocab();
  EXPECT_EQ(spell(vocab, "unused").find("unused"), std::string::npos);
  EXPECT_EQ(spell(vocab, "</s>").find("</s>"), std::string::npos);
  EXPECT_EQ(spell(vocab, "a</s>", {.parse_special = true}), "▁a|</s>");
  EXPECT_EQ(spell(vocab, "a<tool>a"), "▁a|<tool>|▁a");
}

// Tokens that are no UTF-8 must not be found inside characters that the search steps over.
TEST(UnigramTest, DamagedTokensDoNoHarm) {
  Vocab vocab = small_unigram_vocab();
  vocab.tokens.push_back({"\x88", 5, TokenType::normal});
  vocab.tokens.push_back({"a\xE2", 5, TokenType::normal});
  EXPECT_EQ(spell(vocab, "a∂a"), "▁a|<unk>|a");
}

TEST(UnigramTest, RemovesTrailingSpacesHoweverTheyAreSpelled) {
  Vocab vocab = small_unigram_vocab();
  vocab.remove_extra_whitespaces = true;
  EXPECT_EQ(spell(vocab, "  a  ab ▁ "), "▁a|▁|ab");
  EXPECT_EQ(spell(vocab, " ▁"), "");
}

// A letter that becomes a megabyte would make a text of a page fill all memory.
TEST(UnigramTest, TablesWithEndlessReplacementsAreRefused) {
  using namespace std::string_literals;
  Vocab vocab = small_unigram_vocab();
  vocab.precompiled_charsmap = "\x04\0\0\0\0\0\0\0"s + "short\0"s + std::string(5000, 'a') + '\0';
  const auto tokenizer = make_tokenizer(vocab);
  ASSERT_FALSE(tokenizer);
  EXPECT_EQ(tokenizer.error().message,
            "tokenizer: precompiled_charsmap: byte 14: a replacement of 5000 bytes; at most 1024 are allowed");
}

TEST(UnigramTest, ScoresAtTheEndOfTheRangeDoNoHarm) {
  Vocab vocab = small_unigram_vocab();
  for (Token& token : vocab.tokens) token.score = token.text == "a" ? 3.4e38F : -3.4e38F;
  const auto tokenizer = make_tokenizer(vocab);
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ((*tokenizer)->decode((*tokenizer)->encode("aaa abb ab")), "aaa abb ab");
}

}  // namespace
}  // namespace smelt
