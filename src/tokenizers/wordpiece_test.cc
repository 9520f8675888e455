// The WordPiece engine on a small vocabulary, and how BERT cuts text into words.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tokenizers/bert_words.h"
#include "tokenizers/small_vocabs.h"

namespace smelt {
namespace {

using testing::ElementsAre;

Vocab small_wordpiece_vocab() {
  VocabBuilder builder(TokenizerModel::wordpiece);
  Vocab& vocab = builder.vocab();
  vocab.unknown = builder.add("[UNK]", TokenType::unknown);
  vocab.bos = builder.add("[CLS]", TokenType::control);
  vocab.separator = vocab.eos = builder.add("[SEP]", TokenType::control);
  vocab.add_bos = vocab.add_eos = vocab.lowercase = true;
  for (const char* text : {"▁un", "aff", "able", "▁the", "▁,", "▁中", "▁a", "a", "▁unaff", "▁"}) builder.add(text);
  return vocab;
}

TEST(WordPieceTest, TakesTheLongestTokensFromTheLeft) {
  const Vocab vocab = small_wordpiece_vocab();
  EXPECT_EQ(spell(vocab, "unaffable"), "▁unaff|able");
  EXPECT_EQ(spell(vocab, "The,  unaff", {.add_special = true}), "[CLS]|▁the|▁,|▁unaff|[SEP]");
  EXPECT_EQ(spell(vocab, ""), "");
  EXPECT_EQ(spell(vocab, "a中a"), "▁a|▁中|▁a");
}

TEST(WordPieceTest, WordsThatCannotBeCoveredAreUnknownAsAWhole) {
  const Vocab vocab = small_wordpiece_vocab();
  EXPECT_EQ(spell(vocab, "unaffablex the"), "[UNK]|▁the");
  EXPECT_EQ(spell(vocab, "affable"), "[UNK]");  // none begins a word, and "▁" alone begins nothing
  EXPECT_EQ(spell(vocab, std::string(100, 'a')).substr(0, 6), "▁a|a");
  EXPECT_EQ(spell(vocab, std::string(101, 'a')), "[UNK]");
}

TEST(WordPieceTest, AMarkInTheTextBeginsNoWord) {
  const Vocab vocab = small_wordpiece_vocab();
  EXPECT_EQ(spell(vocab, "a▁a"), "[UNK]");
  EXPECT_EQ(spell(vocab, "▁a"), "[UNK]");
}

TEST(WordPieceTest, DecodesWithSpacesBetweenWords) {
  const auto tokenizer = make_tokenizer(small_wordpiece_vocab());
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ((*tokenizer)->decode((*tokenizer)->encode("The unaffable", {.add_special = true})), "the unaffable");
}

TEST(WordPieceTest, CasedModelsKeepCaseAndAccents) {
  Vocab vocab = small_wordpiece_vocab();
  EXPECT_EQ(spell(vocab, "Thé"), "▁the");
  vocab.lowercase = false;
  EXPECT_EQ(spell(vocab, "The the"), "[UNK]|▁the");
}

TEST(BertWords, CutsAtSpacePunctuationAndChinese) {
  EXPECT_THAT(split_bert_words("Don't  stop!\tnow\n", false), ElementsAre("Don", "'", "t", "stop", "!", "now"));
  EXPECT_THAT(split_bert_words("a$b—c。d", false), ElementsAre("a", "$", "b", "—", "c", "。", "d"));
  EXPECT_THAT(split_bert_words("水は 中文", false), ElementsAre("水", "は", "中", "文"));
  EXPECT_THAT(split_bert_words(" \xC2\xA0\xE3\x80\x80", false), ElementsAre());
}

TEST(BertWords, DropsControlCharactersAndIllFormedBytes) {
  EXPECT_THAT(split_bert_words(std::string_view("a\0b\x01\xC2\xAD\xEF\xBF\xBD"
                                                "c\xFF"
                                                "d",
                                                12),
                               false),
              ElementsAre("abcd"));
}

TEST(BertWords, KeepsCharactersThatUnicodeHasNotAssigned) {
  EXPECT_THAT(split_bert_words("a\xCD\xB8 b", true), ElementsAre("a\xCD\xB8", "b"));
}

TEST(BertWords, LowercasingTakesAccentsAway) {
  EXPECT_THAT(split_bert_words("ÉMIGRÉ e\xCC\x81 Straße İ Ω", true), ElementsAre("emigre", "e", "straße", "i", "ω"));
  std::string marks = "e";
  for (int i = 0; i < 5000; ++i) marks += "\xCC\x81";
  EXPECT_THAT(split_bert_words(marks + "É", true), ElementsAre("ee"));
}

}  // namespace
}  // namespace smelt
