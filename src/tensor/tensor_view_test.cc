// Shapes, the checked size of a tensor, and the dtype table's look-ups.
#include "tensor/tensor_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <set>
#include <vector>

namespace smelt {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kHuge = std::numeric_limits<uint64_t>::max();

std::string error_of(DType dtype, std::vector<uint64_t> dims) {
  const auto result = tensor_bytes(dtype, dims);
  return result ? "no error" : result.error().message;
}

TEST(DType, TableIsInEnumOrderWithoutDuplicates) {
  std::set<uint32_t> ids;
  std::set<std::string> names;
  int at = 0;
  for (const DTypeInfo& info : all_dtypes()) {
    EXPECT_EQ(static_cast<int>(info.dtype), at++);
    EXPECT_EQ(&dtype_info(info.dtype), &info);
    EXPECT_TRUE(ids.insert(info.ggml_id).second) << info.name;
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_NE(info.decode, nullptr);
    EXPECT_NE(info.encode, nullptr);
  }
}

TEST(DType, FindsByNameAndNumber) {
  EXPECT_EQ(find_dtype("Q4_K"), DType::q4_k);
  EXPECT_EQ(find_dtype("q4_k"), DType::q4_k);
  EXPECT_EQ(find_dtype("iq4_nl"), DType::iq4_nl);
  EXPECT_EQ(find_dtype("Q4"), std::nullopt);
  EXPECT_EQ(find_dtype("Q4_K "), std::nullopt);
  EXPECT_EQ(find_dtype(""), std::nullopt);
  EXPECT_EQ(find_dtype_by_ggml_id(12), DType::q4_k);
  EXPECT_EQ(find_dtype_by_ggml_id(0), DType::f32);
  EXPECT_EQ(find_dtype_by_ggml_id(4), std::nullopt);
  EXPECT_EQ(find_dtype_by_ggml_id(0xffffffffu), std::nullopt);
}

TEST(DType, RowBytes) {
  EXPECT_EQ(row_bytes(DType::f16, 3), 6u);
  EXPECT_EQ(row_bytes(DType::q4_k, 512), 288u);
  EXPECT_EQ(row_bytes(DType::q4_k, 0), 0u);
  EXPECT_EQ(row_bytes(DType::q4_k, 32), std::nullopt);
  EXPECT_EQ(row_bytes(DType::q8_0, 33), std::nullopt);
  EXPECT_EQ(row_bytes(DType::f32, kHuge), std::nullopt);
}

TEST(Shape, RowsColumnsAndText) {
  const Shape matrix{4096, 256};
  EXPECT_EQ(matrix.rows(), 4096);
  EXPECT_EQ(matrix.columns(), 256);
  EXPECT_EQ(matrix.values(), 4096 * 256);
  EXPECT_EQ(matrix.to_string(), "4096 x 256");
  EXPECT_EQ((Shape{2, 3, 4}).rows(), 6);
  EXPECT_EQ((Shape{7}).rows(), 1);
  EXPECT_EQ(Shape().values(), 1);
  EXPECT_EQ(Shape().to_string(), "scalar");
  EXPECT_EQ((Shape{2, 3}), (Shape{2, 3}));
  EXPECT_FALSE((Shape{2, 3}) == (Shape{2, 3, 1}));
}

TEST(TensorBytes, SizesOfEveryDType) {
  for (const DTypeInfo& info : all_dtypes()) {
    EXPECT_EQ(tensor_bytes(info.dtype, std::vector<uint64_t>{3, 2, 512}).value(),
              6u * 512 / info.block_values * info.block_bytes);
  }
  EXPECT_EQ(tensor_bytes(DType::f32, {}).value(), 4u);
}

TEST(TensorBytes, ErrorsNameTheDimension) {
  EXPECT_THAT(error_of(DType::f32, {1, 2, 3, 4, 5}), HasSubstr("5 dimensions, at most 4"));
  EXPECT_THAT(error_of(DType::f32, {4, 0}), HasSubstr("dimension 1 is 0"));
  EXPECT_THAT(error_of(DType::f32, {2, kHuge}),
              HasSubstr("dimension 1 is 18446744073709551615: the number of values overflows"));
  EXPECT_THAT(error_of(DType::f32, {kHuge}), HasSubstr("dimension 0"));
  EXPECT_THAT(error_of(DType::f32, {uint64_t{1} << 32, uint64_t{1} << 32}), HasSubstr("overflows"));
  EXPECT_THAT(error_of(DType::q4_k, {2, 100}),
              HasSubstr("dimension 1 (the row) is 100, not a multiple of Q4_K's block of 256"));
  EXPECT_THAT(error_of(DType::q8_0, {}), HasSubstr("block of 32"));
  EXPECT_THAT(error_of(DType::f32, {uint64_t{1} << 62}), HasSubstr("overflow 64 bits of size"));
  EXPECT_THAT(error_of(DType::f32, {uint64_t{1} << 31, uint64_t{1} << 31}), HasSubstr("overflow 64 bits of size"));
}

TEST(TensorView, DecodesARowOfUnalignedData) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  std::vector<std::byte> bytes(1 + 24);
  std::memcpy(bytes.data() + 1, values.data(), 24);
  const TensorView view{DType::f32, {2, 3}, std::span<const std::byte>(bytes).subspan(1)};
  EXPECT_EQ(view.row_size(), 12u);
  float row[3];
  view.decode_row_into(1, row);
  EXPECT_THAT(row, ::testing::ElementsAre(4, 5, 6));
}

}  // namespace
}  // namespace smelt
