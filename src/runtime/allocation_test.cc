// Decoding allocates nothing: neither the session nor the sampler, once the first token is written.
#include <gtest/gtest.h>

#include "base/test_allocations.h"
#include "runtime/batch.h"
#include "runtime/speculative_lookup.h"
#include "runtime/speculative_model.h"
#include "runtime/test_stories.h"

namespace smelt {
namespace {

int64_t allocations_of_decoding(Session& session, Sampler& sampler, int n_tokens) {
  const int64_t before = g_allocations.load();
  for (int i = 0; i < n_tokens; ++i) {
    const TokenId id = sampler.sample(session.logits());
    sampler.accept(id);
    EXPECT_TRUE(session.append({&id, 1}));
  }
  return g_allocations.load() - before;
}

TEST(Allocation, DecodingAllocatesNothing) {
  if (!kCountsAllocations) GTEST_SKIP() << "ThreadSanitizer has allocation functions of its own";
  const LoadedModel loaded = load_stories();
  const std::vector<TokenId> prompt = encode(loaded, "Once upon a time");
  const SamplerOptions greedy{.temperature = 0}, all_filters{.typical_p = 0.9F, .seed = 1},
      penalties{.repeat_penalty = 1.1F, .penalty_last_n = 16, .seed = 1};
  for (const SamplerOptions& options : {greedy, all_filters, penalties}) {
    for (const int n_threads : {1, 2}) {
      Session session = make_session(loaded, {.n_threads = n_threads});
      Sampler sampler(options, loaded.model->config().n_vocab);
      ASSERT_TRUE(session.append(prompt));
      allocations_of_decoding(session, sampler, 20);  // the penalties' memory of 16 tokens fills
      EXPECT_EQ(allocations_of_decoding(session, sampler, 100), 0) << n_threads << " threads";
    }
  }
  const int64_t before = g_allocations.load();
  delete new int(1);
  struct alignas(64) Line {};
  delete new Line;
  EXPECT_EQ(g_allocations.load() - before, 2);  // the counter counts
}

TEST(Allocation, DecodingABatchAllocatesNothing) {
  if (!kCountsAllocations) GTEST_SKIP() << "ThreadSanitizer has allocation functions of its own";
  const auto loaded = load_model(std::string(SMELT_SOURCE_DIR) + "/tests/golden/peers/rows256-Q4_K_M.gguf");
  ASSERT_TRUE(loaded) << loaded.error().message;
  auto batch = Batch::create(loaded->model, 3, {.n_ctx = 64, .n_threads = 2});
  ASSERT_TRUE(batch) << batch.error().message;
  const BatchToken tokens[] = {{0, 5}, {1, 6}, {2, 7}};
  std::vector<Status> errors(3);
  ASSERT_TRUE(batch->decode(tokens, errors));
  const int64_t before = g_allocations.load();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(batch->decode(tokens, errors));
  EXPECT_EQ(g_allocations.load() - before, 0);
}

int64_t allocations_of_speculation(Speculation& speculation, int n_tokens) {
  const int64_t before = g_allocations.load();
  for (int i = 0; i < n_tokens; ++i) {
    const auto logits = speculation.logits();
    EXPECT_TRUE(
        speculation.append(static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin())));
  }
  return g_allocations.load() - before;
}

TEST(Allocation, SpeculationAllocatesNothing) {
  const LoadedModel loaded = load_stories();
  const std::vector<TokenId> prompt = encode(loaded, "Once upon a time");
  const SessionOptions options{.max_draft = 6};
  for (const bool by_model : {false, true}) {
    Session session = make_session(loaded, options);
    std::unique_ptr<Drafter> drafter = std::make_unique<LookupDrafter>(session.n_ctx());
    if (by_model) drafter = *ModelDrafter::create(loaded, session, loaded, options);
    Speculation speculation(std::move(drafter), {.max_draft = 6, .adaptive = by_model});
    ASSERT_TRUE(session.append(prompt));
    ASSERT_TRUE(speculation.begin(session, prompt, -1, nullptr));
    allocations_of_speculation(speculation, 20);
    EXPECT_EQ(allocations_of_speculation(speculation, 200), 0) << by_model;
    EXPECT_GT(speculation.figures().drafted, 0);
  }
}

}  // namespace
}  // namespace smelt
