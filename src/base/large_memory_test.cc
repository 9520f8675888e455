#include "base/large_memory.h"

#include <gtest/gtest.h>

namespace smelt {
namespace {

TEST(LargeMemory, IsZeroedAlignedAndMovable) {
  auto memory = LargeMemory::allocate(5000000);
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->size(), 5000000U);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(memory->data()) % (1 << 21), 0U);
  EXPECT_EQ(memory->data()[4999999], std::byte{0});
  memory->data()[4999999] = std::byte{7};
  LargeMemory moved = std::move(*memory);
  EXPECT_EQ(moved.data()[4999999], std::byte{7});
  EXPECT_EQ(memory->data(), nullptr);
  EXPECT_EQ(LargeMemory::allocate(0)->data(), nullptr);
}

TEST(LargeMemory, WhatCannotBeIsAnError) {
  EXPECT_FALSE(LargeMemory::allocate(UINT64_MAX));
  EXPECT_FALSE(LargeMemory::allocate(uint64_t{1} << 60));
}

}  // namespace
}  // namespace smelt
