#include "runtime/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_folder.h"
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

}  // namespace
}  // namespace smelt
