#include "base/hash.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace smelt {
namespace {

TEST(Hash, EveryFlippedBitAndEveryLengthShows) {
  const std::string text = "twenty-three bytes here";
  std::set<uint64_t> seen = {hash_bytes(text)};
  for (size_t bit = 0; bit < 8 * text.size(); ++bit) {
    std::string changed = text;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_TRUE(seen.insert(hash_bytes(changed)).second) << "bit " << bit;
  }
  for (size_t n = 0; n < text.size(); ++n) EXPECT_TRUE(seen.insert(hash_bytes(text.substr(0, n))).second) << n;
  for (size_t zeros = 1; zeros < 20; ++zeros) {
    EXPECT_TRUE(seen.insert(hash_bytes(text + std::string(zeros, '\0'))).second) << zeros;
  }
}

TEST(Hash, PiecesOfEightBytesMakeTheWhole) {
  const std::string text = "0123456789abcdefghij";
  Hasher hasher;
  hasher.add(std::string_view(text).substr(0, 8));
  hasher.add(std::string_view(text).substr(8, 8));
  hasher.add(std::string_view(text).substr(16));
  EXPECT_EQ(hasher.value(), hash_bytes(text));
}

}  // namespace
}  // namespace smelt
