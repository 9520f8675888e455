// generate() with an encoder–decoder: the prompt is what is encoded, the text begins from the model's start token.
#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/generate.h"
#include "tokenizers/small_vocabs.h"

namespace smelt {
namespace {

// 96 tokens, as the golden models have: letters of two kinds.
std::shared_ptr<const Tokenizer> make_letters() {
  VocabBuilder builder(TokenizerModel::unigram);
  Vocab& vocab = builder.vocab();
  vocab.padding = builder.add("<pad>", TokenType::control);
  vocab.eos = builder.add("</s>", TokenType::control);
  vocab.unknown = builder.add("<unk>", TokenType::unknown);
  vocab.eos_all = {*vocab.eos};
  vocab.add_eos = true;
  builder.add("▁", TokenType::normal, -1);
  for (int i = 0; i < 92; ++i) builder.add(std::string(1, static_cast<char>('!' + i)), TokenType::normal, -2);
  auto tokenizer = make_tokenizer(vocab);
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return *tokenizer;
}

class GenerateSource : public testing::TestWithParam<const char*> {};

TEST_P(GenerateSource, WritesAboutThePrompt) {
  auto checkpoint = Checkpoint::open(std::string(SMELT_SOURCE_DIR) + "/tests/golden/" + GetParam());
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  auto model = Model::load(std::make_shared<const Checkpoint>(std::move(*checkpoint)));
  ASSERT_TRUE(model) << model.error().message;
  const auto tokenizer = make_letters();
  const std::vector<TokenId> prompt = tokenizer->encode("sum it up", {.add_special = true});
  ASSERT_EQ(prompt.back(), 1);
  auto session = Session::create(*model, {.n_ctx = 32, .n_threads = 2});
  ASSERT_TRUE(session) << session.error().message;
  const GenerateOptions options{.n_predict = 12, .sampling = {.temperature = 0}, .ignore_end = true};
  const auto result = generate(*session, *tokenizer, prompt, options, [](std::string_view) { return true; });
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->n_prompt, static_cast<int64_t>(prompt.size()) + 1);

  ASSERT_TRUE(session->encode(prompt));
  TokenId next = (*model)->config().encoder.start_token;
  std::vector<TokenId> expected;
  while (expected.size() < 12) {
    ASSERT_TRUE(session->append({&next, 1}));
    const auto logits = session->logits();
    next = static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    expected.push_back(next);
  }
  EXPECT_EQ(result->ids, expected);

  const std::vector<TokenId> too_long(33, 5);
  const auto refused = generate(*session, *tokenizer, too_long, options, [](std::string_view) { return true; });
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("33 tokens, the context 32"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(All, GenerateSource, testing::Values("t5/tied", "t5v11/untied"), [](const auto& each) {
  return std::string(each.param).substr(0, std::string(each.param).find('/'));
});

}  // namespace
}  // namespace smelt
