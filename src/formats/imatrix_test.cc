// Importance matrices: both forms come back as they were written, and damaged files are refused by name.
#include "formats/imatrix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/mapped_file.h"
#include "base/test_folder.h"
#include "formats/byte_reader.h"

namespace smelt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Imatrix example() {
  Imatrix out;
  out.datasets = {"calibration.txt"};
  out.n_chunks = 4;
  out.chunk_size = 128;
  out.entries.push_back({"blk.0.attn_q.weight", 3, {8, 2, 0}, {2}});
  out.entries.push_back({"blk.0.ffn_up_exps.weight", 2, {6, 3, 0, 0}, {3, 0}});
  return out;
}

Imatrix written_and_read(const char* name) {
  const TestFolder folder;
  EXPECT_TRUE(save_imatrix(example(), folder.file(name), Overwrite::refuse));
  auto read = load_imatrix(folder.file(name));
  EXPECT_TRUE(read) << read.error().message;
  return read ? std::move(*read) : Imatrix{};
}

TEST(Imatrix, TheGgufFormComesBack) {
  const Imatrix read = written_and_read("i.gguf");
  ASSERT_EQ(read.entries.size(), 2u);
  EXPECT_THAT(read.datasets, ElementsAre("calibration.txt"));
  EXPECT_EQ(read.n_chunks, 4u);
  EXPECT_EQ(read.chunk_size, 128u);
  const ImatrixEntry* experts = read.find("blk.0.ffn_up_exps.weight");
  ASSERT_NE(experts, nullptr);
  EXPECT_EQ(experts->n_columns, 2);
  EXPECT_THAT(experts->sums, ElementsAre(6, 3, 0, 0));
  EXPECT_THAT(experts->counts, ElementsAre(3, 0));
  float means[2];
  EXPECT_TRUE(experts->means_into(0, means));
  EXPECT_THAT(means, ElementsAre(2, 1));
  EXPECT_FALSE(experts->means_into(1, means)) << "it saw no token";
  EXPECT_THAT(means, ElementsAre(1, 1));
}

TEST(Imatrix, TheOlderFormHasMeansTimesCalls) {
  const Imatrix read = written_and_read("i.dat");
  const ImatrixEntry* query = read.find("blk.0.attn_q.weight");
  ASSERT_NE(query, nullptr);
  EXPECT_THAT(query->sums, ElementsAre(16, 4, 0));
  EXPECT_THAT(query->counts, ElementsAre(4));
  float means[3];
  query->means_into(0, means);
  EXPECT_THAT(means, ElementsAre(4, 1, 0));
  EXPECT_EQ(read.find("blk.0.ffn_up_exps.weight")->n_columns, 4) << "experts are not told apart there";
  EXPECT_THAT(read.datasets, ElementsAre("calibration.txt"));
}

TEST(Imatrix, EveryTruncationOfTheOlderFormIsRefusedOrEndsAfterTheEntries) {
  const TestFolder folder;
  ASSERT_TRUE(save_imatrix(example(), folder.file("i.dat"), Overwrite::refuse));
  const std::string whole = *read_file(folder.file("i.dat"), 1 << 20);
  size_t n_accepted = 0;
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto read = parse_imatrix(as_byte_span(whole).first(size), "cut.dat");
    n_accepted += read ? 1 : 0;
    EXPECT_THAT(read ? "cut.dat" : read.error().message, HasSubstr("cut.dat")) << size;
  }
  EXPECT_EQ(n_accepted, 1u) << "files of before March 2024 have no chunks at their end";
}

TEST(Imatrix, RefusesWhatIsNoImportance) {
  Imatrix bad = example();
  bad.entries[0].sums[1] = -1;
  const TestFolder folder;
  ASSERT_TRUE(save_imatrix(bad, folder.file("i.gguf"), Overwrite::refuse));
  const auto read = load_imatrix(folder.file("i.gguf"));
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("'blk.0.attn_q.weight': the sum of column 1 is -1"));
}

}  // namespace
}  // namespace smelt
