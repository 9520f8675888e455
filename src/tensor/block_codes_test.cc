// Blocks taken apart: codes chosen by levels and put back decode to what the levels said.
#include "tensor/block_codes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tensor/test_data.h"

namespace smelt {
namespace {

TEST(BlockCodec, RoundTripsEveryFormatThatIsTakenApart) {
  int n_codecs = 0;
  for (const DTypeInfo& info : all_dtypes()) {
    const BlockCodec* codec = find_block_codec(info.dtype);
    if (codec == nullptr) continue;
    ++n_codecs;
    const auto x = random_values("weights", codec->n_values, 7);
    std::vector<std::byte> block(info.block_bytes);
    info.encode(x.data(), block.data(), codec->n_values, nullptr);
    std::vector<float> encoded(x.size()), decoded(x.size()), chosen(x.size());
    info.decode(block.data(), encoded.data(), codec->n_values);
    BlockLevels levels;
    codec->levels_into(block.data(), levels);
    std::vector<uint8_t> codes(x.size());
    float largest = 0;
    for (int i = 0; i < codec->n_values; ++i) {
      const auto at = static_cast<size_t>(i);
      codes[at] = codec->nearest(levels, i, x[at], chosen[at]);
      largest = std::max(largest, std::fabs(x[at]));
    }
    codec->put_codes(codes.data(), block.data());
    info.decode(block.data(), decoded.data(), codec->n_values);
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_NEAR(decoded[i], chosen[i], 1e-5F * largest) << info.name << " value " << i;
      EXPECT_NEAR(decoded[i], encoded[i], 1e-5F * largest) << info.name << ": the encoder rounds to the nearest, too";
    }
  }
  EXPECT_EQ(n_codecs, 12);
}

TEST(BlockCodec, PlainAndTernaryTypesAreNotTakenApart) {
  for (const DType type : {DType::f32, DType::f16, DType::bf16, DType::i8, DType::tq1_0, DType::tq2_0, DType::q8_k})
    EXPECT_EQ(find_block_codec(type), nullptr) << dtype_name(type);
}

}  // namespace
}  // namespace smelt
