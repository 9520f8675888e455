// Repacking: the packed file holds the same rows, goes back to the same bytes, and bad requests name what is wrong.
#include "compress/repack_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/mapped_file.h"
#include "base/test_folder.h"
#include "compress/test_model.h"
#include "models/model.h"

namespace smelt {
namespace {

using testing::HasSubstr;

class Repack : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(
        ToyModel({.d_model = 256, .d_ff = 512, .n_vocab = 40, .tied = GetParam()}, ToyModel::Data::random, DType::q4_k)
            .save(stock_));
  }
  Result<ConvertReport> to(Layout layout, const std::string& from, const std::string& path) {
    return repack_model(from, path, layout, Overwrite::refuse, {});
  }

  TestFolder folder_;
  std::string stock_ = folder_.file("stock.gguf");
  std::string packed_ = folder_.file("packed.gguf");
};

TEST_P(Repack, RowsAreTheSameAndTheWayBackGivesTheSameBytes) {
  const auto report = to(Layout::rows16, stock_, packed_);
  ASSERT_TRUE(report) << report.error().message;
  const auto stock = Checkpoint::open(stock_);
  const auto packed = Checkpoint::open(packed_);
  ASSERT_TRUE(packed) << packed.error().message;
  for (const TensorEntry& tensor : packed->tensors()) {
    const bool looked_up = tensor.name == "token_embd.weight" && !GetParam();
    EXPECT_EQ(tensor.view.layout == Layout::rows16, tensor.view.shape.rank == 2 && !looked_up) << tensor.name;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.view.bytes.data()) % 64, 0U) << tensor.name;
    const TensorView& expected = stock->find_tensor(tensor.name)->view;
    std::vector<std::byte> row(expected.row_size());
    for (int64_t r = 0; r < expected.rows(); ++r) {
      tensor.view.copy_row_into(r, row.data());
      ASSERT_EQ(std::memcmp(row.data(), expected.row(r), row.size()), 0) << tensor.name << " row " << r;
    }
  }
  const std::string again = folder_.file("again.gguf");
  ASSERT_TRUE(to(Layout::rows, packed_, again));
  EXPECT_EQ(*read_file(again, 1 << 26), *read_file(stock_, 1 << 26));
}

INSTANTIATE_TEST_SUITE_P(TiedOrNot, Repack, testing::Bool());

TEST_P(Repack, WhatHasNothingToRepackIsRefused) {
  const auto same = to(Layout::rows, stock_, packed_);
  ASSERT_FALSE(same);
  EXPECT_THAT(same.error().message, HasSubstr("stock layout already"));
  const auto folder = to(Layout::rows16, stock_, folder_.file("name"));
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().kind, ErrorKind::usage);
  const auto itself = to(Layout::rows16, stock_, stock_);
  ASSERT_FALSE(itself);
  EXPECT_EQ(itself.error().kind, ErrorKind::usage);
}

TEST_P(Repack, CancelledLeavesNothing) {
  CancelToken cancel;
  cancel.cancel();
  const auto report = repack_model(stock_, packed_, Layout::rows16, Overwrite::refuse, {nullptr, &cancel});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::cancelled);
  EXPECT_FALSE(Checkpoint::open(packed_));
}

}  // namespace
}  // namespace smelt
