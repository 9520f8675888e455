// The 16-row layout against its definition, and back.
#include "tensor/rows16.h"

#include <gtest/gtest.h>

#include <vector>

#include "tensor/test_data.h"

namespace smelt {
namespace {

std::vector<std::byte> random_bytes(uint64_t n, uint64_t seed) {
  std::vector<std::byte> bytes(n);
  for (uint64_t i = 0; i < n; ++i) bytes[i] = static_cast<std::byte>(splitmix64(seed, i));
  return bytes;
}

TEST(Rows16, FieldsCoverEachByteOfTheBlockOnce) {
  for (const DTypeInfo& info : all_dtypes()) {
    if (!has_rows16(info.dtype)) continue;
    std::vector<int> seen(info.block_bytes);
    for (const Rows16Field& field : rows16_fields(info.dtype)) {
      EXPECT_EQ(field.bytes % field.unit, 0U) << info.name;
      for (uint32_t i = 0; i < field.bytes; ++i) ++seen.at(field.offset + i);
    }
    EXPECT_EQ(seen, std::vector<int>(info.block_bytes, 1)) << info.name;
  }
}

TEST(Rows16, EveryQuantizedTypeOfWeightsButTernaryHasIt) {
  for (const DTypeInfo& info : all_dtypes()) {
    const bool is_ternary = info.dtype == DType::tq1_0 || info.dtype == DType::tq2_0;
    EXPECT_EQ(has_rows16(info.dtype), info.block_values > 1 && info.dtype != DType::q8_k && !is_ternary) << info.name;
  }
}

TEST(Rows16, RowsComeBackByteForByteAndMissingOnesAreZero) {
  for (const DTypeInfo& info : all_dtypes()) {
    if (!has_rows16(info.dtype)) continue;
    for (const int64_t n_rows : {1, 5, 16}) {
      const int64_t k = 3 * static_cast<int64_t>(info.block_values);
      const uint64_t row_size = *row_bytes(info.dtype, static_cast<uint64_t>(k));
      const std::vector<std::byte> rows = random_bytes(row_size * static_cast<uint64_t>(n_rows), 5);
      std::vector<std::byte> group(rows16_bytes(info.dtype, n_rows, k), std::byte{0xAA});
      pack_rows16(info.dtype, rows.data(), n_rows, k, group.data());
      for (int64_t r = 0; r < 16; ++r) {
        std::vector<std::byte> row(row_size, std::byte{0x55});
        unpack_row16(info.dtype, group.data(), r, k, row.data());
        std::vector<std::byte> expected(row_size);
        if (r < n_rows)
          expected.assign(rows.data() + r * static_cast<int64_t>(row_size),
                          rows.data() + (r + 1) * static_cast<int64_t>(row_size));
        EXPECT_EQ(row, expected) << info.name << " row " << r << " of " << n_rows;
      }
    }
  }
}

TEST(Rows16, Q4_0LiesAsTheHeadOfTheFileDraws) {
  const std::vector<std::byte> rows = random_bytes(16 * 36, 9);  // k = 64: two blocks of 18 bytes a row
  std::vector<std::byte> group(576);
  pack_rows16(DType::q4_0, rows.data(), 16, 64, group.data());
  EXPECT_EQ(group[0], rows[2]);                      // block 0, row 0, code byte 0
  EXPECT_EQ(group[5], rows[36 + 2 + 1]);             // row 1, code byte 1
  EXPECT_EQ(group[64 + 4 * 15], rows[15 * 36 + 6]);  // row 15, code byte 4
  EXPECT_EQ(group[256], rows[18 + 2]);               // block 1, row 0, code byte 0
  EXPECT_EQ(group[512 + 2], rows[36]);               // scale of row 1, block 0
  EXPECT_EQ(group[544 + 31], rows[15 * 36 + 19]);    // scale of row 15, block 1, high byte
}

}  // namespace
}  // namespace smelt
