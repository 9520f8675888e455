#include "corpus/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/test_folder.h"
#include "corpus/window_order.h"

namespace smelt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Sides {
  std::vector<std::string> training, held_out;
};

Sides split(const Corpus& corpus) {
  Sides out;
  const Status done = for_each_split_document(corpus, {}, [&](const Document& document, Side side) -> Status {
    (side == Side::training ? out.training : out.held_out).push_back(document.text);
    return {};
  });
  EXPECT_TRUE(done) << done.error().message;
  return out;
}

TEST(Split, FilesByName) {
  const TestFolder folder;
  for (const char* name : {"a", "b", "c", "d[1]"}) folder.write(std::string(name) + ".txt", name);
  Corpus corpus{.data_folder = folder.path(), .parts = {{.files = {.patterns = {"*.txt"}}}}};
  corpus.parts[0].held_out = {"b.txt"};
  corpus.parts[0].left_out = {"c.txt"};
  const Sides sides = split(corpus);
  EXPECT_THAT(sides.training, ElementsAre("a", "d[1]"));
  EXPECT_THAT(sides.held_out, ElementsAre("b"));
  corpus.parts[0].files.patterns = {"a.txt"};
  const Status refused = for_each_split_document(corpus, {}, [](const Document&, Side) { return Status(); });
  EXPECT_THAT(refused.error().message, HasSubstr("b.txt: is held out or left out"));
}

TEST(Split, AShareOfDocumentsNeverTheSameOnBothSides) {
  const TestFolder folder;
  std::string lines;
  for (int i = 0; i < 2000; ++i) lines += "{\"text\": \"document " + std::to_string(i / 2) + "\"}\n";  // each twice
  folder.write("a.jsonl", lines);
  const Sides sides =
      split({.data_folder = folder.path(), .parts = {{.files = {.patterns = {"a.jsonl"}}}}, .held_out_share = 0.1});
  EXPECT_EQ(sides.training.size() + sides.held_out.size(), 2000U);
  EXPECT_NEAR(static_cast<double>(sides.held_out.size()), 200, 60);
  const std::set<std::string> training(sides.training.begin(), sides.training.end());
  for (const std::string& text : sides.held_out) EXPECT_FALSE(training.contains(text)) << text;
}

TEST(WindowOrder, EveryWindowOnceAnEpoch) {
  WindowOrder order(105, 10, 3, 1);  // nine windows and an offset below ten
  ASSERT_EQ(order.steps_per_epoch(), 3);
  std::set<int64_t> seen;
  for (int64_t step = 0; step < 3; ++step)
    for (const int64_t start : order.starts(step)) seen.insert(start);
  EXPECT_EQ(seen.size(), 9U);
  EXPECT_LE(*seen.rbegin() + 10, 105);
  for (const int64_t start : seen) EXPECT_EQ((start - *seen.begin()) % 10, 0);
}

TEST(WindowOrder, AFunctionOfSeedAndStep) {
  WindowOrder forwards(100000, 10, 4, 1), jumps(100000, 10, 4, 1), other(100000, 10, 4, 2);
  const std::vector<int64_t> first = forwards.starts(0);
  (void)jumps.starts(forwards.steps_per_epoch() + 5);
  EXPECT_EQ(jumps.starts(0), first);
  EXPECT_NE(other.starts(0), first);
  EXPECT_NE(forwards.starts(forwards.steps_per_epoch()), first);  // another order in the next epoch
  EXPECT_EQ(WindowOrder(15, 10, 1, 1).steps_per_epoch(), 0);
}

}  // namespace
}  // namespace smelt
