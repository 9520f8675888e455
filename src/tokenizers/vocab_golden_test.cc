// Small tokenizers of every kind, made by tests/golden/scripts/make_vocab_fixtures.py: the ids that the reference
// implementations give, from the file as it is and from what format_tokenizer_json makes of it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "tokenizers/tokenizer.h"

namespace smelt {
namespace {

std::string read_fixture(const std::string& name) {
  std::ifstream file(SMELT_SOURCE_DIR "/tests/golden/vocab/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Result<Vocab> parse(const std::string& name) {
  const std::string bytes = read_fixture(name);
  return name.ends_with(".model") ? parse_sentencepiece_model(std::as_bytes(std::span(bytes)), name)
                                  : parse_tokenizer_json(bytes, name);
}

struct Case {
  std::string text;
  std::vector<TokenId> ids;
};

std::vector<Case> cases_of(const std::string& name) {
  const auto golden = nlohmann::json::parse(read_fixture("expected.json"));
  std::vector<Case> cases;
  for (size_t i = 0; i < golden["texts"].size(); ++i) {
    cases.push_back({golden["texts"][i], golden["ids"][name][i].get<std::vector<TokenId>>()});
  }
  return cases;
}

void expect_golden(const Vocab& vocab, const std::string& name) {
  const auto tokenizer = make_tokenizer(vocab);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  for (const auto& [text, ids] : cases_of(name)) {
    EXPECT_EQ((*tokenizer)->encode(text, {.add_special = true}), ids) << "'" << text << "'";
  }
}

class VocabGolden : public testing::TestWithParam<const char*> {};

TEST_P(VocabGolden, EncodesAsTheReferenceDoes) {
  const auto vocab = parse(GetParam());
  ASSERT_TRUE(vocab) << vocab.error().message;
  expect_golden(*vocab, GetParam());
  const auto json = format_tokenizer_json(*vocab);
  ASSERT_TRUE(json) << json.error().message;
  const auto again = parse_tokenizer_json(*json, "again.json");
  ASSERT_TRUE(again) << again.error().message;
  expect_golden(*again, GetParam());
  Metadata keys;
  add_gguf_vocab(*vocab, keys);
  const auto from_gguf = parse_gguf_vocab(keys);
  ASSERT_TRUE(from_gguf) << from_gguf.error().message;
  expect_golden(*from_gguf, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Files, VocabGolden,
                         testing::Values("byte_bpe_gpt-2.tokenizer.json", "byte_bpe_llama-bpe.tokenizer.json",
                                         "byte_bpe_qwen2.tokenizer.json", "byte_bpe_starcoder.tokenizer.json",
                                         "byte_bpe_falcon.tokenizer.json", "byte_bpe_mpt.tokenizer.json",
                                         "byte_bpe_refact.tokenizer.json", "byte_bpe_deepseek-llm.tokenizer.json",
                                         "byte_bpe_deepseek-coder.tokenizer.json",
                                         "byte_bpe_deepseek-v3.tokenizer.json", "bpe_prepend.tokenizer.json",
                                         "bpe_metaspace.tokenizer.json", "bpe.model", "unigram.tokenizer.json",
                                         "unigram.model", "wordpiece_uncased.tokenizer.json",
                                         "wordpiece_cased.tokenizer.json"));

TEST(RealVocab, Llama2EncodesAsTheReferenceDoes) {
  const char* given = std::getenv("SMELT_DATA");
  const std::string data = given != nullptr ? given : SMELT_SOURCE_DIR "/../shared/data";
  const std::string path = data + "/tokenizers/llama2/tokenizer.model";
  std::ifstream file(path, std::ios::binary);
  if (!file) GTEST_SKIP() << "no " << path << "; set SMELT_DATA to the data folder";
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const auto vocab = parse_sentencepiece_model(std::as_bytes(std::span(bytes)), path);
  ASSERT_TRUE(vocab) << vocab.error().message;
  const auto tokenizer = make_tokenizer(*vocab);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const auto golden = nlohmann::json::parse(read_fixture("llama2.json"));
  for (size_t i = 0; i < golden["texts"].size(); ++i) {
    const std::string text = golden["texts"][i];
    EXPECT_EQ((*tokenizer)->encode(text), golden["ids"][i].get<std::vector<TokenId>>()) << escape_for_display(text);
  }
}

class VocabRoundTrip : public testing::TestWithParam<const char*> {};

TEST_P(VocabRoundTrip, FormatsAndReadsBackTheSame) {
  const auto vocab = parse(GetParam());
  ASSERT_TRUE(vocab) << vocab.error().message;
  const auto json = format_tokenizer_json(*vocab);
  ASSERT_TRUE(json) << json.error().message;
  const auto again = parse_tokenizer_json(*json, "again.json");
  ASSERT_TRUE(again) << again.error().message;
  ASSERT_EQ(vocab->tokens.size(), again->tokens.size());
  for (size_t i = 0; i < vocab->tokens.size(); ++i) {
    EXPECT_EQ(vocab->tokens[i].text, again->tokens[i].text);
    EXPECT_EQ(vocab->tokens[i].type, again->tokens[i].type) << vocab->tokens[i].text;
  }
  EXPECT_EQ(vocab->model, again->model);
  EXPECT_EQ(vocab->unknown, again->unknown);
  EXPECT_EQ(vocab->add_bos, again->add_bos);
  EXPECT_EQ(vocab->add_eos, again->add_eos);
  EXPECT_EQ(vocab->lowercase, again->lowercase);
  EXPECT_EQ(vocab->add_space_prefix, again->add_space_prefix);
  EXPECT_EQ(vocab->remove_extra_whitespaces, again->remove_extra_whitespaces);
}

INSTANTIATE_TEST_SUITE_P(Files, VocabRoundTrip,
                         testing::Values("byte_bpe_llama-bpe.tokenizer.json", "bpe_prepend.tokenizer.json",
                                         "unigram.tokenizer.json", "wordpiece_uncased.tokenizer.json",
                                         "wordpiece_cased.tokenizer.json"));

TEST(SentencePieceModel, EveryPrefixIsReadOrRefusedWithItsPlace) {
  const std::string file = read_fixture("unigram.model");
  ASSERT_GT(file.size(), 100U);
  for (size_t n = 0; n < file.size(); ++n) {
    const std::string part = file.substr(0, n);
    const auto vocab = parse_sentencepiece_model(std::as_bytes(std::span(part)), "x.model");
    if (vocab) continue;  // a cut between two fields leaves a whole message
    EXPECT_TRUE(vocab.error().message.starts_with("x.model: byte ") ||
                vocab.error().message.starts_with("x.model: field '"))
        << vocab.error().message;
  }
}

TEST(TokenizerJson, EndTokensAreKnownByTheirTexts) {
  const auto vocab = parse("byte_bpe_gpt-2.tokenizer.json");
  ASSERT_TRUE(vocab) << vocab.error().message;
  ASSERT_EQ(vocab->tokens[1].text, "<|end|>");
  EXPECT_EQ(vocab->eos_all, std::vector<TokenId>{1});
}

TEST(TokenizerJson, EveryPrefixIsRefused) {
  const std::string file = read_fixture("unigram.tokenizer.json");
  ASSERT_GT(file.size(), 100U);
  for (size_t n = 0; n < file.size(); ++n) {
    const auto vocab = parse_tokenizer_json(file.substr(0, n), "x.json");
    ASSERT_FALSE(vocab) << n;
    EXPECT_TRUE(vocab.error().message.starts_with("x.json: ")) << vocab.error().message;
  }
}

}  // namespace
}  // namespace smelt
