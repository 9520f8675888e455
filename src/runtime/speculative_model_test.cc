// A model that guesses for another: the same text as without, whatever it guesses.
#include "runtime/speculative_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/speculative_replay.h"
#include "runtime/test_stories.h"

namespace smelt {
namespace {

using testing::HasSubstr;

constexpr int64_t kDraft = 5;
const SessionOptions kSession = {.n_ctx = 400, .max_draft = kDraft};

LoadedModel load_books(Compute compute = Compute::int8) {
  auto loaded = load_model(std::string(SMELT_SOURCE_DIR) + "/models/books-3m", compute);
  EXPECT_TRUE(loaded) << loaded.error().message;
  return std::move(*loaded);
}

GenerateOptions greedy(int64_t n) { return {.n_predict = n, .sampling = {.temperature = 0}, .ignore_end = true}; }

GenerateResult run(Session& session, const LoadedModel& loaded, std::string_view prompt, GenerateOptions options,
                   Speculation* speculation = nullptr) {
  options.speculation = speculation;
  auto result =
      generate(session, *loaded.tokenizer, encode(loaded, prompt), options, [](std::string_view) { return true; });
  EXPECT_TRUE(result) << result.error().message;
  return std::move(*result);
}

Speculation drafted_by(const LoadedModel& model, Session& session, LoadedModel draft, bool adaptive = false) {
  auto drafter = ModelDrafter::create(model, session, std::move(draft), kSession);
  EXPECT_TRUE(drafter) << drafter.error().message;
  return {std::move(*drafter), {.max_draft = kDraft, .adaptive = adaptive}};
}

TEST(ModelDrafter, AModelThatGuessesForItselfIsAlwaysRight) {
  const LoadedModel loaded = load_stories();
  Session session = make_session(loaded, kSession), plain = make_session(loaded, kSession);
  Speculation speculation = drafted_by(loaded, session, loaded);
  const GenerateResult result = run(session, loaded, "Once upon a time", greedy(200), &speculation);
  EXPECT_EQ(result.ids, run(plain, loaded, "Once upon a time", greedy(200)).ids);
  EXPECT_GT(result.speculation.accepted, 195 * result.speculation.drafted / 200);
  EXPECT_LT(result.speculation.passes, 40);
}

// The same weights in another arithmetic: a draft that is mostly, not always, right.
TEST(ModelDrafter, TheTextIsThatOfTheModelAlone) {
  const LoadedModel loaded = load_books(), other = load_books(Compute::f32);
  Session session = make_session(loaded, kSession), plain = make_session(loaded, kSession);
  for (const bool adaptive : {false, true}) {
    Speculation speculation = drafted_by(loaded, session, other, adaptive);
    for (const char* prompt : {"It was a dark night, and", "CHAPTER I", "It was a dark day, and"}) {
      const GenerateResult expected = run(plain, loaded, prompt, greedy(200));
      const GenerateResult result = run(session, loaded, prompt, greedy(200), &speculation);
      EXPECT_EQ(result.ids, expected.ids);
      EXPECT_EQ(result.text, expected.text);
      EXPECT_EQ(session.tokens(), plain.tokens());
    }
    GenerateOptions sampled = greedy(200);
    sampled.sampling = {.seed = 5};
    EXPECT_EQ(run(session, loaded, "The old man", sampled, &speculation).ids,
              run(plain, loaded, "The old man", sampled).ids);
  }
}

TEST(ModelDrafter, BeyondItsContextTheTextGoesOnWithoutGuesses) {
  const LoadedModel loaded = load_stories();  // trained for 512 tokens
  const SessionOptions longer = {.n_ctx = 700, .max_draft = kDraft};
  Session session = make_session(loaded, longer), plain = make_session(loaded, longer);
  auto drafter = ModelDrafter::create(loaded, session, loaded, longer);
  ASSERT_TRUE(drafter);
  Speculation speculation(std::move(*drafter), {.max_draft = kDraft, .adaptive = false});
  const GenerateResult result = run(session, loaded, "Once", greedy(-1), &speculation);
  EXPECT_EQ(result.ids, run(plain, loaded, "Once", greedy(-1)).ids);
  EXPECT_EQ(result.reason, FinishReason::context_full);
  EXPECT_GT(result.speculation.accepted, 300);
  EXPECT_LE(result.speculation.accepted, 512);
  EXPECT_GT(result.speculation.passes, 700 - 512);
}

TEST(ModelDrafter, OtherVocabulariesAreRefusedWithTheFirstDifference) {
  const LoadedModel loaded = load_stories();
  Session session = make_session(loaded, kSession);
  const auto error_with = [&](const std::function<void(Vocab&)>& change) {
    LoadedModel other = loaded;
    Vocab vocab = loaded.tokenizer->vocab();
    change(vocab);
    other.tokenizer = *make_tokenizer(std::move(vocab));
    auto drafter = ModelDrafter::create(loaded, session, other, kSession);
    return drafter ? std::string() : drafter.error().message;
  };
  EXPECT_EQ(error_with([](Vocab&) {}), "");
  EXPECT_THAT(error_with([](Vocab& v) { v.tokens[300].text = "xyz"; }), HasSubstr("token 300 is 'xyz' here and '"));
  EXPECT_THAT(error_with([](Vocab& v) { v.tokens.push_back({"more"}); }),
              HasSubstr("token 512 is 'more' here and missing in"));
  auto books = ModelDrafter::create(loaded, session, load_books(), kSession);
  ASSERT_FALSE(books);
  EXPECT_THAT(books.error().message, HasSubstr("a draft model needs the same vocabulary as the model"));
}

TEST(ModelDrafter, ItsMemoryIsWhatTheModelLeaves) {
  const LoadedModel loaded = load_stories();
  SessionOptions options = kSession;
  options.n_threads = 1;
  const uint64_t weights = loaded.model->checkpoint().file_bytes();
  options.memory_budget_bytes = weights + *Session::bytes_needed(*loaded.model, options) + weights / 2;
  Session session = make_session(loaded, options);
  auto drafter = ModelDrafter::create(loaded, session, loaded, options);
  ASSERT_FALSE(drafter);
  EXPECT_THAT(drafter.error().message, HasSubstr("the memory budget is"));
}

TEST(ModelDrafter, CancellingWhileItReadsThePrompt) {
  const LoadedModel loaded = load_stories();
  Session session = make_session(loaded, kSession);
  auto drafter = ModelDrafter::create(loaded, session, loaded, kSession);
  ASSERT_TRUE(drafter);
  CancelToken cancel;
  cancel.cancel();
  const Status begun = (*drafter)->begin(encode(loaded, "Once"), &cancel);
  ASSERT_FALSE(begun);
  EXPECT_EQ(begun.error().kind, ErrorKind::cancelled);
}

// The cache of such a model is a ring; guesses that are forgotten must not have written over what is still seen.
TEST(ReplayDrafter, AModelWithASlidingWindow) {
  auto checkpoint = Checkpoint::open(std::string(SMELT_SOURCE_DIR) + "/tests/golden/llama/mistral_window");
  ASSERT_TRUE(checkpoint);
  auto model = Model::load(std::make_shared<const Checkpoint>(std::move(*checkpoint)));
  ASSERT_TRUE(model);
  const std::vector<TokenId> prompt = {3, 40, 61, 17};
  const auto write = [&](Speculation& speculation) {
    auto session = Session::create(*model, {.n_ctx = 250, .prefill_chunk = 16, .max_draft = kMaxDraft});
    EXPECT_TRUE(session && session->append(prompt) && speculation.begin(*session, prompt, -1, nullptr));
    std::vector<TokenId> text;
    while (!speculation.full()) {
      const auto logits = speculation.logits();
      text.push_back(static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
      EXPECT_TRUE(speculation.append(text.back()));
    }
    speculation.end();
    EXPECT_EQ(session->position(), 250);
    return text;
  };
  Speculation plain;
  const std::vector<TokenId> text = write(plain);
  for (const double right : {0.0, 0.5, 0.9, 1.0}) {
    auto drafter = std::make_unique<ReplayDrafter>(text, right, (*model)->config().n_vocab);
    Speculation guessing(std::move(drafter), {.max_draft = kMaxDraft, .adaptive = false});
    EXPECT_EQ(write(guessing), text) << right;
    const SpeculationFigures figures = guessing.figures();
    EXPECT_EQ(figures.passes + figures.accepted, static_cast<int64_t>(text.size()));
    EXPECT_EQ(right == 0.0, figures.accepted == 0);
    EXPECT_EQ(right == 1.0, figures.accepted == figures.drafted);
  }
}

}  // namespace
}  // namespace smelt
