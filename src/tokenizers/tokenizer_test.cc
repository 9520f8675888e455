// The engines on small vocabularies: what each model does, special tokens, decoding, streams, hostile vocabularies.
#include "tokenizers/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iterator>
#include <random>

#include "tokenizers/small_vocabs.h"

namespace smelt {
namespace {

std::shared_ptr<const Tokenizer> make(Vocab vocab) {
  auto tokenizer = make_tokenizer(std::move(vocab));
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return tokenizer ? *tokenizer : nullptr;
}

TEST(SentencePieceBpeTest, MergesByScoreAfterASpace) {
  const auto tokenizer = make(small_sentencepiece_vocab());
  EXPECT_EQ(spell(*tokenizer, "hello"), "▁hello");
  EXPECT_EQ(spell(*tokenizer, "aaa"), "▁|aa|a");
  EXPECT_EQ(spell(*tokenizer, ""), "");
  EXPECT_EQ(spell(*tokenizer, "", {.add_special = true}), "<s>");
  EXPECT_EQ(spell(*tokenizer, "hello world", {.add_special = true}), "<s>|▁hello|▁world");
}

TEST(SentencePieceBpeTest, UnusedTokensFormOthersOnly) {
  const auto tokenizer = make(small_sentencepiece_vocab());
  EXPECT_EQ(spell(*tokenizer, "world"), "▁world");
  EXPECT_EQ(spell(*tokenizer, "wor"), "▁w|or");
}

TEST(SentencePieceBpeTest, BytesStandForUnknownCharacters) {
  const auto tokenizer = make(small_sentencepiece_vocab());
  EXPECT_EQ(spell(*tokenizer, "é∂"), "▁|é|<0xE2>|<0x88>|<0x82>");
  EXPECT_EQ(spell(*tokenizer, "\xE2\x88"), "▁|<0xE2>|<0x88>");
  Vocab no_bytes = small_sentencepiece_vocab();
  for (Token& token : no_bytes.tokens) {
    if (token.type == TokenType::byte) token.type = TokenType::control;
  }
  EXPECT_EQ(spell(*make(no_bytes), "é∂e"), "▁|é|<unk>|e");
}

TEST(SentencePieceBpeTest, SpacePrefixIsOptional) {
  Vocab vocab = small_sentencepiece_vocab();
  vocab.add_space_prefix = false;
  const auto tokenizer = make(vocab);
  EXPECT_EQ(spell(*tokenizer, "hello"), "h|el|lo");
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(" hello")), " hello");
}

// Long texts are merged in pieces where no token joins two words; a vocabulary that has one such token is merged whole.
TEST(SentencePieceBpeTest, LongTextsInPiecesGiveTheSameTokens) {
  Vocab vocab = small_sentencepiece_vocab();
  for (Token& token : vocab.tokens) token.type = token.type == TokenType::unused ? TokenType::normal : token.type;
  Vocab joining = vocab;
  joining.tokens.push_back({"z▁z", -100, TokenType::normal});
  const auto in_pieces = make(vocab);
  const auto whole = make(joining);
  const char* words[] = {" hello", " world", " ", "  ", "a", "aa", " lo", "\n", "é", "\xE2\x96", "∂ ", " hel", "wor"};
  std::mt19937 random(5);
  std::string text;
  while (text.size() < 400000) text += words[random() % std::size(words)];
  text += std::string(70000, ' ') + std::string(70000, 'a') + text.substr(0, 70000);
  EXPECT_EQ(in_pieces->encode(text), whole->encode(text));
}

TEST(SentencePieceBpeTest, SpacePrefixMayStandInFrontOfTheWholeTextOnly) {
  Vocab vocab = small_sentencepiece_vocab();
  const EncodeOptions parse = {.parse_special = true};
  EXPECT_EQ(spell(*make(vocab), "hello<tool>hello</s>hello", parse), "▁hello|<tool>|▁hello|</s>|▁hello");
  vocab.space_prefix_once = true;
  const auto tokenizer = make(vocab);
  EXPECT_EQ(spell(*tokenizer, "hello<tool>hello</s>hello", parse), "▁hello|<tool>|h|el|lo|</s>|h|el|lo");
  EXPECT_EQ(spell(*tokenizer, "hello", {.goes_on = true}), "h|el|lo");
  for (const std::string text : {"hello<tool>hello", "<tool> hello", " <tool>  a"}) {
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  }
}

TEST(ByteBpeTest, MergesByRankInsideWords) {
  const auto tokenizer = make(small_byte_vocab());
  EXPECT_EQ(spell(*tokenizer, "hello world"), "hello|Ġworld");
  EXPECT_EQ(spell(*tokenizer, "hello  world\n"), "hello|Ġ|Ġworld|Ċ");
  EXPECT_EQ(spell(*tokenizer, "\xFFo"), "ÿ|o");
}

TEST(ByteBpeTest, WholeWordsGoFirstWhereMergesAreIgnored) {
  Vocab vocab = small_byte_vocab();
  const auto id = static_cast<TokenId>(vocab.tokens.size());
  vocab.tokens.push_back({"Ġhow", 0, TokenType::normal});
  EXPECT_EQ(spell(*make(vocab), " how"), "Ġ|h|o|w");
  vocab.ignore_merges = true;
  EXPECT_THAT(make(vocab)->encode(" how"), testing::ElementsAre(id));
}

TEST(TokenizerTest, ControlTokensAreTextUnlessAsked) {
  for (Vocab& vocab : std::vector{small_sentencepiece_vocab(), small_byte_vocab()}) {
    const TokenId end = *vocab.eos;
    const std::string name = vocab.tokens[static_cast<size_t>(end)].text;
    const auto tokenizer = make(vocab);
    EXPECT_THAT(tokenizer->encode("hello" + name), testing::Not(testing::Contains(end)));
    EXPECT_EQ(tokenizer->encode("hello" + name, {.parse_special = true}).back(), end);
    EXPECT_EQ(tokenizer->decode(tokenizer->encode("hello" + name)), "hello" + name);
    EXPECT_TRUE(tokenizer->is_end(end));
    EXPECT_FALSE(tokenizer->is_end(end + 1));
  }
}

TEST(TokenizerTest, UserDefinedTokensAreAlwaysFound) {
  for (Vocab& vocab : std::vector{small_sentencepiece_vocab(), small_byte_vocab()}) {
    const auto tokenizer = make(vocab);
    for (const std::string text : {"<tool>", "hello<tool>world", " <tool> <tool>", "<<tool>>"}) {
      EXPECT_THAT(spell(*tokenizer, text), testing::HasSubstr("<tool>"));
      EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
    }
  }
}

TEST(TokenizerTest, DecodingShowsControlTokensOnDemand) {
  const auto tokenizer = make(small_sentencepiece_vocab());
  const std::vector<TokenId> ids = tokenizer->encode("hello", {.add_special = true});
  EXPECT_EQ(tokenizer->decode(ids), "hello");
  EXPECT_EQ(tokenizer->decode(ids, true), "<s> hello");
  EXPECT_EQ(tokenizer->token_bytes(-1), "");
  EXPECT_EQ(tokenizer->token_bytes(static_cast<TokenId>(tokenizer->n_vocab())), "");
}

TEST(TokenizerTest, RandomBytesComeBack) {
  std::mt19937 random(1);
  for (Vocab& vocab : std::vector{small_sentencepiece_vocab(), small_byte_vocab(), small_byte_vocab("llama-bpe")}) {
    const auto tokenizer = make(vocab);
    for (int n = 0; n < 300; ++n) {
      std::string text(random() % 60, ' ');
      for (char& c : text) c = random() % 2 == 0 ? "helo wrda<tool>"[random() % 15] : static_cast<char>(random());
      ASSERT_EQ(tokenizer->decode(tokenizer->encode(text)), text) << escape_for_display(text);
    }
  }
}

TEST(StreamDecoderTest, NeverEmitsHalfACharacter) {
  const auto tokenizer = make(small_sentencepiece_vocab());
  StreamDecoder decoder(*tokenizer, false, true);
  std::vector<std::string> parts;
  for (const TokenId id : tokenizer->encode("hello ∂o")) parts.push_back(decoder.push(id));
  EXPECT_THAT(parts, testing::ElementsAre("hello", " ", "", "", "∂", "o"));
  EXPECT_EQ(decoder.finish(), "");
}

TEST(StreamDecoderTest, BytesThatStayIllFormedAreReplaced) {
  const auto tokenizer = make(small_byte_vocab());
  StreamDecoder decoder(*tokenizer);
  std::string text;
  for (const TokenId id : tokenizer->encode("a\xE2\x88h\xFF\xF0\x9F")) text += decoder.push(id);
  EXPECT_EQ(text, "a��h�");
  EXPECT_EQ(decoder.finish(), "��");
  EXPECT_EQ(decoder.finish(), "");
}

TEST(MakeTokenizerTest, HostileVocabulariesAreErrors) {
  const auto error_of = [](Vocab vocab) {
    const auto tokenizer = make_tokenizer(std::move(vocab));
    return tokenizer ? std::string() : tokenizer.error().message;
  };
  EXPECT_EQ(error_of(Vocab()), "tokenizer: the vocabulary is empty");
  Vocab twice = small_byte_vocab();
  twice.tokens.push_back({"hello", 0, TokenType::normal});
  EXPECT_THAT(error_of(twice), testing::HasSubstr("have the same text 'hello'"));
  Vocab merge = small_byte_vocab();
  merge.merges.emplace_back("h", "o");
  EXPECT_THAT(error_of(merge), testing::HasSubstr("merge 13 needs the token 'ho'"));
  Vocab id = small_byte_vocab();
  id.eos = 5000;
  EXPECT_THAT(error_of(id), testing::HasSubstr("the eos token has id 5000"));
  EXPECT_THAT(error_of(small_byte_vocab("qwen-2")), testing::HasSubstr("did you mean 'qwen2'?"));
}

}  // namespace
}  // namespace smelt
