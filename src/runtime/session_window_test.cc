// Sessions of a model with a sliding window: the cache is a ring, and nothing but memory tells.
#include <gtest/gtest.h>

#include "base/test_folder.h"
#include "runtime/generate.h"
#include "runtime/session.h"

namespace smelt {
namespace {

// Mistral's form with a window of 7 positions, trained for 256; its logits are checked in models/golden_test.cc.
std::shared_ptr<const Model> window_model() {
  auto checkpoint = Checkpoint::open(std::string(SMELT_SOURCE_DIR) + "/tests/golden/llama/mistral_window");
  EXPECT_TRUE(checkpoint) << checkpoint.error().message;
  auto model = Model::load(std::make_shared<const Checkpoint>(std::move(*checkpoint)));
  EXPECT_TRUE(model) << model.error().message;
  return *model;
}

constexpr SessionOptions kRing = {.n_ctx = 256, .n_threads = 2, .kv_type = KvType::f32, .prefill_chunk = 16};
constexpr SessionOptions kWhole = {.n_ctx = 256, .n_threads = 1, .kv_type = KvType::f32, .prefill_chunk = 256};

std::vector<TokenId> some_tokens(int64_t n) {
  std::vector<TokenId> ids;
  for (int64_t i = 0; i < n; ++i) ids.push_back(static_cast<TokenId>(3 + (i * 37 + i * i) % 90));
  return ids;
}

std::vector<float> logits_of(const Session& session) { return {session.logits().begin(), session.logits().end()}; }

Session make_session(const SessionOptions& options, std::span<const TokenId> tokens = {}) {
  auto session = Session::create(window_model(), options);
  EXPECT_TRUE(session) << session.error().message;
  const Status status = session->append(tokens);
  EXPECT_TRUE(status) << status.error().message;
  return std::move(*session);
}

// The logits after these tokens, from a cache that keeps all of them.
std::vector<float> expected_after(std::span<const TokenId> tokens) { return logits_of(make_session(kWhole, tokens)); }

TEST(WindowSession, MemoryDoesNotGrowWithTheContext) {
  const auto model = window_model();
  const auto bytes_of = [&](SessionOptions options, int64_t n_ctx) {
    options.n_ctx = n_ctx;
    return Session::bytes_needed(*model, options);
  };
  const auto bytes = bytes_of(kRing, 256);
  const auto long_bytes = bytes_of(kRing, 1000);
  const auto longer_bytes = bytes_of(kRing, 100000);
  const auto whole = bytes_of(kWhole, 256);
  ASSERT_TRUE(bytes && long_bytes && longer_bytes && whole);
  EXPECT_EQ(*long_bytes, *longer_bytes);
  // Two layers keep 192 positions of two heads of 16 values instead of 256.
  EXPECT_GE(*whole - *bytes, 2U * 64 * 2 * 2 * 16 * sizeof(float));
}

TEST(WindowSession, TheRingGivesTheLogitsOfAWholeCache) {
  const std::vector<TokenId> ids = some_tokens(256);
  for (const int64_t n : {6, 7, 8, 150, 192, 193, 200, 256}) {
    const auto tokens = std::span(ids).first(static_cast<size_t>(n));
    EXPECT_EQ(logits_of(make_session(kRing, tokens)), expected_after(tokens)) << n;
  }
}

TEST(WindowSession, TheLatestTokensCanBeForgotten) {
  const std::vector<TokenId> ids = some_tokens(256);
  for (const int64_t n : {70, 192, 230, 250}) {
    for (const int64_t back : {1, 17, 64}) {
      Session session = make_session(kRing, std::span(ids).first(static_cast<size_t>(n)));
      EXPECT_EQ(session.truncate(n - back), n - back);
      ASSERT_TRUE(session.append(std::span(ids).subspan(100, 5)));
      std::vector<TokenId> tokens(ids.begin(), ids.begin() + n - back);
      tokens.insert(tokens.end(), ids.begin() + 100, ids.begin() + 105);
      EXPECT_EQ(session.tokens(), tokens);
      EXPECT_EQ(logits_of(session), expected_after(tokens)) << n << " back " << back;
    }
  }
}

TEST(WindowSession, WhatIsGoneIsForgottenWhole) {
  const std::vector<TokenId> ids = some_tokens(250);
  Session session = make_session(kRing, ids);
  EXPECT_EQ(session.truncate(20), 0);  // positions below 64 were written over
  EXPECT_EQ(session.position(), 0);
  ASSERT_TRUE(session.append(std::span(ids).first(30)));
  EXPECT_EQ(logits_of(session), expected_after(std::span(ids).first(30)));
  EXPECT_EQ(session.truncate(20), 20);
  // Forgetting twice does not reach further than once.
  Session twice = make_session(kRing, ids);
  EXPECT_EQ(twice.truncate(200), 200);
  EXPECT_EQ(twice.truncate(60), 0);
}

TEST(WindowSession, PromptCacheFilesHoldWhatIsStillSeen) {
  const TestFolder folder;
  const std::vector<TokenId> ids = some_tokens(256);
  for (const int64_t n : {0, 5, 64, 134, 135, 198, 199, 250}) {
    const auto tokens = std::span(ids).first(static_cast<size_t>(n));
    Session written = make_session(kRing, tokens);
    ASSERT_TRUE(written.save_cache(folder.file("cache")));
    for (const SessionOptions& options : {kRing, kWhole}) {
      Session read = make_session(options, std::span(ids).first(3));
      const Status status = read.load_cache(folder.file("cache"));
      ASSERT_TRUE(status) << status.error().message;
      ASSERT_TRUE(read.append(std::span(ids).subspan(static_cast<size_t>(n), 1)));
      EXPECT_EQ(logits_of(read), expected_after(std::span(ids).first(static_cast<size_t>(n + 1)))) << n;
      if (n == 0) continue;
      ASSERT_TRUE(read.load_cache(folder.file("cache")));
      EXPECT_EQ(read.truncate(n - 1), n - 1) << n;  // to continue a prompt from its last token
      ASSERT_TRUE(read.append(tokens.last(1)));
      EXPECT_EQ(logits_of(read), expected_after(tokens)) << n;
    }
  }
}

TEST(WindowSession, AFileWithoutWhatIsSeenIsRefused) {
  const TestFolder folder;
  Session session = make_session(kRing, some_tokens(250));
  ASSERT_TRUE(session.save_cache(folder.file("cache")));
  std::string bytes = folder.read("cache");
  bytes[48] = static_cast<char>(bytes[48] + 64);  // the first position
  folder.write("bad", bytes);
  const Status status = session.load_cache(folder.file("bad"));
  ASSERT_FALSE(status);
  EXPECT_EQ(session.position(), 250);
}

}  // namespace
}  // namespace smelt
