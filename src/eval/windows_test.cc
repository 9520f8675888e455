// Where windows are cut and which settings are refused.
#include "eval/windows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tokenizers/small_vocabs.h"

namespace smelt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::shared_ptr<const Tokenizer> byte_tokenizer(bool add_bos, bool add_eos = false) {
  Vocab vocab = small_byte_vocab();
  vocab.add_bos = add_bos;
  vocab.add_eos = add_eos;
  auto tokenizer = make_tokenizer(std::move(vocab));
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return *tokenizer;
}

// Letters that no merge joins: one token each.
const std::string kText = "bcfgbcfgbc";

std::vector<TokenId> letters(std::string_view text) { return byte_tokenizer(false)->encode(text); }

std::vector<TokenId> with_bos_at(std::vector<TokenId> ids, size_t n_ctx) {
  const TokenId bos = *small_byte_vocab().bos;
  for (size_t i = 0; i < ids.size(); i += n_ctx) ids[i] = bos;
  return ids;
}

TEST(Windows, FirstTokenOfEachIsReplacedByBos) {
  const auto windows = cut_windows(*byte_tokenizer(true), kText, {.n_ctx = 4, .first_scored = 2});
  ASSERT_TRUE(windows);
  // BOS b c f | g b c f, then g b c is left over.
  EXPECT_EQ(windows->ids, with_bos_at(letters("?bcfgbcf"), 4));
  EXPECT_EQ(windows->n_windows(), 2);
  EXPECT_EQ(windows->n_scored(), 2);
}

TEST(Windows, WithoutBosNothingIsReplaced) {
  const auto windows = cut_windows(*byte_tokenizer(false), kText, {.n_ctx = 5, .first_scored = 2});
  ASSERT_TRUE(windows);
  EXPECT_EQ(windows->ids, letters(kText));
  EXPECT_THAT(windows->window(1), testing::ElementsAreArray(letters("cfgbc")));
}

TEST(Windows, AnEndTokenCountsAsText) {
  const auto windows = cut_windows(*byte_tokenizer(false, true), "bcf", {.n_ctx = 4, .first_scored = 2});
  ASSERT_TRUE(windows);
  EXPECT_EQ(windows->ids.back(), *small_byte_vocab().eos);
}

TEST(Windows, ExactlyOneWindow) {
  const auto windows = cut_windows(*byte_tokenizer(true), kText, {.n_ctx = 11, .first_scored = 5});
  ASSERT_TRUE(windows);
  EXPECT_EQ(windows->n_windows(), 1);
}

TEST(Windows, MaxWindowsCutsTheText) {
  const WindowSettings two = {.n_ctx = 3, .first_scored = 1, .max_windows = 2};
  EXPECT_EQ(cut_windows(*byte_tokenizer(true), kText, two)->n_windows(), 2);
  const WindowSettings many = {.n_ctx = 3, .first_scored = 1, .max_windows = 100};
  EXPECT_EQ(cut_windows(*byte_tokenizer(true), kText, many)->n_windows(), 3);
}

TEST(Windows, TooShortTextsAreErrorsWithAdvice) {
  const auto windows = cut_windows(*byte_tokenizer(true), kText, {.n_ctx = 12, .first_scored = 6});
  ASSERT_FALSE(windows);
  EXPECT_EQ(windows.error().kind, ErrorKind::input);
  EXPECT_THAT(windows.error().message, HasSubstr("11 tokens, fewer than one window of 12"));
  EXPECT_THAT(windows.error().message, HasSubstr("-c 11"));
  const auto empty = cut_windows(*byte_tokenizer(false), "", {.n_ctx = 12, .first_scored = 6});
  ASSERT_FALSE(empty);
  EXPECT_THAT(empty.error().message, HasSubstr("0 tokens"));
}

TEST(Windows, DefaultsOfTheSettings) {
  const auto long_context = make_window_settings({}, 4096);
  ASSERT_TRUE(long_context);
  EXPECT_EQ(long_context->n_ctx, 512);
  EXPECT_EQ(long_context->first_scored, 256);
  EXPECT_EQ(long_context->scored_per_window(), 255);  // 256 … 510 predict 257 … 511
  const auto short_context = make_window_settings({}, 100);
  ASSERT_TRUE(short_context);
  EXPECT_EQ(short_context->n_ctx, 100);
  const auto smallest = make_window_settings({.n_ctx = 2}, 100);
  ASSERT_TRUE(smallest);
  EXPECT_EQ(smallest->scored_per_window(), 1);
}

TEST(Windows, SettingsOutOfRange) {
  const auto too_long = make_window_settings({.n_ctx = 1024}, 512);
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().kind, ErrorKind::input);
  EXPECT_THAT(too_long.error().message, HasSubstr("-c 512"));
  for (const EvalOptions& options :
       {EvalOptions{.n_ctx = 1}, EvalOptions{.n_ctx = -5}, EvalOptions{.n_ctx = 8, .first_scored = 7},
        EvalOptions{.n_ctx = 8, .first_scored = -2}, EvalOptions{.max_windows = -1}}) {
    const auto settings = make_window_settings(options, 512);
    ASSERT_FALSE(settings);
    EXPECT_EQ(settings.error().kind, ErrorKind::usage);
  }
  EXPECT_TRUE(make_window_settings({.n_ctx = 8, .first_scored = 6}, 512));
  EXPECT_TRUE(make_window_settings({.n_ctx = 8, .first_scored = 0}, 512));
}

TEST(Windows, HashesTellVocabulariesAndTokensApart) {
  Vocab vocab = small_byte_vocab();
  const uint64_t before = hash_vocab(vocab);
  vocab.tokens[5].score = 3;  // another form of the same model
  EXPECT_EQ(hash_vocab(vocab), before);
  std::swap(vocab.tokens[5], vocab.tokens[6]);
  EXPECT_NE(hash_vocab(vocab), before);
  const auto a = cut_windows(*byte_tokenizer(true), "bcfg", {.n_ctx = 4, .first_scored = 2});
  const auto b = cut_windows(*byte_tokenizer(true), "bcgf", {.n_ctx = 4, .first_scored = 2});
  EXPECT_NE(hash_ids(*a), hash_ids(*b));
}

}  // namespace
}  // namespace smelt
