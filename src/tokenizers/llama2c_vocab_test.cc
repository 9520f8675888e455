// tokenizer.bin of llama2.c: what is read, and that any cut or change is refused with its place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "tokenizers/vocab.h"

namespace smelt {
namespace {

using testing::HasSubstr;

std::string bytes_of(uint32_t value) {
  std::string out(4, '\0');
  for (size_t i = 0; i < 4; ++i) out[i] = static_cast<char>(value >> (8 * i));
  return out;
}
std::string bytes_of(float value) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, 4);
  return bytes_of(bits);
}
std::string entry(float score, const std::string& text) {
  return bytes_of(score) + bytes_of(static_cast<uint32_t>(text.size())) + text;
}
std::string good_file() {
  return bytes_of(7U) + entry(0, "<unk>") + entry(0, "\n<s>\n") + entry(0, "\n</s>\n") + entry(0, "<0x0A>") +
         entry(-3.5F, " once upon");
}
Result<Vocab> parse(const std::string& bytes, int64_t n_vocab) {
  return parse_llama2c_tokenizer(std::as_bytes(std::span(bytes)), n_vocab, "tokenizer.bin");
}

TEST(Llama2cVocab, ReadsTokensAndSpecialIds) {
  const auto vocab = parse(good_file(), 5);
  ASSERT_TRUE(vocab) << vocab.error().message;
  EXPECT_EQ(vocab->model, TokenizerModel::sentencepiece_bpe);
  EXPECT_EQ(vocab->tokens[0].type, TokenType::unknown);
  EXPECT_EQ(vocab->tokens[1].text, "<s>");
  EXPECT_EQ(vocab->tokens[2].text, "</s>");
  EXPECT_EQ(vocab->tokens[2].type, TokenType::control);
  EXPECT_EQ(vocab->tokens[3].type, TokenType::byte);
  EXPECT_EQ(vocab->tokens[4].text, "▁once▁upon");
  EXPECT_EQ(vocab->tokens[4].score, -3.5F);
  EXPECT_EQ(vocab->bos, 1);
  EXPECT_EQ(vocab->eos_all, std::vector<TokenId>{2});
  EXPECT_TRUE(vocab->add_bos);
  EXPECT_TRUE(vocab->add_space_prefix);
}

TEST(Llama2cVocab, EveryPrefixIsRefused) {
  const std::string file = good_file();
  for (size_t n = 0; n < file.size(); ++n) {
    const auto vocab = parse(file.substr(0, n), 5);
    ASSERT_FALSE(vocab) << n;
    EXPECT_THAT(vocab.error().message, HasSubstr("tokenizer.bin: ")) << n;
    EXPECT_THAT(vocab.error().message, HasSubstr("byte ")) << n;
  }
}

TEST(Llama2cVocab, RefusesWhatDoesNotFit) {
  const struct {
    const char* name;
    std::string bytes;
    int64_t n_vocab;
    std::vector<std::string> hints;
  } zoo[] = {
      {"no_tokens", good_file(), 0, {"0 tokens"}},
      {"negative_count", good_file(), -1, {"-1 tokens"}},
      {"more_tokens_than_model", good_file(), 4, {"byte 58", "4 tokens", "do not belong together"}},
      {"fewer_tokens_than_model", good_file(), 6, {"token 5 at byte 76", "truncated or has fewer"}},
      {"count_huge", good_file(), INT64_MAX, {"9223372036854775807 tokens"}},
      {"length_max", bytes_of(7U) + bytes_of(0.F) + bytes_of(0xFFFFFFFFU), 3, {"token 0 at byte 4", "length is -1"}},
      {"length_past_end", bytes_of(7U) + bytes_of(0.F) + bytes_of(0x7FFFFFFFU) + "x", 3, {"2147483647 bytes"}},
      {"score_nan", bytes_of(7U) + entry(__builtin_nanf(""), "<unk>"), 3, {"token 0 at byte 4", "score"}},
  };
  for (const auto& bad : zoo) {
    SCOPED_TRACE(bad.name);
    const auto vocab = parse(bad.bytes, bad.n_vocab);
    ASSERT_FALSE(vocab);
    for (const std::string& hint : bad.hints) EXPECT_THAT(vocab.error().message, HasSubstr(hint));
  }
}

TEST(Llama2cVocab, ReadsTheTokenizerOfStories260K) {
  std::ifstream file(SMELT_SOURCE_DIR "/tests/fixtures/stories260K/tok512.bin", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto vocab = parse(bytes, 512);
  ASSERT_TRUE(vocab) << vocab.error().message;
  EXPECT_EQ(vocab->tokens.size(), 512U);
  EXPECT_EQ(vocab->tokens[3].text, "<0x00>");
  EXPECT_EQ(vocab->tokens[3].type, TokenType::byte);
  EXPECT_EQ(vocab->tokens[259].text, "▁t");
}

}  // namespace
}  // namespace smelt
