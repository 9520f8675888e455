// Speculation changes how many passes a text takes, and nothing else.
#include "runtime/speculative.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/test_folder.h"
#include "runtime/speculative_lookup.h"
#include "runtime/test_stories.h"

namespace smelt {
namespace {

constexpr int64_t kDraft = 6;

// Guesses a given text's continuation, with every `wrong_every`th token wrong.
class ScriptDrafter final : public Drafter {
 public:
  ScriptDrafter(std::vector<TokenId> script, int64_t wrong_every) : script_(std::move(script)), wrong_(wrong_every) {}
  Status begin(std::span<const TokenId> text, const CancelToken*) override {
    n_prompt_ = text.size();
    return {};
  }
  int64_t propose(std::span<const TokenId> text, std::span<TokenId> draft) override {
    const size_t done = text.size() - n_prompt_;
    const size_t n = std::min(draft.size(), script_.size() - std::min(script_.size(), done));
    for (size_t i = 0; i < n; ++i) {
      const bool wrong = wrong_ > 0 && ++drafted_ % wrong_ == 0;
      draft[i] = wrong ? script_[done + i] ^ 1 : script_[done + i];
    }
    return static_cast<int64_t>(n);
  }

 private:
  std::vector<TokenId> script_;
  int64_t wrong_, drafted_ = 0;
  size_t n_prompt_ = 0;
};

LoadedModel load_books(Compute compute = Compute::int8) {
  auto loaded = load_model(std::string(SMELT_SOURCE_DIR) + "/models/books-3m", compute);
  EXPECT_TRUE(loaded) << loaded.error().message;
  return std::move(*loaded);
}

GenerateOptions greedy(int64_t n) { return {.n_predict = n, .sampling = {.temperature = 0}, .ignore_end = true}; }

Result<GenerateResult> generate_on(Session& session, const LoadedModel& loaded, std::string_view prompt,
                                   GenerateOptions options, Speculation* speculation = nullptr) {
  options.speculation = speculation;
  return generate(session, *loaded.tokenizer, encode(loaded, prompt), options, [](std::string_view) { return true; });
}

GenerateResult run(const LoadedModel& loaded, std::string_view prompt, const GenerateOptions& options,
                   Speculation* speculation = nullptr, SessionOptions session_options = {.n_ctx = 512}) {
  if (speculation != nullptr) session_options.max_draft = kMaxDraft;
  Session session = make_session(loaded, session_options);
  auto result = generate_on(session, loaded, prompt, options, speculation);
  EXPECT_TRUE(result) << result.error().message;
  return std::move(*result);
}

Speculation lookup(int64_t max_draft = kDraft) {
  return {std::make_unique<LookupDrafter>(512), {.max_draft = max_draft, .adaptive = false}};
}
Speculation script(std::vector<TokenId> ids, int64_t wrong_every, int64_t max_draft = kDraft) {
  return {std::make_unique<ScriptDrafter>(std::move(ids), wrong_every), {.max_draft = max_draft, .adaptive = false}};
}

std::vector<float> copy(std::span<const float> values) { return {values.begin(), values.end()}; }

void expect_passes_equal_steps(const LoadedModel& loaded, KvType kv_type) {
  const SessionOptions options{.n_ctx = 128, .kv_type = kv_type, .prefill_chunk = 8, .max_draft = kMaxDraft};
  Session steps = make_session(loaded, options), passes = make_session(loaded, options);
  TokenId id = 5;
  for (const int64_t m : {1, 2, 3, 5, 8, 15, 16, 7, 4, 16}) {
    std::vector<TokenId> ids;
    for (int64_t i = 0; i < m; ++i) ids.push_back(id = (id * 37 + 11) % 500);
    const auto taken = passes.verify(ids);
    ASSERT_TRUE(taken) << taken.error().message;
    ASSERT_EQ(*taken, m);
    for (int64_t i = 0; i < m; ++i) {
      ASSERT_TRUE(steps.append({&ids[static_cast<size_t>(i)], 1}));
      ASSERT_EQ(copy(passes.logits_at(i)), copy(steps.logits())) << i << " of " << m;
    }
    EXPECT_EQ(copy(passes.logits()), copy(steps.logits()));
  }
}

TEST(Verify, LogitsAreThoseOfSingleSteps) {
  for (const LoadedModel& loaded : {load_stories(), load_books(Compute::int8), load_books(Compute::f32)}) {
    for (const KvType kv : {KvType::f16, KvType::f32, KvType::q8}) expect_passes_equal_steps(loaded, kv);
  }
}

TEST(Verify, AFullContextAndBadTokensAreErrorsBeforeTheWork) {
  const LoadedModel loaded = load_stories();
  Session session = make_session(loaded, {.n_ctx = 8, .max_draft = 4});
  const std::vector<TokenId> five = {1, 2, 3, 4, 5};
  ASSERT_TRUE(session.verify(five));
  const auto full = session.verify(five);
  ASSERT_FALSE(full);
  EXPECT_THAT(full.error().message, testing::HasSubstr("the context is full"));
  EXPECT_EQ(session.position(), 5);
  const TokenId bad = 512;
  EXPECT_FALSE(session.verify({&bad, 1}));
  EXPECT_FALSE(Session::create(loaded.model, {.max_draft = kMaxDraft + 1}));
}

TEST(Verify, RowsOfLogitsArePlanned) {
  const LoadedModel loaded = load_stories();
  const auto bytes = [&](int64_t max_draft) {
    return *Session::bytes_needed(*loaded.model, {.n_ctx = 64, .n_threads = 1, .max_draft = max_draft});
  };
  EXPECT_EQ(bytes(4) - bytes(0), 4 * 512 * sizeof(float));
}

// A model whose embedding of token 7 is damaged, and nothing else.
std::shared_ptr<const Model> model_damaged_at_7(const TestFolder& folder) {
  const std::string source = std::string(SMELT_SOURCE_DIR) + "/tests/golden/llama/gqa_untied/";
  const auto file = read_file(source + "model.safetensors", 1 << 22);
  EXPECT_TRUE(file);
  std::string bytes = file.value();
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof(header));
  size_t at = bytes.find("\"model.embed_tokens.weight\"");
  at = bytes.find("\"data_offsets\":[", at) + std::strlen("\"data_offsets\":[");
  const size_t begin = 8 + header + std::stoul(bytes.substr(at, 20));
  folder.write("config.json", *read_file(source + "config.json", 1 << 20));
  folder.write("model.safetensors", bytes);
  const auto load = [&] {
    auto checkpoint = Checkpoint::open(folder.path());
    EXPECT_TRUE(checkpoint) << checkpoint.error().message;
    auto model = Model::load(std::make_shared<const Checkpoint>(std::move(*checkpoint)));
    EXPECT_TRUE(model) << model.error().message;
    return *model;
  };
  const auto d_model = static_cast<size_t>(load()->config().d_model);
  const float poison = NAN;
  std::memcpy(bytes.data() + begin + 4 * d_model * 7, &poison, sizeof(poison));
  folder.write("model.safetensors", bytes);
  return load();
}

// Plain decoding would not have computed a wrong guess: what is not finite there is no error.
TEST(Verify, LogitsThatAreNotFiniteEndTheGuessBeforeThem) {
  const TestFolder folder;
  const auto model = model_damaged_at_7(folder);
  auto session = Session::create(model, {.n_ctx = 64, .max_draft = 4}), steps = Session::create(model, {.n_ctx = 64});
  ASSERT_TRUE(session && steps);
  const std::vector<TokenId> ids = {3, 5, 7, 4};
  for (const size_t done : {0, 1}) {
    const auto taken = session->verify(std::span(ids).subspan(done));
    ASSERT_TRUE(taken) << taken.error().message;
    ASSERT_GE(*taken, 1);
    session->truncate(static_cast<int64_t>(done) + 1);
    ASSERT_TRUE(steps->append(std::span(ids).subspan(done, 1)));
    EXPECT_EQ(copy(session->logits_at(0)), copy(steps->logits()));
  }
  const auto failed = session->verify(std::span(ids).subspan(2));
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, testing::HasSubstr("the logits at position 2 are not finite"));
  EXPECT_EQ(session->position(), 2);
}

TEST(Speculation, GreedyTextIsThatOfSingleSteps) {
  const LoadedModel loaded = load_books();
  for (const char* prompt :
       {"It was a dark night, and", "the the the the the", "CHAPTER I", "\"I do not know,\" said he."}) {
    const GenerateResult plain = run(loaded, prompt, greedy(210));
    EXPECT_EQ(plain.speculation.passes, 209);
    Speculation drafters[] = {lookup(),
                              lookup(15),
                              script(plain.ids, 0),
                              script(plain.ids, 1),
                              script(plain.ids, 3),
                              script(plain.ids, 5, 15)};
    for (Speculation& drafter : drafters) {
      const GenerateResult result = run(loaded, prompt, greedy(210), &drafter);
      EXPECT_EQ(result.ids, plain.ids);
      EXPECT_EQ(result.text, plain.text);
      EXPECT_EQ(result.speculation.passes + result.speculation.accepted, 209);
      EXPECT_LE(result.speculation.accepted, result.speculation.drafted);
    }
  }
}

TEST(Speculation, RightGuessesSavePassesAndWrongOnesDoNot) {
  const LoadedModel loaded = load_stories();
  const GenerateResult plain = run(loaded, "Once", greedy(71));
  Speculation right = script(plain.ids, 0), wrong = script(plain.ids, 1);
  const SpeculationFigures all = run(loaded, "Once", greedy(71), &right).speculation;
  EXPECT_EQ(all.passes, 10);  // of 7 tokens each; the last token of the text needs none
  EXPECT_EQ(all.accepted, 60);
  EXPECT_EQ(all.drafted, 60);
  const SpeculationFigures none = run(loaded, "Once", greedy(71), &wrong).speculation;
  EXPECT_EQ(none.passes, 70);
  EXPECT_EQ(none.accepted, 0);
}

TEST(Speculation, SampledTextIsThatOfSingleSteps) {
  const LoadedModel loaded = load_books();
  GenerateOptions options = greedy(200);
  for (const SamplerOptions& sampling : {SamplerOptions{.seed = 1}, SamplerOptions{.temperature = 1.2F, .seed = 2},
                                         SamplerOptions{.repeat_penalty = 1.2F, .seed = 3}}) {
    options.sampling = sampling;
    const GenerateResult plain = run(loaded, "The old man", options);
    Speculation drafters[] = {lookup(), script(plain.ids, 4), script(plain.ids, 0)};
    for (Speculation& drafter : drafters) EXPECT_EQ(run(loaded, "The old man", options, &drafter).ids, plain.ids);
  }
}

// What is in the cache after a generation decides what the next chat turn computes.
TEST(Speculation, TheCacheHoldsTheTextAfterEveryEnding) {
  LoadedModel loaded = load_stories();
  const GenerateResult plain = run(loaded, "Once upon a time", greedy(60));
  for (int64_t n = 0; n <= 20; ++n) {
    Session with = make_session(loaded, {.max_draft = kMaxDraft}), without = make_session(loaded);
    Speculation right = script(plain.ids, 0);
    const auto a = generate_on(without, loaded, "Once upon a time", greedy(n));
    const auto b = generate_on(with, loaded, "Once upon a time", greedy(n), &right);
    ASSERT_TRUE(a && b);
    EXPECT_EQ(b->ids, a->ids);
    EXPECT_EQ(b->reason, FinishReason::length);
    EXPECT_EQ(with.tokens(), without.tokens()) << n;
  }
}

TEST(Speculation, StopTextsInsideAGuess) {
  const LoadedModel loaded = load_stories();
  const GenerateResult whole = run(loaded, "Once upon a time", greedy(60));
  GenerateOptions options = greedy(60);
  for (const size_t at : {10, 21, 34, 55}) {
    options.stop = {whole.text.substr(at, 6)};
    Session with = make_session(loaded, {.max_draft = kMaxDraft}), without = make_session(loaded);
    Speculation right = script(whole.ids, 0, 15);
    const auto a = generate_on(without, loaded, "Once upon a time", options);
    const auto b = generate_on(with, loaded, "Once upon a time", options, &right);
    ASSERT_TRUE(a && b);
    EXPECT_EQ(b->reason, FinishReason::stop_string);
    EXPECT_EQ(b->text, a->text);
    EXPECT_LT(b->text.size(), whole.text.size());
    EXPECT_EQ(with.tokens(), without.tokens());
  }
}

TEST(Speculation, EndTokensInsideAGuess) {
  LoadedModel loaded = load_stories();
  const GenerateResult free = run(loaded, "Once upon a time", greedy(60));
  Vocab vocab = loaded.tokenizer->vocab();
  vocab.eos_all.push_back(free.ids[7]);
  loaded.tokenizer = *make_tokenizer(std::move(vocab));
  GenerateOptions options = greedy(60);
  options.ignore_end = false;
  Session with = make_session(loaded, {.max_draft = kMaxDraft}), without = make_session(loaded);
  Speculation right = script(free.ids, 0, 15);
  const auto a = generate_on(without, loaded, "Once upon a time", options);
  const auto b = generate_on(with, loaded, "Once upon a time", options, &right);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(b->reason, FinishReason::end_token);
  EXPECT_EQ(b->ids, a->ids);
  EXPECT_EQ(with.tokens(), without.tokens());
}

TEST(Speculation, AFullContextInsideAGuess) {
  const LoadedModel loaded = load_stories();
  const GenerateResult whole = run(loaded, "Once upon a time", greedy(60));
  for (int64_t n_ctx = 5; n_ctx < 25; ++n_ctx) {
    const GenerateResult plain = run(loaded, "Once upon a time", greedy(-1), nullptr, {.n_ctx = n_ctx});
    EXPECT_EQ(plain.reason, FinishReason::context_full);
    Speculation drafters[] = {script(whole.ids, 0), script(whole.ids, 3), lookup()};
    for (Speculation& drafter : drafters) {
      const GenerateResult result = run(loaded, "Once upon a time", greedy(-1), &drafter, {.n_ctx = n_ctx});
      EXPECT_EQ(result.reason, FinishReason::context_full);
      EXPECT_EQ(result.ids, plain.ids);
    }
  }
}

TEST(Speculation, CancellingInsideAGuess) {
  const LoadedModel loaded = load_stories();
  const GenerateResult whole = run(loaded, "Once", greedy(60));
  Session session = make_session(loaded, {.max_draft = kMaxDraft});
  CancelToken cancel;
  GenerateOptions options = greedy(60);
  options.cancel = &cancel;
  Speculation right = script(whole.ids, 0, 15);
  options.speculation = &right;
  int pieces = 0;
  const auto result = generate(session, *loaded.tokenizer, encode(loaded, "Once"), options, [&](std::string_view) {
    if (++pieces == 5) cancel.cancel();
    return true;
  });
  ASSERT_TRUE(result);
  EXPECT_EQ(result->reason, FinishReason::cancelled);
  EXPECT_EQ(result->text, whole.text.substr(0, result->text.size()));
  EXPECT_LT(result->ids.size(), 12U);
  EXPECT_EQ(session.position(), static_cast<int64_t>(encode(loaded, "Once").size() + result->ids.size()));
}

TEST(Speculation, OneSessionAnswersAgainAndAgain) {
  const LoadedModel loaded = load_books();
  Session with = make_session(loaded, {.n_ctx = 512, .max_draft = kMaxDraft});
  Session without = make_session(loaded, {.n_ctx = 512});
  Speculation speculation = lookup();
  std::string text = "It was";
  for (int turn = 0; turn < 6; ++turn) {
    const auto a = generate_on(without, loaded, text, greedy(40));
    const auto b = generate_on(with, loaded, text, greedy(40), &speculation);
    ASSERT_TRUE(a && b);
    EXPECT_EQ(b->ids, a->ids);
    EXPECT_EQ(b->n_prompt, a->n_prompt);
    text = turn == 3 ? "Another begin" : text + a->text + " And then";
  }
}

TEST(Lookup, GuessesWhatFollowedTheLongestMatch) {
  LookupDrafter drafter(64);
  const auto guess = [&](const std::vector<TokenId>& text, size_t n) {
    EXPECT_TRUE(drafter.begin(std::span(text).first(text.size() - 1), nullptr));
    std::vector<TokenId> draft(n);
    draft.resize(static_cast<size_t>(drafter.propose(text, draft)));
    return draft;
  };
  using V = std::vector<TokenId>;
  EXPECT_EQ(guess({1, 2, 3, 4, 5, 6, 9, 2, 3}, 3), (V{4, 5, 6}));
  EXPECT_EQ(guess({1, 2, 3, 7, 8, 5, 2, 3, 4, 1, 2, 3}, 2), (V{7, 8}));  // three tokens match there
  EXPECT_EQ(guess({2, 3, 7, 2, 3, 4, 9, 2, 3}, 1), (V{4}));              // of equal ones the newest
  EXPECT_EQ(guess({1, 2, 3, 4, 5}, 3), V{});
  EXPECT_EQ(guess({1}, 3), V{});
  EXPECT_EQ(guess({7, 7, 7}, 4), (V{7, 7, 7, 7}));
  EXPECT_EQ(guess({4, 5, 6, 4, 5}, 5), (V{6, 4, 5, 6, 4}));
}

TEST(Lookup, TextThatGrowsIsIndexedAsItComes) {
  std::vector<TokenId> text;
  for (int i = 0; i < 400; ++i) text.push_back((i * i + 3 * i) % 17);
  LookupDrafter growing(400);
  ASSERT_TRUE(growing.begin(std::span(text).first(2), nullptr));
  for (size_t n = 3; n <= text.size(); ++n) {
    LookupDrafter fresh(400);
    ASSERT_TRUE(fresh.begin(std::span(text).first(n - 1), nullptr));
    std::vector<TokenId> a(5), b(5);
    const int64_t drafted = growing.propose(std::span(text).first(n), a);
    ASSERT_EQ(fresh.propose(std::span(text).first(n), b), drafted);
    EXPECT_EQ(a, b);
  }
}

}  // namespace
}  // namespace smelt
