#include "train/training_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/test_folder.h"

namespace smelt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

class TrainingState : public testing::Test {
 protected:
  void save(int64_t step) {
    std::vector<float> values = {1, 2, static_cast<float>(step)}, first = {4, 5, 6}, second = {7, 8, 9};
    const std::byte random[] = {std::byte{1}, std::byte{2}, std::byte{3}};
    const Status saved = checkpoints_.save({.key = 7, .step = step}, {values, first, second}, random);
    ASSERT_TRUE(saved) << saved.error().message;
  }
  Result<std::optional<TrainingCheckpoints::Loaded>> load(uint64_t key) {
    return checkpoints_.load(key, {values_, first_, second_});
  }
  std::string name(int64_t step) const { return folder_.file("step-00000000" + std::to_string(step) + ".checkpoint"); }

  TestFolder folder_;
  TrainingCheckpoints checkpoints_{folder_.path()};
  std::vector<float> values_ = {0, 0, 0}, first_ = {0, 0, 0}, second_ = {0, 0, 0};
};

TEST_F(TrainingState, ComesBackAndTwoAreKept) {
  for (int64_t step = 1; step <= 4; ++step) save(step);
  EXPECT_THAT(folder_.names(),
              UnorderedElementsAre("step-000000003.checkpoint", "step-000000004.checkpoint", "latest"));
  const auto loaded = load(7);
  ASSERT_TRUE(loaded && *loaded);
  EXPECT_EQ((*loaded)->progress.step, 4);
  EXPECT_EQ((*loaded)->random.size(), 3U);
  EXPECT_THAT(values_, ElementsAre(1, 2, 4));
  EXPECT_THAT(second_, ElementsAre(7, 8, 9));
}

TEST_F(TrainingState, ADamagedOneGivesWayToTheOneBefore) {
  save(1);
  save(2);
  std::string bytes = folder_.read("step-000000002.checkpoint");
  bytes[bytes.size() / 2] ^= 1;
  folder_.write("step-000000002.checkpoint", bytes);
  EXPECT_EQ((*load(7))->progress.step, 1);
  std::filesystem::resize_file(name(1), 50);
  EXPECT_FALSE(load(7)->has_value());
}

TEST_F(TrainingState, AnotherConfigurationIsRefused) {
  save(1);
  EXPECT_THAT(load(8).error().message, HasSubstr("another configuration"));
  values_.resize(2);
  EXPECT_THAT(load(7).error().message, HasSubstr("another configuration"));
}

TEST_F(TrainingState, NoneIsNoError) { EXPECT_FALSE(load(7)->has_value()); }

}  // namespace
}  // namespace smelt
