// A forward pass allocates nothing.
#include <gtest/gtest.h>

#include "base/test_allocations.h"
#include "models/model.h"
#include "models/test_forward.h"

namespace smelt {
namespace {

class Allocation : public testing::TestWithParam<const char*> {};

// Prompts, and tokens one by one.
TEST_P(Allocation, ForwardAllocatesNothing) {
  if (!kCountsAllocations) GTEST_SKIP() << "ThreadSanitizer has allocation functions of its own";
  auto checkpoint = Checkpoint::open(std::string(SMELT_SOURCE_DIR) + "/tests/" + GetParam());
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  auto model = Model::load(std::make_shared<const Checkpoint>(std::move(*checkpoint)));
  ASSERT_TRUE(model) << model.error().message;
  std::vector<TokenId> tokens(200, 5);
  for (const int n_threads : {1, 2}) {
    TestRun run(*model, 256, n_threads);
    std::vector<float> logits(static_cast<size_t>((*model)->config().n_vocab));
    run.append_into(std::span(tokens).first(1), 1, logits.data());  // decides the instruction set, once
    const int64_t before = g_allocations.load();
    run.append_into(tokens, 1, logits.data());
    run.append_into(std::span(tokens).first(1), 1, logits.data());
    EXPECT_EQ(g_allocations.load() - before, 0) << n_threads << " threads";
  }
  const int64_t before = g_allocations.load();
  delete new int(1);
  EXPECT_GT(g_allocations.load(), before);  // the counter counts
}

// Together these take every step that a decoder may have.
INSTANTIATE_TEST_SUITE_P(Models, Allocation,
                         testing::Values("fixtures/stories260K/stories260K.bin", "golden/gemma2/capped",
                                         "golden/gemma3/windows", "golden/gptneox/parallel", "golden/gpt2/tied",
                                         "golden/olmo/clipped", "golden/olmo2/gqa", "golden/phi3/longrope_long",
                                         "golden/qwen2moe/shared", "golden/granite/multipliers"));

}  // namespace
}  // namespace smelt
