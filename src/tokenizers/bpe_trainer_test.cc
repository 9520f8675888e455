#include "tokenizers/bpe_trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json_tree.h"
#include "base/mapped_file.h"
#include "tokenizers/tokenizer.h"

namespace smelt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

std::string source_file(const std::string& name) {
  auto text = read_file(std::string(SMELT_SOURCE_DIR) + "/" + name, 1 << 24);
  return text ? *text : throw std::runtime_error(text.error().message);
}

BpeTrainer trainer(const BpeTraining& options) {
  auto made = BpeTrainer::create(options);
  return made ? std::move(*made) : throw std::runtime_error(made.error().message);
}

TEST(BpeTrainer, MergesTheMostFrequentPairFirst) {
  BpeTrainer bpe = trainer({.n_vocab = 261, .special_tokens = {"<s>", "</s>"}});
  bpe.add("hug hug hug pug pug bun");  // " h" and "hu" stand twice and three times, "ug" five times
  const auto vocab = bpe.train({});
  ASSERT_TRUE(vocab) << vocab.error().message;
  EXPECT_THAT(vocab->merges, ElementsAre(Pair("u", "g"), Pair("h", "ug"), Pair("p", "ug")));
  EXPECT_EQ(vocab->tokens[0].text, "<s>");
  EXPECT_EQ(vocab->tokens[0].type, TokenType::control);
  EXPECT_EQ(vocab->tokens[260].text, "pug");
  EXPECT_EQ(vocab->eos, 1);
}

TEST(BpeTrainer, OverlappingPairsOfOneLetter) {
  BpeTrainer bpe = trainer({.n_vocab = 258, .special_tokens = {}});
  bpe.add("aaaaa");  // once "aa" is merged, "aaaa" and "aaa" stand once each
  const auto vocab = bpe.train({});
  ASSERT_FALSE(vocab);
  EXPECT_THAT(vocab.error().message, HasSubstr("257 tokens only, 258 are wanted"));
}

TEST(BpeTrainer, OrderOfTextsDoesNotMatter) {
  const std::string text = source_file("models/books-3m/heldout.txt");
  const size_t cut = text.find("\n\n", text.size() / 2);
  BpeTrainer forwards = trainer({.n_vocab = 600});
  forwards.add(text.substr(0, cut));
  forwards.add(text.substr(cut));
  BpeTrainer backwards = trainer({.n_vocab = 600});
  backwards.add(text.substr(cut));
  backwards.add(text.substr(0, cut));
  EXPECT_EQ(forwards.train({})->merges, backwards.train({})->merges);
}

TEST(BpeTrainer, AgreesWithHuggingFacesTrainer) {
  const auto golden = parse_json_tree(source_file("tests/golden/tokenizers/bpe_training.json"), "golden");
  ASSERT_TRUE(golden) << golden.error().message;
  const JsonField root(*golden, "");
  BpeTrainer bpe = trainer({.n_vocab = 1024});
  bpe.add(source_file("models/books-3m/heldout.txt"));
  const auto vocab = bpe.train({});
  ASSERT_TRUE(vocab) << vocab.error().message;
  ASSERT_EQ(static_cast<int64_t>(vocab->merges.size()), *root.get("n_merges")->integer());
  const JsonValue::Array& last = **root.get("last_merges")->array();
  for (size_t i = 0; i < last.size(); ++i) {
    const auto& [left, right] = vocab->merges[vocab->merges.size() - last.size() + i];
    EXPECT_EQ(left, *(*last[i].array())[0].text());
    EXPECT_EQ(right, *(*last[i].array())[1].text());
  }
  // The file that is written is the tokenizer that was made.
  const auto json = format_tokenizer_json(*vocab);
  ASSERT_TRUE(json) << json.error().message;
  const auto tokenizer = make_tokenizer(*parse_tokenizer_json(*json, "tokenizer.json"));
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  std::vector<TokenId> ids;
  for (const JsonValue& id : **root.get("ids")->array()) ids.push_back(static_cast<TokenId>(*id.integer()));
  EXPECT_EQ((*tokenizer)->encode(*root.get("sample")->string()), ids);
  EXPECT_EQ((*tokenizer)->encode("a", {.add_special = true}).front(), 0);
}

TEST(BpeTrainer, RefusesWhatCannotBe) {
  const auto message = [](const BpeTraining& options) { return BpeTrainer::create(options).error().message; };
  EXPECT_THAT(message({.n_vocab = 100}), HasSubstr("allowed 258"));
  EXPECT_THAT(message({.pre_tokenizer = "gpt-3"}), HasSubstr("gpt-2"));
  EXPECT_THAT(message({.special_tokens = {"<s>", "<s>"}}), HasSubstr("given twice"));
  EXPECT_THAT(message({.special_tokens = {"a"}}), HasSubstr("token of a byte"));
}

}  // namespace
}  // namespace smelt
