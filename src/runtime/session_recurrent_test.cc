// Sessions of models that keep a state in place of keys and values (Mamba-2), and of encoder–decoders (T5), on the
// golden models.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/test_folder.h"
#include "runtime/batch.h"
#include "runtime/session.h"
#include "runtime/speculative.h"
#include "runtime/speculative_replay.h"

namespace smelt {
namespace {

std::shared_ptr<const Model> load(const std::string& name) {
  auto checkpoint = Checkpoint::open(std::string(SMELT_SOURCE_DIR) + "/tests/golden/" + name);
  EXPECT_TRUE(checkpoint) << checkpoint.error().message;
  auto model = Model::load(std::make_shared<const Checkpoint>(std::move(*checkpoint)), Compute::f32);
  EXPECT_TRUE(model) << model.error().message;
  return *model;
}

Session make_session(const std::shared_ptr<const Model>& model, SessionOptions options = {}) {
  options.n_ctx = 128;
  options.n_threads = 2;
  auto session = Session::create(model, options);
  EXPECT_TRUE(session) << session.error().message;
  return std::move(*session);
}

std::vector<TokenId> some_tokens(size_t n) {
  std::vector<TokenId> tokens(n);
  for (size_t i = 0; i < n; ++i) tokens[i] = static_cast<TokenId>((7 * i * i + 3 * i + 1) % 96);
  return tokens;
}

std::vector<float> logits_of(const Session& session) { return {session.logits().begin(), session.logits().end()}; }

// As a new session has them.
std::vector<float> logits_after(const std::shared_ptr<const Model>& model, std::span<const TokenId> tokens) {
  Session session = make_session(model);
  EXPECT_TRUE(session.append(tokens));
  return logits_of(session);
}

TEST(RecurrentSession, ChunksAndSingleTokensGiveTheSameLogits) {
  const auto model = load("mamba2/groups");
  const std::vector<TokenId> tokens = some_tokens(50);
  const std::vector<float> expected = logits_after(model, tokens);
  for (const int64_t chunk : {1, 7, 49}) {
    Session session = make_session(model, {.prefill_chunk = chunk});
    ASSERT_TRUE(session.append(tokens));
    EXPECT_EQ(logits_of(session), expected) << "chunks of " << chunk;
  }
}

TEST(RecurrentSession, MemoryDoesNotGrowWithTheContext) {
  const auto model = load("mamba2/groups");
  const auto bytes = [&](int64_t n_ctx) { return *Session::bytes_needed(*model, {.n_ctx = n_ctx, .n_threads = 1}); };
  EXPECT_EQ(bytes(1 << 10), bytes(1 << 20));
  // 2 layers of 3 rows of 128 + 2·2·24 channels, and of 128 values with 24 of state each; one for the present, one
  // kept.
  const uint64_t state = 2 * (3 * (128 + 96) + 128 * 24) * sizeof(float);
  const auto drafting = Session::bytes_needed(*model, {.n_ctx = 1 << 10, .n_threads = 1, .max_draft = 1});
  EXPECT_EQ(*drafting - bytes(1 << 10), state + 96 * sizeof(float));
}

TEST(RecurrentSession, TruncatingGoesBackToThePromptsEndOrTheBeginning) {
  const auto model = load("mamba2/groups");
  const std::vector<TokenId> tokens = some_tokens(40);
  Session session = make_session(model);
  ASSERT_TRUE(session.append(std::span(tokens).first(30)));
  for (size_t i = 30; i < 40; ++i) ASSERT_TRUE(session.append({&tokens[i], 1}));
  EXPECT_EQ(session.truncate(40), 40);
  EXPECT_EQ(session.truncate(35), 29);  // the prompt's last token is to be computed again
  EXPECT_EQ(session.position(), 29);
  ASSERT_TRUE(session.append(std::span(tokens).subspan(29, 6)));
  EXPECT_EQ(logits_of(session), logits_after(model, std::span(tokens).first(35)));
  EXPECT_EQ(session.truncate(20), 0);
  ASSERT_TRUE(session.append(std::span(tokens).first(20)));
  EXPECT_EQ(logits_of(session), logits_after(model, std::span(tokens).first(20)));
}

TEST(RecurrentSession, DraftsAreForgottenExactly) {
  const auto model = load("mamba2/groups");
  const std::vector<TokenId> tokens = some_tokens(40);
  for (const int64_t n_kept : {1, 3, 7}) {
    Session session = make_session(model, {.max_draft = 7});
    ASSERT_TRUE(session.append(std::span(tokens).first(20)));
    auto taken = session.verify(std::span(tokens).subspan(20, 8));
    ASSERT_TRUE(taken && *taken == 8);
    const std::vector<float> row(session.logits_at(n_kept - 1).begin(), session.logits_at(n_kept - 1).end());
    EXPECT_EQ(row, logits_after(model, std::span(tokens).first(static_cast<size_t>(20 + n_kept))));
    EXPECT_EQ(session.truncate(20 + n_kept), 20 + n_kept);
    ASSERT_TRUE(session.append({&tokens[39], 1}));
    std::vector<TokenId> text(tokens.begin(), tokens.begin() + 20 + n_kept);
    text.push_back(tokens[39]);
    EXPECT_EQ(logits_of(session), logits_after(model, text)) << n_kept << " of the draft kept";
  }
}

TEST(RecurrentSession, SpeculationWritesTheSameText) {
  const auto model = load("mamba2/tied");
  const std::vector<TokenId> prompt = some_tokens(12);
  const auto write = [&](Speculation& steps) {
    Session session = make_session(model, {.max_draft = 6});
    EXPECT_TRUE(session.append(prompt));
    EXPECT_TRUE(steps.begin(session, prompt, 60, nullptr));
    std::vector<TokenId> written;
    while (written.size() < 60) {
      const auto row = steps.logits();
      written.push_back(static_cast<TokenId>(std::max_element(row.begin(), row.end()) - row.begin()));
      EXPECT_TRUE(steps.append(written.back()));
    }
    steps.end();
    return written;
  };
  Speculation plain;
  const std::vector<TokenId> expected = write(plain);
  Speculation guessing(std::make_unique<ReplayDrafter>(expected, 0.6, 96), {.max_draft = 6, .adaptive = false});
  EXPECT_EQ(write(guessing), expected);
  EXPECT_GT(guessing.figures().accepted, 5);
  EXPECT_GT(guessing.figures().drafted, guessing.figures().accepted);
}

TEST(RecurrentSession, PromptCachesHoldTheState) {
  const auto model = load("mamba2/groups");
  const TestFolder folder;
  const std::string path = folder.file("cache");
  const std::vector<TokenId> tokens = some_tokens(40);
  Session first = make_session(model);
  ASSERT_TRUE(first.append(std::span(tokens).first(30)));
  ASSERT_TRUE(first.save_cache(path));
  Session second = make_session(model);
  const auto loaded = second.load_cache(path);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(second.position(), 30);
  EXPECT_EQ(second.truncate(29), 29);  // the same prompt once more
  ASSERT_TRUE(second.append(std::span(tokens).subspan(29)));
  EXPECT_EQ(logits_of(second), logits_after(model, tokens));
  Session other = make_session(load("mamba2/tied"));
  EXPECT_FALSE(other.load_cache(path));
}

TEST(RecurrentSession, ABatchWritesWhatItsSequencesWriteAlone) {
  const auto model = load("mamba2/groups");
  const std::vector<TokenId> tokens = some_tokens(40);
  auto batch = Batch::create(model, 2, {.n_ctx = 64, .n_threads = 2});
  ASSERT_TRUE(batch) << batch.error().message;
  ASSERT_TRUE(batch->sequence(0).append(std::span(tokens).first(10)));
  ASSERT_TRUE(batch->sequence(1).append(std::span(tokens).first(3)));
  std::vector<Status> errors(2);
  for (size_t i = 0; i < 5; ++i) {
    const BatchToken next[] = {{0, tokens[10 + i]}, {1, tokens[3 + i]}};
    ASSERT_TRUE(batch->decode(next, errors));
  }
  EXPECT_EQ(logits_of(batch->sequence(0)), logits_after(model, std::span(tokens).first(15)));
  EXPECT_EQ(logits_of(batch->sequence(1)), logits_after(model, std::span(tokens).first(8)));
}

TEST(EncoderDecoderSession, WritesAboutTheLatestSource) {
  const auto model = load("t5v11/untied");
  const std::vector<TokenId> tokens = some_tokens(40);
  const TokenId start = model->config().encoder.start_token;
  const auto logits_about = [&](Session& session, std::span<const TokenId> source) {
    EXPECT_TRUE(session.encode(source));
    EXPECT_EQ(session.position(), 0);
    EXPECT_TRUE(session.append({&start, 1}));
    return logits_of(session);
  };
  Session fresh = make_session(model);
  Session used = make_session(model);
  const std::vector<float> other = logits_about(used, std::span(tokens).first(30));
  const std::vector<float> expected = logits_about(fresh, std::span(tokens).subspan(30));
  EXPECT_EQ(logits_about(used, std::span(tokens).subspan(30)), expected);
  EXPECT_NE(other, expected);
}

TEST(EncoderDecoderSession, WhatHasNoSourceIsRefused) {
  Session session = make_session(load("t5/tied"));
  const TokenId id = 5;
  const Status done = session.append({&id, 1});
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("is an encoder–decoder"), std::string::npos) << done.error().message;
  EXPECT_EQ(done.error().kind, ErrorKind::input);
  EXPECT_FALSE(session.save_cache("nowhere"));
  EXPECT_FALSE(session.load_cache("nowhere"));
}

}  // namespace
}  // namespace smelt
