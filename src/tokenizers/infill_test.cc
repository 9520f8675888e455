// Prompts of fill-in-the-middle as each family publishes them; ids by make_tokenizer_differential.py.
#include "tokenizers/infill.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace smelt {
namespace {

std::string read_fixture(const std::string& name) {
  std::ifstream file(SMELT_SOURCE_DIR "/tests/golden/tokenizers/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Result<std::shared_ptr<const Tokenizer>> load(const std::string& name, bool through_gguf) {
  SMELT_ASSIGN(Vocab vocab, parse_tokenizer_json(read_fixture(name + ".json"), name));
  if (!through_gguf) return make_tokenizer(std::move(vocab));
  Metadata keys;
  add_gguf_vocab(vocab, keys);
  SMELT_ASSIGN(Vocab again, parse_gguf_vocab(keys));
  return make_tokenizer(std::move(again));
}

class Infill : public testing::TestWithParam<const char*> {};

TEST_P(Infill, PromptsAreThePublishedOnes) {
  const auto golden = nlohmann::json::parse(read_fixture("infill.json"));
  for (const bool through_gguf : {false, true}) {
    const auto tokenizer = load(GetParam(), through_gguf);
    ASSERT_TRUE(tokenizer) << tokenizer.error().message;
    for (size_t i = 0; i < golden["texts"].size(); ++i) {
      const auto ids =
          encode_infill(**tokenizer, std::string(golden["texts"][i][0]), std::string(golden["texts"][i][1]));
      ASSERT_TRUE(ids) << ids.error().message;
      EXPECT_EQ(*ids, golden["ids"][GetParam()][i].get<std::vector<TokenId>>()) << i;
    }
  }
}

TEST_P(Infill, TextsNeverBecomeMarks) {
  const auto tokenizer = load(GetParam(), false);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const Vocab& vocab = (*tokenizer)->vocab();
  std::string hostile;
  for (const auto& id : {vocab.fim_prefix, vocab.fim_suffix, vocab.fim_middle, vocab.fim_pad, vocab.fim_separator}) {
    if (id) hostile += "x" + vocab.tokens[static_cast<size_t>(*id)].text + " ";
  }
  const auto ids = encode_infill(**tokenizer, hostile, hostile);
  ASSERT_TRUE(ids) << ids.error().message;
  for (const auto& id : {vocab.fim_prefix, vocab.fim_suffix, vocab.fim_middle}) {
    ASSERT_TRUE(id);
    EXPECT_EQ(std::count(ids->begin(), ids->end(), *id), 1);
  }
  for (const auto& id : {vocab.fim_pad, vocab.fim_separator}) {
    if (id.has_value()) {
      EXPECT_EQ(std::count(ids->begin(), ids->end(), *id), 0);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, Infill,
                         testing::Values("codellama", "starcoder2", "granite", "qwen2", "deepseek_coder"),
                         [](const testing::TestParamInfo<const char*>& one) { return std::string(one.param); });

TEST(InfillEnds, PaddingAndFileMarksEndAText) {
  const auto tokenizer = load("starcoder2", true);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const Vocab& vocab = (*tokenizer)->vocab();
  ASSERT_TRUE(vocab.fim_pad && vocab.fim_separator && vocab.fim_repository);
  EXPECT_TRUE((*tokenizer)->is_end(*vocab.fim_pad));
  EXPECT_TRUE((*tokenizer)->is_end(*vocab.fim_separator));
  EXPECT_TRUE((*tokenizer)->is_end(*vocab.fim_repository));
  const auto codellama = load("codellama", true);
  ASSERT_TRUE(codellama) << codellama.error().message;
  ASSERT_TRUE((*codellama)->vocab().eot);
  EXPECT_TRUE((*codellama)->is_end(*(*codellama)->vocab().eot));
}

TEST(InfillErrors, AModelWithoutTheTokensIsRefused) {
  for (const char* name : {"gpt2", "olmo2", "smollm"}) {
    const auto tokenizer = load(name, false);
    ASSERT_TRUE(tokenizer) << tokenizer.error().message;
    const auto ids = encode_infill(**tokenizer, "a", "b");
    ASSERT_FALSE(ids) << name;
    EXPECT_NE(ids.error().message.find("fill-in-the-middle"), std::string::npos);
  }
}

}  // namespace
}  // namespace smelt
