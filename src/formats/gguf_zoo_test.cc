// The zoo of bad GGUF files: each is refused with its cause named; each good but unusual one is read. Names follow the
// fault classes of public advisories (counts and lengths that wrap, dimensions, offsets, alignment, types).
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/gguf.h"
#include "formats/zoo_support.h"

namespace smelt::zoo {
namespace {

using testing::HasSubstr;

constexpr uint64_t kMax = ~uint64_t{0};

struct BadGguf {
  const char* name;
  std::function<std::string()> bytes;
  std::vector<std::string> hints;
};

// A good file with one change.
std::function<std::string()> with(std::function<void(GgufSketch&)> change) {
  return [change] {
    GgufSketch sketch;
    change(sketch);
    return sketch.bytes();
  };
}
std::function<std::string()> raw(std::string bytes) {
  return [bytes] { return bytes; };
}
std::function<std::string()> with_key(std::string key) {
  return with([key](GgufSketch& s) { s.keys.push_back(key); });
}
// Instead of the two good tensors.
std::function<std::string()> with_tensors(std::vector<std::string> tensors) {
  return with([tensors](GgufSketch& s) { s.tensors = tensors; });
}
std::function<std::string()> with_tensor(std::vector<uint64_t> dims, uint32_t type, uint64_t offset = 0) {
  return with_tensors({gguf_tensor("bad", dims, type, offset)});
}
std::function<std::string()> with_alignment(uint32_t type, std::string value) {
  return with_key(gguf_key("general.alignment", type, value));
}

const std::vector<BadGguf>& header_zoo() {
  static const std::vector<BadGguf> zoo = {
      {"empty", raw(""), {"byte 0", "empty"}},
      {"magic_only", raw("GGUF"), {"'version' at byte 4", "truncated"}},
      {"magic_cut", raw("GG"), {"byte 0", "2 bytes"}},
      {"magic_wrong", raw("NOPE and then some more bytes"), {"byte 0", "not a GGUF file"}},
      {"magic_swapped", with([](auto& s) { s.magic = "FUGG"; }), {"big-endian"}},
      {"lfs_pointer", raw("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"), {"git lfs pull"}},
      {"html_page", raw("\n<!DOCTYPE html><html><body>404</body></html>"), {"web page"}},
      {"zip_pickle", raw("PK\x03\x04rest of an archive"), {"zip", "safetensors"}},
      {"raw_pickle", raw("\x80\x02}q\x01rest"), {"pickle", "safetensors"}},
      {"gzip", raw("\x1f\x8b\x08 rest"), {"compressed", "unpack"}},
      {"ggjt", raw("tjgg\x03 rest of it"), {"before GGUF"}},
      {"version_0", with([](auto& s) { s.version = 0; }), {"'version' at byte 4", "version 0"}},
      {"version_1", with([](auto& s) { s.version = 1; }), {"'version' at byte 4", "version 1"}},
      {"version_4", with([](auto& s) { s.version = 4; }), {"'version' at byte 4", "version 4"}},
      {"version_swapped", with([](auto& s) { s.version = 0x03000000; }), {"'version' at byte 4", "big-endian"}},
      {"n_tensors_max", with([](auto& s) { s.n_tensors = kMax; }), {"'n_tensors' at byte 8"}},
      {"n_tensors_2p63", with([](auto& s) { s.n_tensors = uint64_t{1} << 63; }), {"'n_tensors' at byte 8"}},
      {"n_tensors_2p60", with([](auto& s) { s.n_tensors = uint64_t{1} << 60; }), {"'n_tensors' at byte 8"}},
      {"n_tensors_overflow56", with([](auto& s) { s.n_tensors = kMax / 56 + 1; }), {"'n_tensors' at byte 8"}},
      {"n_tensors_overflow368", with([](auto& s) { s.n_tensors = kMax / 368 + 1; }), {"'n_tensors' at byte 8"}},
      {"n_tensors_plus_1", with([](auto& s) { s.n_tensors = 3; }), {"tensor number 2 at byte"}},
      {"n_tensors_minus_1",
       with([](auto& s) { s.n_tensors = 1; }),
       {"'n_tensors' at byte 8", "another tensor follows"}},
      {"n_tensors_0", with([](auto& s) { s.n_tensors = 0; }), {"'n_tensors' at byte 8", "another tensor follows"}},
      {"n_kv_max", with([](auto& s) { s.n_keys = kMax; }), {"'n_kv' at byte 16"}},
      {"n_kv_2p60", with([](auto& s) { s.n_keys = uint64_t{1} << 60; }), {"'n_kv' at byte 16"}},
      {"n_kv_plus_1", with([](auto& s) { s.n_keys = 3; }), {"at byte"}},
      {"n_kv_minus_1", with([](auto& s) { s.n_keys = 1; }), {"at byte"}},
      {"n_kv_0", with([](auto& s) { s.n_keys = 0; }), {"at byte"}},
  };
  return zoo;
}

// LONG: a table.
const std::vector<BadGguf>& metadata_zoo() {
  static const std::vector<BadGguf> zoo = {
      {"key_len_max", with_key(encode(kMax) + "k"), {"key number 2 at byte"}},
      {"key_len_2p63", with_key(encode(uint64_t{1} << 63)), {"key number 2 at byte"}},
      {"key_len_2p40", with_key(encode(uint64_t{1} << 40)), {"key number 2 at byte"}},
      {"key_len_past_end", with_key(encode(uint64_t{60000}) + "k"), {"key number 2 at byte", "truncated"}},
      {"key_len_0", with_key(gguf_key("", 4, encode(1U))), {"key number 2 at byte", "empty"}},
      {"key_len_65536", with_key(gguf_key(std::string(65536, 'k'), 4, encode(1U))), {"key number 2", "65536"}},
      {"key_duplicate",
       with_key(gguf_key("llama.block_count", 4, encode(2U))),
       {"'llama.block_count' at byte", "already given at byte 69"}},
      {"key_duplicate_other_type",
       with_key(gguf_key("general.architecture", 4, encode(2U))),
       {"already given at byte 24"}},
      {"key_control_duplicate",
       with([](auto& s) {
         s.keys = {gguf_key("\x1b[2J\n", 4, encode(1U)), gguf_key("\x1b[2J\n", 4, encode(1U))};
       }),
       {"'\\x1b[2J\\x0a'"}},
      {"str_len_max", with_key(gguf_key("k", 8, encode(kMax))), {"key 'k' at byte", "18446744073709551615"}},
      {"str_len_2p63", with_key(gguf_key("k", 8, encode(uint64_t{1} << 63))), {"key 'k' at byte"}},
      {"str_len_2p40", with_key(gguf_key("k", 8, encode(uint64_t{1} << 40))), {"key 'k' at byte"}},
      {"str_len_file", with_key(gguf_key("k", 8, encode(uint64_t{400}))), {"key 'k' at byte", "400"}},
      {"value_type_13", with_key(gguf_key("k", 13, encode(uint64_t{0}))), {"key 'k' at byte", "value type 13"}},
      {"value_type_ffffffff",
       with_key(gguf_key("k", 0xFFFFFFFF, encode(uint64_t{0}))),
       {"key 'k' at byte", "value type 4294967295"}},
      {"value_cut",
       with([](auto& s) {
         s.keys.push_back(gguf_key("k", 12, ""));
         s.tensors.clear();
         s.data.clear();
         s.alignment = 1;
       }),
       {"key 'k' at byte", "truncated"}},
      {"bool_2", with_key(gguf_key("k", 7, "\x02")), {"key 'k' at byte", "bool is 2"}},
      {"arr_bool_255", with_key(gguf_array("k", 7, 3, "\x01\xff\x01")), {"key 'k' at byte", "bool is 255"}},
      {"arr_type_13", with_key(gguf_array("k", 13, 1, "1234")), {"key 'k' at byte", "element type 13"}},
      {"arr_type_ffffffff", with_key(gguf_array("k", 0xFFFFFFFF, 1000, "")), {"key 'k' at byte", "element type"}},
      {"arr_type_arr",
       with_key(gguf_array("k", 9, 1, encode(4U, uint64_t{0}))),
       {"key 'k' at byte", "array of arrays"}},
      {"arr_type_arr_0", with_key(gguf_array("k", 9, 0, "")), {"key 'k' at byte", "array of arrays"}},
      {"arr_nested_100000",
       [] {
         std::string nest;
         for (int i = 0; i < 100000; ++i) nest += encode(9U, uint64_t{1});
         GgufSketch sketch;
         sketch.keys.push_back(gguf_key("k", 9, nest));
         return sketch.bytes();
       },
       {"key 'k' at byte", "array of arrays"}},
      {"arr_len_max", with_key(gguf_array("k", 0, kMax, "")), {"key 'k' at byte", "18446744073709551615"}},
      {"arr_len_wrap_u64",
       with_key(gguf_array("k", 10, (uint64_t{1} << 61) + 1, encode(uint64_t{1}))),
       {"key 'k' at byte"}},
      {"arr_len_wrap_u16",
       with_key(gguf_array("k", 2, (uint64_t{1} << 63) + 1, encode(uint16_t{1}))),
       {"key 'k' at byte"}},
      {"arr_len_strings_2p60", with_key(gguf_array("k", 8, uint64_t{1} << 60, "")), {"key 'k' at byte"}},
      {"arr_len_past_end", with_key(gguf_array("k", 4, 1000, "")), {"key 'k' at byte", "1000 values"}},
      {"arr_len_above_limit",
       [] {
         GgufSketch sketch;
         sketch.keys.push_back(gguf_array("k", 0, (uint64_t{1} << 23) + 1, std::string((size_t{1} << 23) + 1, '\0')));
         return sketch.bytes();
       },
       {"key 'k' at byte", "8388608"}},
      {"arr_str_element_past_end",
       with_key(gguf_array("k", 8, 2, gguf_string("x") + encode(kMax))),
       {"key 'k' at byte", "element 1 of 2"}},
      {"alignment_0", with_alignment(4, encode(0U)), {"'general.alignment' at byte", "0 is not a power of two"}},
      {"alignment_3", with_alignment(4, encode(3U)), {"'general.alignment' at byte", "3 is not"}},
      {"alignment_4", with_alignment(4, encode(4U)), {"'general.alignment' at byte", "4 is not"}},
      {"alignment_33", with_alignment(4, encode(33U)), {"'general.alignment' at byte", "33 is not"}},
      {"alignment_2p31", with_alignment(4, encode(0x80000000U)), {"'general.alignment' at byte", "2147483648 is not"}},
      {"alignment_max", with_alignment(4, encode(0xFFFFFFFFU)), {"'general.alignment' at byte"}},
      {"alignment_string", with_alignment(8, gguf_string("32")), {"'general.alignment' at byte", "string", "uint32"}},
      {"alignment_u64", with_alignment(10, encode(uint64_t{32})), {"'general.alignment' at byte", "uint64"}},
      {"alignment_array",
       with_key(gguf_array("general.alignment", 4, 1, encode(32U))),
       {"'general.alignment' at byte", "array"}},
  };
  return zoo;
}

const std::vector<BadGguf>& tensor_zoo() {
  static const std::string kTensor = "tensor 'bad' at byte ";
  static const std::vector<BadGguf> zoo = {
      {"tensor_name_len_max", with_tensors({encode(kMax, kMax, kMax, kMax)}), {"tensor number 0 at byte"}},
      {"tensor_name_len_0", with_tensors({gguf_tensor("", {8}, 0, 0)}), {"tensor number 0 at byte", "empty"}},
      {"tensor_name_len_4097",
       with_tensors({gguf_tensor(std::string(4097, 'n'), {8}, 0, 0)}),
       {"tensor number 0", "4097"}},
      {"tensor_duplicate",
       with_tensors({gguf_tensor("bad", {8}, 0, 0), gguf_tensor("bad", {8}, 0, 32)}),
       {kTensor, "already given at byte 102"}},
      {"tensor_duplicate_same_data",
       with_tensors({gguf_tensor("bad", {8}, 0, 0), gguf_tensor("bad", {8}, 0, 0)}),
       {kTensor, "already given"}},
      {"n_dims_5", with_tensor({1, 1, 1, 1, 8}, 0), {kTensor, "5 dimensions"}},
      {"n_dims_max",
       with_tensors({gguf_string("bad") + encode(0xFFFFFFFFU) + std::string(64, '\1')}),
       {kTensor, "4294967295 dimensions"}},
      {"interleaved_plain", with_tensor({8, 16}, 0x10000), {kTensor, "F32 has no layout of 16 interleaved rows"}},
      {"interleaved_vector", with_tensor({32}, 0x10002), {kTensor, "has 1 dimensions"}},
      {"interleaved_unknown", with_tensor({32, 16}, 0x10063), {kTensor, "its type is 65635"}},
      {"interleaved_rows_wrap", with_tensor({32, kMax}, 0x10002), {kTensor, "overflow"}},
      {"interleaved_cut", with_tensor({32, 1}, 0x10002), {kTensor, "its 288 bytes"}},
      {"dims_zero", with_tensor({0, 2}, 0), {kTensor, "dimension 0 is 0"}},
      {"dims_zero_then_max", with_tensor({0, kMax >> 1}, 0), {kTensor, "is 0"}},
      {"dims_zero_last", with_tensor({8, 0}, 0), {kTensor, "dimension 1 is 0"}},
      {"dims_negative", with_tensor({kMax}, 0), {kTensor, "overflows"}},
      {"dims_int64max", with_tensor({kMax >> 1}, 0), {kTensor, "overflow"}},
      {"dims_int64max2", with_tensor({kMax >> 1, 2}, 0), {kTensor, "overflow"}},
      {"dims_wrap_to_0", with_tensor({uint64_t{1} << 32, uint64_t{1} << 32}, 0), {kTensor, "overflow"}},
      {"dims_wrap_to_8", with_tensor({(uint64_t{1} << 61) + 1, 8}, 0), {kTensor, "overflow"}},
      {"dims_wrap_four", with_tensor({65536, 65536, 65536, 65536}, 0), {kTensor, "overflow"}},
      {"dims_bytes_wrap", with_tensor({(uint64_t{1} << 62) + 2}, 0), {kTensor, "overflow"}},
      {"dims_exabyte", with_tensor({uint64_t{1} << 60}, 24), {kTensor, "truncated"}},
      {"dims_pad", with_tensor({(kMax >> 1) - 1}, 24), {kTensor, "truncated"}},
      {"dims_sum_wrap",
       with_tensors({gguf_tensor("bad", {uint64_t{1} << 62}, 24, 0), gguf_tensor("c", {uint64_t{1} << 62}, 24, 0)}),
       {kTensor}},
      {"dims_too_large", with_tensor({8, 3}, 0), {kTensor, "truncated"}},
      {"ttype_4", with_tensor({32}, 4), {kTensor, "Q4_2", "withdrawn"}},
      {"ttype_5", with_tensor({32}, 5), {kTensor, "Q4_3", "withdrawn"}},
      {"ttype_16", with_tensor({256}, 16), {kTensor, "IQ2_XXS"}},
      {"ttype_27", with_tensor({8}, 27), {kTensor, "I64"}},
      {"ttype_31", with_tensor({32}, 31), {kTensor, "Q4_0_4_4"}},
      {"ttype_36", with_tensor({32}, 36), {kTensor, "withdrawn"}},
      {"ttype_43", with_tensor({32}, 43), {kTensor, "43 (unknown)"}},
      {"ttype_ffffffff", with_tensor({32}, 0xFFFFFFFF), {kTensor, "4294967295 (unknown)"}},
      {"row_half_block_q8_0", with_tensor({16, 2}, 8), {kTensor, "Q8_0", "32"}},
      {"row_half_block_q4_k", with_tensor({128, 2}, 12), {kTensor, "Q4_K", "256"}},
      {"scalar_q4_0", with_tensor({}, 2), {kTensor, "Q4_0"}},
      {"offset_unaligned", with_tensor({8}, 0, 16), {kTensor, "16 is not a multiple"}},
      {"offset_1", with_tensor({8}, 0, 1), {kTensor, "1 is not a multiple"}},
      {"offset_past_end", with_tensor({8}, 0, 96), {kTensor, "offset 96"}},
      {"offset_at_end", with_tensor({8}, 0, 64), {kTensor, "truncated"}},
      {"offset_wrap", with_tensor({8}, 0, kMax - 31), {kTensor, "18446744073709551584"}},
      {"offset_2p63", with_tensor({8}, 0, uint64_t{1} << 63), {kTensor}},
      {"offset_overlap",
       with_tensors({gguf_tensor("a", {16}, 0, 0), gguf_tensor("bad", {8}, 0, 32)}),
       {kTensor, "overlaps", "tensor 'a'"}},
      {"offset_same",
       with_tensors({gguf_tensor("a", {8}, 0, 0), gguf_tensor("bad", {8}, 0, 0)}),
       {kTensor, "overlaps", "'a'"}},
      {"offset_swapped",
       with_tensors({gguf_tensor("bad", {8}, 0, 32), gguf_tensor("b", {8}, 0, 0)}),
       {kTensor, "expected 0"}},
      {"offset_hole", with_tensor({8}, 0, 32), {kTensor, "hole"}},
      {"data_missing", with([](auto& s) { s.data.clear(); }), {"tensor 'a' at byte", "truncated"}},
      {"data_cut", with([](auto& s) { s.data.pop_back(); }), {"tensor 'b' at byte", "truncated"}},
      {"header_end_cut",
       with([](auto& s) {
         s.data.clear();
         s.alignment = 1;
       }),
       {"tensor 'a' at byte", "truncated"}},
  };
  return zoo;
}

class GgufZoo : public testing::TestWithParam<BadGguf> {};

TEST_P(GgufZoo, Refuses) {
  const std::string file = GetParam().bytes();
  expect_refused([&] { return error_of(parse_gguf(std::as_bytes(std::span(file)), "dir/x.gguf")); }, "dir/x.gguf",
                 file.size(), GetParam().hints);
}

std::string name_of(const testing::TestParamInfo<BadGguf>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Header, GgufZoo, testing::ValuesIn(header_zoo()), name_of);
INSTANTIATE_TEST_SUITE_P(Metadata, GgufZoo, testing::ValuesIn(metadata_zoo()), name_of);
INSTANTIATE_TEST_SUITE_P(Tensors, GgufZoo, testing::ValuesIn(tensor_zoo()), name_of);

TEST(GgufZooAsAWhole, EveryProperPrefixIsRefused) {
  GgufSketch sketch;
  sketch.keys.push_back(gguf_array("list", 8, 2, gguf_string("one") + gguf_string("two")));
  const std::string file = sketch.bytes();
  ASSERT_TRUE(parse_gguf(std::as_bytes(std::span(file)), "x.gguf").has_value());
  for (size_t n = 0; n < file.size(); ++n) {
    SCOPED_TRACE(n);
    const std::string cut = file.substr(0, n);  // a copy of its own, so that a sanitizer sees a byte too many
    expect_refused([&] { return error_of(parse_gguf(std::as_bytes(std::span(cut)), "x.gguf")); }, "x.gguf", n,
                   {"at byte"});
  }
}

// Any one bit flipped: whatever the answer, it comes without a fault, and views lie inside the file.
TEST(GgufZooAsAWhole, EveryFlippedBitIsAnswered) {
  std::string file = GgufSketch().bytes();
  for (size_t bit = 0; bit < file.size() * 8; ++bit) {
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ (1 << (bit % 8)));
    const auto bytes = std::as_bytes(std::span(file));
    const auto contents = parse_gguf(bytes, "x.gguf");
    for (const TensorEntry& t : contents ? contents->tensors : std::vector<TensorEntry>()) {
      ASSERT_LE(t.file_offset + t.view.bytes.size(), bytes.size());
      ASSERT_EQ(t.view.bytes.data(), bytes.data() + t.file_offset);
    }
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ (1 << (bit % 8)));
  }
}

Result<GgufContents> parse(const std::string& file) { return parse_gguf(std::as_bytes(std::span(file)), "x.gguf"); }

TEST(GgufAccepts, Version2) {
  GgufSketch sketch;
  sketch.version = 2;
  const std::string file = sketch.bytes();
  const auto contents = parse(file);
  ASSERT_TRUE(contents.has_value()) << contents.error().message;
  EXPECT_EQ(contents->version, 2U);
  ASSERT_EQ(contents->tensors.size(), 2U);
  EXPECT_EQ(contents->tensors[0].view.shape, (Shape{2, 4}));  // outermost first
}

TEST(GgufAccepts, Alignment64) {
  GgufSketch sketch;
  sketch.keys.push_back(gguf_key("general.alignment", 4, encode(64U)));
  sketch.alignment = 64;
  sketch.tensors = {gguf_tensor("a", {8}, 0, 0), gguf_tensor("b", {8}, 0, 64)};
  sketch.data = std::string(96, '\2');
  const std::string file = sketch.bytes();
  const auto contents = parse(file);
  ASSERT_TRUE(contents.has_value()) << contents.error().message;
  EXPECT_EQ(contents->alignment, 64U);
  EXPECT_EQ(contents->tensors[1].file_offset, contents->data_offset + 64);
}

TEST(GgufAccepts, TrailingGarbageWithANote) {
  GgufSketch sketch;
  sketch.data += "garbage";
  const std::string file = sketch.bytes();
  const LogCapture log;
  EXPECT_TRUE(parse(file).has_value());
  ASSERT_EQ(log.lines().size(), 1U);
  EXPECT_THAT(log.lines()[0], HasSubstr("x.gguf: 7 bytes after the last tensor"));
}

TEST(GgufAccepts, NoNoteForAGoodFile) {
  const std::string file = GgufSketch().bytes();
  const LogCapture log;
  EXPECT_TRUE(parse(file).has_value());
  EXPECT_TRUE(log.lines().empty());
}

TEST(GgufAccepts, OddKeysAndValues) {
  GgufSketch sketch;
  const std::string long_key(65535, 'k');
  sketch.keys.push_back(gguf_key(std::string("nul\0key", 7), 8, gguf_string(std::string("\0\x1b[31m%n\xff", 9))));
  sketch.keys.push_back(gguf_key("\xff\xfe", 0, "\x05"));
  sketch.keys.push_back(gguf_key(long_key, 7, std::string(1, '\1')));
  sketch.keys.push_back(gguf_key("empty", 8, gguf_string("")));
  sketch.keys.push_back(gguf_array("none", 8, 0, ""));
  const std::string file = sketch.bytes();
  const auto contents = parse(file);
  ASSERT_TRUE(contents.has_value()) << contents.error().message;
  EXPECT_EQ(contents->metadata.get_string(std::string_view("nul\0key", 7))->size(), 9U);
  EXPECT_EQ(*contents->metadata.get_uint("\xff\xfe"), 5U);
  EXPECT_TRUE(*contents->metadata.get_bool(long_key));
  EXPECT_EQ(contents->metadata.find_strings("none").value()->size(), 0U);
}

TEST(GgufAccepts, Scalars) {
  GgufSketch sketch;
  sketch.tensors = {gguf_tensor("s", {}, 0, 0)};
  sketch.data = std::string(4, '\1');
  const std::string file = sketch.bytes();
  const auto contents = parse(file);
  ASSERT_TRUE(contents.has_value()) << contents.error().message;
  EXPECT_EQ(contents->tensors[0].view.shape.rank, 0);
  EXPECT_EQ(contents->tensors[0].view.bytes.size(), 4U);
}

TEST(GgufAccepts, VocabularyWithoutTensors) {
  for (const size_t alignment : {size_t{1}, size_t{32}}) {
    GgufSketch sketch;
    sketch.tensors.clear();
    sketch.data.clear();
    sketch.alignment = alignment;
    const std::string file = sketch.bytes();
    const LogCapture log;
    EXPECT_TRUE(parse(file).has_value());
    EXPECT_TRUE(log.lines().empty());
  }
}

}  // namespace
}  // namespace smelt::zoo
