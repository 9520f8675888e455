// Bad reference files, each with a name: all are refused in one line that begins with the file's name and says what is
// wrong and what to do, without memory for what they declare.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include <bit>
#include <cstring>
#include <functional>
#include <limits>
#include <optional>

#include "base/hash.h"
#include "base/text.h"
#include "eval/test_rows.h"
#include "formats/byte_writer.h"

namespace smelt {
namespace {

constexpr size_t kHeaderBytes = 80;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct BadFile {
  const char* name;
  std::function<void(std::string&)> spoil;  // of a good file's bytes
  const char* hint;
};

template <class T>
void put_at(std::string& bytes, size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof(value));
}

// A changed header field whose checksum is right again.
template <class T>
std::function<void(std::string&)> header_field(size_t offset, T value) {
  return [=](std::string& bytes) {
    put_at(bytes, offset, value);
    put_at(bytes, 72, hash_bytes(std::string_view(bytes).substr(0, 72)));
  };
}

// The first block replaced by this frame.
std::string with_first_block(const std::string& bytes, const std::string& frame) {
  uint32_t size = 0;
  std::memcpy(&size, bytes.data() + kHeaderBytes, sizeof(size));
  ByteWriter writer;
  writer.put(static_cast<uint32_t>(frame.size()));
  return bytes.substr(0, kHeaderBytes) + writer.bytes() + frame + bytes.substr(kHeaderBytes + 4 + size);
}

std::string compress(const std::string& raw) {
  std::string out(ZSTD_compressBound(raw.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), raw.data(), raw.size(), 3));
  return out;
}

std::function<void(std::string&)> raw_block(const std::string& raw) {
  return [=](std::string& bytes) { bytes = with_first_block(bytes, compress(raw)); };
}

// Four rows that keep tokens 3 and 9 with probability ½ each.
ReferenceBlock good_block() {
  const std::vector<TokenId> ids = {3, 9};
  const std::vector<uint16_t> codes(2, static_cast<uint16_t>(std::lround(std::log(2) * kCodesPerNat)));
  ReferenceBlock block;
  for (int i = 0; i < 4; ++i) block.add({.top = 3, .true_log_p = -1, .tail = 0, .ids = ids, .codes = codes});
  return block;
}

std::function<void(std::string&)> block(const std::function<void(ReferenceBlock&)>& spoil) {
  return [=](std::string& bytes) {
    ReferenceBlock spoilt = good_block();
    spoil(spoilt);
    bytes = with_first_block(bytes, *pack_block(spoilt));
  };
}

std::string raw_good_block() {
  const std::string frame = *pack_block(good_block());
  std::string raw(4096, '\0');
  raw.resize(ZSTD_decompress(raw.data(), raw.size(), frame.data(), frame.size()));
  return raw;
}

std::vector<BadFile> header_zoo() {
  const auto cut = [](size_t n) { return [n](std::string& bytes) { bytes.resize(n); }; };
  return {
      {"empty", cut(0), "neither a model nor a reference file"},
      {"one_byte", cut(1), "neither a model nor a reference file"},
      {"cut_in_magic", cut(7), "neither a model nor a reference file"},
      {"cut_after_magic", cut(8), "header"},
      {"cut_in_header", cut(79), "truncated"},
      {"other_magic", [](std::string& b) { b[0] = 'X'; }, "does not begin with SMELTREF"},
      {"text_file",
       [](std::string& b) {
         b = "Once upon a time there was a file that was no reference at all, and "
             "it was longer than eighty bytes, too.";
       },
       "save-reference"},
      {"version_0", [](std::string& b) { put_at(b, 8, uint32_t{0}); }, "version 0"},
      {"version_of_the_future", [](std::string& b) { put_at(b, 8, uint32_t{2}); }, "version 2"},
      {"flipped_bit_in_header", [](std::string& b) { b[33] = static_cast<char>(b[33] ^ 4); }, "checksum"},
      {"flipped_bit_in_checksum", [](std::string& b) { b[75] = static_cast<char>(b[75] ^ 64); }, "checksum"},
      {"no_vocabulary", header_field(12, uint32_t{0}), "n_vocab is 0"},
      {"vocabulary_too_large", header_field(12, uint32_t{1 << 24} + 1), "n_vocab"},
      {"vocabulary_of_all_ones", header_field(12, UINT32_MAX), "n_vocab"},
      {"window_of_none", header_field(16, uint32_t{0}), "n_ctx"},
      {"window_of_one", header_field(16, uint32_t{1}), "n_ctx"},
      {"window_of_all_ones", header_field(16, UINT32_MAX), "n_ctx"},
      {"scores_after_the_window", header_field(20, uint32_t{7}), "first_scored"},
      {"first_scored_of_all_ones", header_field(20, UINT32_MAX), "first_scored"},
      {"no_windows", header_field(24, uint64_t{0}), "n_windows"},
      {"windows_of_all_ones", header_field(24, UINT64_MAX), "n_windows"},
      {"windows_beyond_int64", header_field(24, uint64_t{1} << 63), "n_windows"},
      {"more_windows_than_rows", header_field(24, uint64_t{6}), "truncated"},
      {"many_more_windows", header_field(24, uint64_t{10000}), "truncated"},
      {"fewer_windows_than_rows", header_field(24, uint64_t{1}), "after its last block"},
      {"no_rows_a_block", header_field(64, uint32_t{0}), "rows_per_block"},
      {"rows_a_block_beyond_memory", header_field(64, UINT32_MAX), "rows_per_block"},
      {"fewer_rows_a_block", header_field(64, uint32_t{2}), "truncated"},
      {"more_rows_a_block", header_field(64, uint32_t{5}), "after its last block"},
  };
}

std::vector<BadFile> block_zoo() {
  const auto size_of_block = [](uint32_t size) { return [size](std::string& b) { put_at(b, kHeaderBytes, size); }; };
  return {
      {"no_blocks", [](std::string& b) { b.resize(kHeaderBytes); }, "block 1 of 4"},
      {"cut_in_block_size", [](std::string& b) { b.resize(kHeaderBytes + 3); }, "truncated"},
      {"cut_in_last_block", [](std::string& b) { b.pop_back(); }, "block 4 of 4"},
      {"half_a_file", [](std::string& b) { b.resize(b.size() / 2); }, "truncated"},
      {"bytes_appended", [](std::string& b) { b += "more"; }, "has 4 bytes after its last block"},
      {"block_size_0", size_of_block(0), "save-reference"},
      {"block_size_of_all_ones", size_of_block(UINT32_MAX), "truncated"},
      {"flipped_bit_in_block",
       [](std::string& b) { b[kHeaderBytes + 40] = static_cast<char>(b[kHeaderBytes + 40] ^ 1); },
       "block 1 at byte 80"},
      {"no_zstd_frame", [](std::string& b) { b = with_first_block(b, "this is not a frame"); }, "zstd"},
      {"empty_block", [](std::string& b) { b = with_first_block(b, ""); }, "cut short"},
      {"frame_cut_short",
       [](std::string& b) {
         const std::string frame = *pack_block(good_block());
         b = with_first_block(b, frame.substr(0, frame.size() - 6));
       },
       "cut short"},
      {"two_frames",
       [](std::string& b) {
         const std::string frame = *pack_block(good_block());
         b = with_first_block(b, frame + frame);
       },
       "bytes follow"},
      {"unpacks_to_nothing", raw_block(""), "0 of 4 rows"},
      {"too_few_rows", raw_block(raw_good_block().substr(0, 40)), "2 of 4 rows"},
      {"unpacks_to_too_much", raw_block(std::string(10000, '\0')), "more than"},
      {"bomb", raw_block(std::string(50 << 20, '\0')), "more than"},
      {"ids_cut", raw_block(raw_good_block().substr(0, 64 + 3)), "end in row 1"},
      {"codes_cut", raw_block(raw_good_block().substr(0, 64 + 8 + 15)), "of codes"},
      {"codes_missing", raw_block(raw_good_block().substr(0, 64 + 8)), "of codes"},
      {"bytes_after_codes", raw_block(raw_good_block() + "x"), "of codes"},
      {"id_of_six_bytes", raw_block(raw_good_block().substr(0, 64) + std::string(30, '\xff')), "end in row 0"},
      {"id_beyond_32_bits", raw_block(raw_good_block().substr(0, 64) + "\xff\xff\xff\xff\x7f" + std::string(30, '\0')),
       "end in row 0"},
  };
}

std::vector<BadFile> row_zoo() {
  const auto head = [](const std::function<void(ReferenceBlock::RowHead&)>& spoil) {
    return block([spoil](ReferenceBlock& b) { spoil(b.heads[0]); });
  };
  using Head = ReferenceBlock::RowHead;
  return {
      {"row_keeps_nothing", block([](ReferenceBlock& b) {
         b.heads[0].n_kept = 0;
         b.ids.erase(b.ids.begin(), b.ids.begin() + 2);
         b.codes.resize(6);
       }),
       "row 0 keeps 0"},
      {"row_keeps_too_many", raw_block(std::string("\x33\0\0\0", 4) + raw_good_block().substr(4)), "keeps 51 of 50"},
      {"row_keeps_all_ones", raw_block("\xff\xff\xff\xff" + raw_good_block().substr(4)), "keeps 4294967295 of 50"},
      {"top_outside_vocabulary", head([](Head& h) { h.top = 50; }), "token 50, the vocabulary 50"},
      {"top_negative", head([](Head& h) { h.top = -1; }), "row 0 has token"},
      {"id_outside_vocabulary", block([](ReferenceBlock& b) { b.ids[1] = 50; }), "token 50, the vocabulary 50"},
      {"ids_descending", block([](ReferenceBlock& b) { b.ids[1] = 2; }), "the vocabulary 50"},
      {"ids_repeated", block([](ReferenceBlock& b) { b.ids[1] = 3; }), "the vocabulary 50"},
      {"probability_above_one", head([](Head& h) { h.true_log_p = 0.01F; }), "out of range"},
      {"probability_nan", head([](Head& h) { h.true_log_p = kNan; }), "out of range"},
      {"probability_of_minus_infinity", head([](Head& h) { h.true_log_p = -1.0F / 0.0F; }), "out of range"},
      {"tail_negative", head([](Head& h) { h.tail = -0.1F; }), "out of range"},
      {"tail_above_one", head([](Head& h) { h.tail = 1.5F; }), "out of range"},
      {"tail_nan", head([](Head& h) { h.tail = kNan; }), "out of range"},
      {"adds_up_to_more", head([](Head& h) { h.tail = 0.5F; }), "do not add up"},
      {"adds_up_to_less", block([](ReferenceBlock& b) { b.codes[7] = 60000; }), "row 3 do not add up"},
  };
}

// What the process holds, to see that nothing is allocated for what a file only declares.
uint64_t allocated_peak_kib() {
  const auto status = read_file("/proc/self/status", 1 << 16);
  if (!status) return 0;
  const size_t at = status->find("VmPeak:");
  return at == std::string::npos ? 0 : std::stoull(status->substr(at + 7));
}

void expect_refused(const BadFile& bad) {
  std::string bytes = reference_bytes(small_header());
  bad.spoil(bytes);
  bytes.shrink_to_fit();
  const auto result = count_rows(bytes, "zoo.ref");
  ASSERT_FALSE(result) << bad.name << " was accepted";
  const std::string& message = result.error().message;
  EXPECT_EQ(result.error().kind, ErrorKind::input);
  EXPECT_TRUE(message.starts_with("zoo.ref: ")) << message;
  EXPECT_TRUE(is_valid_utf8(message) && message.find('\n') == std::string::npos && message.size() < 400) << message;
  EXPECT_THAT(message, testing::HasSubstr(bad.hint)) << bad.name;
  EXPECT_THAT(message, testing::HasSubstr("save-reference")) << bad.name;
}

TEST(ReferenceZoo, TheSoundFileIsAccepted) {
  std::string bytes = reference_bytes(small_header());
  block([](ReferenceBlock&) {})(bytes);
  const auto n = count_rows(bytes, "zoo.ref");
  ASSERT_TRUE(n) << n.error().message;
  EXPECT_EQ(*n, 15);
}

TEST(ReferenceZoo, AllAreRefused) {
  const uint64_t before = allocated_peak_kib();
  size_t n = 0;
  for (const auto& zoo : {header_zoo(), block_zoo(), row_zoo()}) {
    for (const BadFile& bad : zoo) {
      SCOPED_TRACE(bad.name);
      expect_refused(bad);
      ++n;
    }
  }
  EXPECT_GE(n, 60U);
  // The bomb is 50 MiB when it is made; none declares less than what would show.
  EXPECT_LT(allocated_peak_kib() - before, 200U << 10);
}

TEST(ReferenceZoo, EveryPrefixIsRefused) {
  const std::string bytes = reference_bytes(small_header());
  for (size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(count_rows(bytes.substr(0, n), "zoo.ref")) << n;
}

// A hash of all that a file says, or nothing if it is refused.
std::optional<uint64_t> content_of(const std::string& bytes) {
  auto reader = ReferenceReader::parse(std::as_bytes(std::span(bytes)), "zoo.ref");
  if (!reader) return std::nullopt;
  Hasher hasher;
  for (int64_t i = 0; i < reader->header().n_rows(); ++i) {
    const auto row = reader->next();
    if (!row) return std::nullopt;
    hasher.add(std::as_bytes(row->ids));
    hasher.add(std::as_bytes(row->codes));
    for (const float value : {row->true_log_p, row->tail}) hasher.add(uint64_t{std::bit_cast<uint32_t>(value)});
    hasher.add(static_cast<uint64_t>(row->top));
  }
  return hasher.value();
}

// Damage anywhere is found, by the header's checksum, the sizes or zstd's checksum, but in the few bits of a frame that
// mean nothing.
TEST(ReferenceZoo, EveryFlippedBitIsFoundOrMeansNothing) {
  const std::string bytes = reference_bytes(small_header());
  const auto sound = content_of(bytes);
  ASSERT_TRUE(sound);
  int n_accepted = 0;
  for (size_t i = 0; i < 8 * bytes.size(); ++i) {
    std::string flipped = bytes;
    flipped[i / 8] = static_cast<char>(flipped[i / 8] ^ (1 << (i % 8)));
    const auto content = content_of(flipped);
    n_accepted += content ? 1 : 0;
    EXPECT_EQ(content.value_or(*sound), *sound) << i;
  }
  EXPECT_LT(n_accepted, 100);
}

}  // namespace
}  // namespace smelt
