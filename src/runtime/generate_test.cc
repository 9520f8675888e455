#include "runtime/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_folder.h"
#include "grammar/grammar.h"
#include "runtime/speculative_lookup.h"
#include "runtime/test_stories.h"

namespace smelt {
namespace {

using testing::HasSubstr;

const GenerateOptions kGreedy{.n_predict = 256, .sampling = {.temperature = 0}};

GenerateResult run(Session& session, const LoadedModel& loaded, std::string_view prompt,
                   const GenerateOptions& options) {
  std::string emitted;
  auto result = generate(session, *loaded.tokenizer, encode(loaded, prompt), options, [&](std::string_view text) {
    EXPECT_FALSE(text.empty());
    emitted += text;
    return true;
  });
  EXPECT_TRUE(result) << result.error().message;
  EXPECT_EQ(emitted, result->text);
  return std::move(*result);
}

GenerateResult run(const LoadedModel& loaded, std::string_view prompt, const GenerateOptions& options) {
  Session session = make_session(loaded);
  return run(session, loaded, prompt, options);
}

TEST(Generate, GreedyTextIsThePublishedOne) {
  const LoadedModel loaded = load_stories();
  const std::string published = published_text();
  ASSERT_GT(published.size(), 500U);
  ASSERT_TRUE(published.starts_with("Once upon a time"));
  for (const char* prompt : {"", "Once upon a time"}) {
    const GenerateResult result = run(loaded, prompt, kGreedy);
    EXPECT_EQ((prompt + result.text).substr(0, published.size()), published);
  }
}

TEST(Generate, EndsByLengthAndCountsTokens) {
  const LoadedModel loaded = load_stories();
  GenerateOptions options = kGreedy;
  for (const int64_t n : {0, 1, 5}) {
    options.n_predict = n;
    const GenerateResult result = run(loaded, "Once", options);
    EXPECT_EQ(result.reason, FinishReason::length);
    EXPECT_EQ(result.ids.size(), static_cast<size_t>(n));
    EXPECT_EQ(result.n_prompt, static_cast<int64_t>(encode(loaded, "Once").size()));
  }
}

TEST(Generate, AFullContextEndsTheText) {
  const LoadedModel loaded = load_stories();
  Session session = make_session(loaded, {.n_ctx = 20});
  GenerateOptions options = kGreedy;
  options.n_predict = -1;
  const GenerateResult result = run(session, loaded, "Once upon a time", options);
  EXPECT_EQ(result.reason, FinishReason::context_full);
  // The last token needs no place in the cache.
  EXPECT_EQ(result.ids.size() + encode(loaded, "Once upon a time").size(), 21U);
}

TEST(Generate, APromptLongerThanTheContextIsAnError) {
  const LoadedModel loaded = load_stories();
  Session session = make_session(loaded, {.n_ctx = 4});
  auto result = generate(session, *loaded.tokenizer, encode(loaded, "Once upon a time there was"), kGreedy,
                         [](std::string_view) { return true; });
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("the context 4; take a longer context"));
  auto empty = generate(session, *loaded.tokenizer, {}, kGreedy, [](std::string_view) { return true; });
  ASSERT_FALSE(empty);
  EXPECT_THAT(empty.error().message, HasSubstr("no tokens"));
}

TEST(Generate, StopTextsEndTheText) {
  const LoadedModel loaded = load_stories();
  const std::string whole = run(loaded, "Once upon a time", kGreedy).text;
  GenerateOptions options = kGreedy;
  options.stop = {"never comes", "named Lily"};
  const GenerateResult result = run(loaded, "Once upon a time", options);
  ASSERT_NE(whole.find("named Lily"), std::string::npos);
  EXPECT_EQ(result.text, whole.substr(0, whole.find("named Lily")));
  EXPECT_EQ(result.reason, FinishReason::stop_string);
}

TEST(Generate, EveryEndTokenEndsTheText) {
  LoadedModel loaded = load_stories();
  const GenerateResult free = run(loaded, "Once upon a time", kGreedy);
  Vocab vocab = loaded.tokenizer->vocab();
  vocab.eos_all.push_back(free.ids[7]);  // a second end token
  loaded.tokenizer = *make_tokenizer(std::move(vocab));
  const GenerateResult ended = run(loaded, "Once upon a time", kGreedy);
  EXPECT_EQ(ended.reason, FinishReason::end_token);
  EXPECT_EQ(ended.ids,
            std::vector<TokenId>(free.ids.begin(), std::find(free.ids.begin(), free.ids.end(), free.ids[7])));
  GenerateOptions options = kGreedy;
  options.ignore_end = true;
  options.n_predict = 20;
  EXPECT_EQ(run(loaded, "Once upon a time", options).ids.size(), 20U);
}

TEST(Generate, ReusesWhatTheSessionKnowsOfThePrompt) {
  const LoadedModel loaded = load_stories();
  Session session = make_session(loaded);
  const GenerateResult first = run(session, loaded, "Once upon a time there was a", kGreedy);
  const GenerateResult again = run(session, loaded, "Once upon a time there was a", kGreedy);
  EXPECT_EQ(again.text, first.text);
  EXPECT_EQ(again.n_prompt, 1);
  const GenerateResult other = run(session, loaded, "Once upon a time there was two", kGreedy);
  EXPECT_EQ(other.text, run(loaded, "Once upon a time there was two", kGreedy).text);
  EXPECT_LT(other.n_prompt, static_cast<int64_t>(encode(loaded, "Once upon a time there was two").size()));
}

TEST(Generate, SeedsReproduceTexts) {
  const LoadedModel loaded = load_stories();
  GenerateOptions options{.n_predict = 40, .sampling = {.temperature = 1, .seed = 3}};
  const std::string text = run(loaded, "Once", options).text;
  EXPECT_EQ(run(loaded, "Once", options).text, text);
  options.sampling.seed = 4;
  EXPECT_NE(run(loaded, "Once", options).text, text);
}

TEST(Generate, InterruptionIsAResult) {
  const LoadedModel loaded = load_stories();
  Session session = make_session(loaded);
  CancelToken cancel;
  GenerateOptions options = kGreedy;
  options.cancel = &cancel;
  int pieces = 0;
  auto result = generate(session, *loaded.tokenizer, encode(loaded, "Once"), options, [&](std::string_view) {
    if (++pieces == 3) cancel.cancel();
    return true;
  });
  ASSERT_TRUE(result);
  EXPECT_EQ(result->reason, FinishReason::cancelled);
  EXPECT_EQ(pieces, 3);
  auto before =
      generate(session, *loaded.tokenizer, encode(loaded, "Two"), options, [](std::string_view) { return true; });
  ASSERT_TRUE(before);
  EXPECT_EQ(before->reason, FinishReason::cancelled);
  EXPECT_TRUE(before->ids.empty());
}

TEST(Generate, ACallerThatWantsNoMoreEndsTheText) {
  const LoadedModel loaded = load_stories();
  Session session = make_session(loaded);
  auto result =
      generate(session, *loaded.tokenizer, encode(loaded, "Once"), kGreedy, [](std::string_view) { return false; });
  ASSERT_TRUE(result);
  EXPECT_EQ(result->reason, FinishReason::cancelled);
}

TEST(LoadModel, ErrorsNameTheFile) {
  auto missing = load_model("/nonexistent/x.gguf");
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr("/nonexistent/x.gguf"));
  const TestFolder folder;
  auto without_tokenizer = load_model(folder.write("model.bin", *read_file(kStories + "stories260K.bin", 1 << 22)));
  ASSERT_FALSE(without_tokenizer);
  EXPECT_THAT(without_tokenizer.error().message, HasSubstr("tokenizer.bin"));
}

Constraint make_constraint(const LoadedModel& loaded, const char* gbnf) {
  const auto grammar = parse_gbnf(gbnf, "test");
  EXPECT_TRUE(grammar) << grammar.error().message;
  auto nfa = Nfa::compile(*grammar);
  EXPECT_TRUE(nfa) << nfa.error().message;
  const auto trie = TokenTrie::build(loaded.tokenizer);
  EXPECT_TRUE(trie);
  return {std::make_shared<const Nfa>(std::move(*nfa)), *trie};
}

constexpr const char* kList = R"(root ::= "[" word ("," word)* "]"
word ::= [a-z]{1,8})";

bool is_list(const std::string& text) {
  return text.size() >= 3 && text.front() == '[' && text.back() == ']' &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz,[]") == std::string::npos;
}

TEST(GenerateConstrained, EveryTextIsOfTheGrammarAndEndsInTime) {
  const LoadedModel loaded = load_stories();
  Constraint constraint = make_constraint(loaded, kList);
  for (uint64_t seed = 0; seed < 20; ++seed) {
    GenerateOptions options{.n_predict = 3 + static_cast<int64_t>(seed), .sampling = {.temperature = 1, .seed = seed}};
    options.constraint = &constraint;
    const GenerateResult result = run(loaded, seed % 2 == 0 ? "" : "Once upon a time", options);
    EXPECT_TRUE(is_list(result.text)) << result.text;
    EXPECT_EQ(result.reason, FinishReason::complete);
  }
}

TEST(GenerateConstrained, GuessesWriteTheSameText) {
  const LoadedModel loaded = load_stories();
  Constraint constraint = make_constraint(loaded, kList);
  for (uint64_t seed = 0; seed < 5; ++seed) {
    GenerateOptions options{.n_predict = 60, .sampling = {.temperature = seed == 0 ? 0.0F : 1.0F, .seed = seed}};
    options.constraint = &constraint;
    const GenerateResult plain = run(loaded, "[cat,dog,cat,dog,cat", options);
    Session session = make_session(loaded, {.max_draft = 6});
    Speculation guesses(std::make_unique<LookupDrafter>(session.n_ctx()), {.max_draft = 6, .adaptive = false});
    options.speculation = &guesses;
    const GenerateResult guessed = run(session, loaded, "[cat,dog,cat,dog,cat", options);
    EXPECT_EQ(guessed.ids, plain.ids);
    EXPECT_GT(guessed.speculation.drafted, 0);
  }
}

TEST(GenerateConstrained, WhatIsCutIsAnError) {
  const LoadedModel loaded = load_stories();
  Constraint constraint = make_constraint(loaded, "root ::= \"a\"{50}");
  GenerateOptions options;
  options.n_predict = 3;
  options.constraint = &constraint;
  Session session = make_session(loaded);
  const auto emit = [](std::string_view) { return true; };
  const auto by_length = generate(session, *loaded.tokenizer, encode(loaded, "x"), options, emit);
  ASSERT_FALSE(by_length);
  EXPECT_THAT(by_length.error().message, HasSubstr("cut after 3 tokens"));
  options.n_predict = -1;
  Session small = make_session(loaded, {.n_ctx = 8});
  const auto by_context = generate(small, *loaded.tokenizer, encode(loaded, "x"), options, emit);
  ASSERT_FALSE(by_context);
  EXPECT_THAT(by_context.error().message, HasSubstr("the context was full"));
  options.stop = {"a"};
  const auto stopped = generate(small, *loaded.tokenizer, encode(loaded, "x"), options, emit);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().kind, ErrorKind::usage);
}

TEST(GenerateConstrained, TheEndTokenComesOnlyWhereTheGrammarEnds) {
  const LoadedModel loaded = load_stories();
  Constraint constraint = make_constraint(loaded, "root ::= \"a\"{2,400}");
  GenerateOptions options{.n_predict = 300, .sampling = {.temperature = 3, .top_k = 0, .top_p = 1, .min_p = 0}};
  options.constraint = &constraint;
  int ended = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    options.sampling.seed = seed;
    const GenerateResult result = run(loaded, "Once", options);
    EXPECT_GE(result.text.size(), 2U);
    EXPECT_EQ(result.text.find_first_not_of('a'), std::string::npos);
    ended += result.reason == FinishReason::end_token ? 1 : 0;
  }
  EXPECT_GT(ended, 0);
}

}  // namespace
}  // namespace smelt
