// The lists of kernels are whole and in order.
#include "kernels/lists.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

namespace smelt {
namespace {

TEST(KernelLists, EveryFolderWithAListIsThere) {
  std::vector<std::string> folders;
  for (const auto& entry : std::filesystem::directory_iterator(SMELT_SOURCE_DIR "/src/kernels")) {
    if (std::filesystem::exists(entry.path() / "kernels.inc")) folders.push_back(entry.path().filename());
  }
  std::vector<std::string> listed;
  for (const KernelList& list : kernel_lists()) listed.emplace_back(list.operation);
  EXPECT_THAT(listed, testing::UnorderedElementsAreArray(folders));
}

TEST(KernelLists, BestFirstReferenceLast) {
  for (const KernelList& list : kernel_lists()) {
    SCOPED_TRACE(list.operation);
    ASSERT_FALSE(list.best_first.empty());
    EXPECT_EQ(list.best_first.back(), Isa::reference);
    for (size_t i = 1; i < list.best_first.size(); ++i) EXPECT_LT(list.best_first[i], list.best_first[i - 1]);
  }
}

TEST(KernelLists, TheKernelFoundRuns) {
  for (const KernelList& list : kernel_lists()) {
    for (const Isa isa : usable_isas()) EXPECT_TRUE(runs_on(find_kernel_isa(list, isa), isa));
    EXPECT_EQ(find_kernel_isa(list, Isa::reference), Isa::reference);
  }
}

}  // namespace
}  // namespace smelt
