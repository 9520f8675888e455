// Round trips of reference files.
#include "eval/reference_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/test_rows.h"

namespace smelt {
namespace {

TEST(ReferenceFile, HeaderAndRowsComeBack) {
  const ReferenceHeader header = small_header();  // 15 rows in blocks of 4
  const std::string bytes = reference_bytes(header);
  auto reader = ReferenceReader::parse(std::as_bytes(std::span(bytes)), "x.ref");
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ(reader->header().n_vocab, header.n_vocab);
  EXPECT_EQ(reader->header().n_ctx, header.n_ctx);
  EXPECT_EQ(reader->header().first_scored, header.first_scored);
  EXPECT_EQ(reader->header().n_windows, header.n_windows);
  EXPECT_EQ(reader->header().text_bytes, header.text_bytes);
  EXPECT_EQ(reader->header().text_hash, header.text_hash);
  EXPECT_EQ(reader->header().vocab_hash, header.vocab_hash);
  EXPECT_EQ(reader->header().ids_hash, header.ids_hash);
  ASSERT_EQ(header.n_rows(), 15);
  ReferenceRowEncoder encoder;
  for (int64_t i = 0; i < header.n_rows(); ++i) {
    const auto expected = encoder.encode(language_like_logits(header.n_vocab, static_cast<uint64_t>(i)), 3);
    const auto row = reader->next();
    ASSERT_TRUE(row) << row.error().message;
    EXPECT_EQ(row->top, expected->top);
    EXPECT_EQ(row->true_log_p, expected->true_log_p);
    EXPECT_EQ(row->tail, expected->tail);
    EXPECT_THAT(row->ids, testing::ElementsAreArray(expected->ids));
    EXPECT_THAT(row->codes, testing::ElementsAreArray(expected->codes));
  }
}

TEST(ReferenceFile, AnyNumberOfRowsABlock) {
  for (const int64_t rows : {1, 2, 14, 15, 16, 1000}) {
    ReferenceHeader header = small_header();
    header.rows_per_block = rows;
    const auto n = count_rows(reference_bytes(header), "x.ref");
    ASSERT_TRUE(n) << n.error().message;
    EXPECT_EQ(*n, 15);
  }
}

TEST(ReferenceFile, LargeVocabularies) {
  ReferenceHeader header = small_header();
  header.n_vocab = 200000;  // distances of more than two bytes
  header.n_windows = 2;
  const auto n = count_rows(reference_bytes(header), "x.ref");
  ASSERT_TRUE(n) << n.error().message;
}

TEST(ReferenceFile, AppearsWholeOrNotAtAll) {
  const TestFolder folder;
  {
    auto writer = ReferenceWriter::create(folder.file("x.ref"), Overwrite::refuse, small_header());
    ASSERT_TRUE(writer);
    ReferenceRowEncoder encoder;
    ASSERT_TRUE(writer->add(*encoder.encode(language_like_logits(50, 1), 0)));
  }
  EXPECT_TRUE(folder.names().empty());
}

TEST(ReferenceFile, ReplacesNothingUnlessAsked) {
  const TestFolder folder;
  const std::string path = folder.write("x.ref", "precious");
  const auto refused = ReferenceWriter::create(path, Overwrite::refuse, small_header());
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, testing::HasSubstr("--force"));
  EXPECT_TRUE(ReferenceWriter::create(path, Overwrite::replace, small_header()));
  EXPECT_EQ(folder.read("x.ref"), "precious");
}

TEST(ReferenceFile, OpensFromDisk) {
  const TestFolder folder;
  auto reader = ReferenceReader::open(folder.write("x.ref", reference_bytes(small_header())));
  ASSERT_TRUE(reader) << reader.error().message;
  for (int i = 0; i < 15; ++i) EXPECT_TRUE(reader->next());
  EXPECT_FALSE(ReferenceReader::open(folder.file("none.ref")));
  EXPECT_FALSE(ReferenceReader::open(folder.path()));
}

TEST(ReferenceFile, BlocksStayBounded) {
  EXPECT_EQ(rows_per_block_for(kMaxRowVocab), 1);
  for (const int64_t n_vocab : {1, 512, 32000, 128256, 256000})
    EXPECT_LE(rows_per_block_for(n_vocab) * (kRowHeadBytes + kMaxKeptBytes * n_vocab), 64 << 20) << n_vocab;
}

// Files of another writer: tests/golden/scripts/make_reference_seeds.py.
TEST(ReferenceFile, ReadsWhatItsDescriptionSays) {
  const std::string folder = std::string(SMELT_SOURCE_DIR) + "/tests/corpora/reference_file_fuzz/";
  auto reader = ReferenceReader::open(folder + "sound_two_blocks");
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ(reader->header().text_bytes, 100U);
  EXPECT_EQ(reader->header().ids_hash, 3U);
  const TokenId tops[] = {3, 7, 3, 7};
  for (const TokenId top : tops) {
    const auto row = reader->next();
    ASSERT_TRUE(row) << row.error().message;
    EXPECT_EQ(row->top, top);
    EXPECT_EQ(row->true_log_p, top == 3 ? -1.5F : -0.25F);
    EXPECT_EQ(row->ids.size(), top == 3 ? 2U : 1U);
  }
  for (const char* name : {"sound_one_row", "sound_tail", "sound_wide"}) {
    auto other = ReferenceReader::open(folder + name);
    ASSERT_TRUE(other) << other.error().message;
    EXPECT_TRUE(other->next()) << name;
  }
}

}  // namespace
}  // namespace smelt
