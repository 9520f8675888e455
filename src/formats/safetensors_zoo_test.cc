// The zoo of bad safetensors files, and the unusual ones that must be read. The judge is in zoo_support_test.cc.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "base/test_folder.h"
#include "base/test_speed.h"
#include "formats/safetensors.h"
#include "formats/zoo_support.h"

namespace smelt::zoo {
namespace {

constexpr uint64_t kMax = ~uint64_t{0};
const char* const kGood =
    R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"F16","shape":[4],"data_offsets":[16,24]}})";

struct BadFile {
  const char* name;
  std::function<std::string()> bytes;
  std::vector<std::string> hints;
};

std::string data(size_t n) { return std::string(n, '\1'); }
// One tensor "bad" of these fields, with 16 bytes of data.
std::function<std::string()> tensor(std::string fields, size_t n = 16) {
  return [fields, n] { return safetensors_bytes("{\"bad\":{" + fields + "}}", data(n)); };
}
std::function<std::string()> header(std::string json, size_t n = 16) {
  return [json, n] { return safetensors_bytes(json, data(n)); };
}
std::function<std::string()> shape(const std::string& text) {
  return tensor(R"("dtype":"F32","data_offsets":[0,16],"shape":)" + text);
}
std::function<std::string()> offsets(const std::string& text) {
  return tensor(R"("dtype":"F32","shape":[4],"data_offsets":)" + text);
}
std::function<std::string()> length(uint64_t n) {
  return [n] { return safetensors_bytes(kGood, data(24), n); };
}

const std::vector<BadFile>& file_zoo() {
  static const std::vector<BadFile> zoo = {
      {"st_empty", [] { return std::string(); }, {"byte 0", "0 bytes"}},
      {"st_length_cut", [] { return std::string(7, '\1'); }, {"byte 0", "7 bytes"}},
      {"st_len_0", length(0), {"header length at byte 0", "0"}},
      {"st_len_1", length(1), {"header length at byte 0"}},
      {"st_len_2p63", length(uint64_t{1} << 63), {"header length at byte 0", "9223372036854775808"}},
      {"st_len_max", length(kMax), {"header length at byte 0"}},
      {"st_len_max_minus_7", length(kMax - 7), {"header length at byte 0"}},
      {"st_len_100000001", length(100000001), {"header length at byte 0", "100000000"}},
      {"st_len_100000000", length(100000000), {"header length at byte 0", "truncated"}},
      {"st_len_file_plus_1", length(std::string(kGood).size() + 25), {"header length at byte 0", "truncated"}},
      {"st_len_1_short", length(std::string(kGood).size() - 1), {"header", "byte"}},
      {"st_len_1_long", length(std::string(kGood).size() + 1), {"byte"}},
      {"st_lfs_pointer",
       [] { return std::string("version https://git-lfs.github.com/spec/v1\noid"); },
       {"git lfs pull"}},
      {"st_html", [] { return std::string("<html><body>Not found</body></html>"); }, {"web page"}},
      {"st_zip_pickle", [] { return std::string("PK\x03\x04 and more of an archive"); }, {"zip"}},
      {"st_gguf", [] { return GgufSketch().bytes(); }, {"byte"}},
      {"st_array", header("[1,2]"), {"byte 8", "'{'"}},
      {"st_leading_space", header(" " + std::string(kGood), 24), {"byte 8", "'{'"}},
      {"st_bom", header("\xef\xbb\xbf" + std::string(kGood), 24), {"byte 8", "'{'"}},
      {"st_nul_padding", header(std::string(kGood) + std::string(5, '\0'), 24), {"byte 1", "JSON"}},
      {"st_trailing_text", header(std::string(kGood) + "{}", 24), {"byte 1", "JSON"}},
      {"st_json_cut", header("{\"a\":{\"dtype\":"), {"byte 2", "JSON"}},
      {"st_single_quotes", header("{'a':1}"), {"byte 9", "JSON"}},
      {"st_bad_utf8", header("{\"\xc3\x28\":{}}"), {"byte 1", "JSON"}},
      {"st_lone_surrogate", header(R"({"\ud800":{}})"), {"byte", "JSON"}},
      {"st_control_in_name", header("{\"a\x01\":{}}"), {"byte", "JSON"}},
      {"st_depth_100000_arrays",
       [] { return safetensors_bytes(R"({"bad":{"shape":)" + std::string(100000, '['), ""); },
       {"byte"}},
      {"st_depth_100000_objects",
       [] {
         std::string nest;
         for (int i = 0; i < 100000; ++i) nest += "{\"a\":";
         return safetensors_bytes(nest, "");
       },
       {"byte"}},
      {"st_trailing_bytes", header(kGood, 25), {"data at byte", "1 bytes"}},
      {"st_no_tensors_but_data", header("{}"), {"data at byte 10", "16 bytes"}},
      {"st_data_cut", header(kGood, 23), {"'b'", "truncated"}},
      {"st_data_missing", header(kGood, 0), {"'a'", "truncated"}},
  };
  return zoo;
}

// LONG: a table.
const std::vector<BadFile>& tensor_zoo() {
  static const std::vector<BadFile> zoo = {
      {"st_duplicate_tensor",
       header(
           R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})"),
       {"byte 65", "key 'a'", "already given at byte 11"}},
      {"st_duplicate_by_escape",
       header(
           R"({"m":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"\u006d":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})"),
       {"key 'm'", "already given at byte"}},
      {"st_duplicate_field",
       tensor(R"("dtype":"F32","shape":[4],"dtype":"F16","data_offsets":[0,16])"),
       {"key 'dtype'", "already given at byte"}},
      {"st_duplicate_metadata", header(R"({"__metadata__":{},"__metadata__":{}})", 0), {"__metadata__", "already"}},
      {"st_metadata_number", header(R"({"__metadata__":{"a":1}})", 0), {"__metadata__", "'a'", "text"}},
      {"st_metadata_nested", header(R"({"__metadata__":{"a":{"b":"c"}}})", 0), {"__metadata__"}},
      {"st_metadata_array", header(R"({"__metadata__":["a"]})", 0), {"__metadata__"}},
      {"st_tensor_number", header(R"({"bad":1})"), {"tensor 'bad'"}},
      {"st_tensor_null", header(R"({"bad":null})"), {"tensor 'bad'"}},
      {"st_tensor_array", header(R"({"bad":[0,16]})"), {"tensor 'bad'"}},
      {"st_tensor_empty", tensor(""), {"tensor 'bad'", "'dtype' is missing"}},
      {"st_unknown_field",
       tensor(R"("dtype":"F32","shape":[4],"data_offsets":[0,16],"extra":1)"),
       {"tensor 'bad'", "'extra'"}},
      {"st_field_nested", tensor(R"("dtype":{"a":1})"), {"tensor 'bad'", "'dtype'"}},
      {"st_dtype_missing", tensor(R"("shape":[4],"data_offsets":[0,16])"), {"tensor 'bad'", "'dtype' is missing"}},
      {"st_dtype_number", tensor(R"("dtype":32,"shape":[4],"data_offsets":[0,16])"), {"tensor 'bad'", "'dtype'"}},
      {"st_dtype_array", tensor(R"("dtype":[1],"shape":[4],"data_offsets":[0,16])"), {"tensor 'bad'", "'dtype'"}},
      {"st_dtype_unknown",
       tensor(R"("dtype":"F99","shape":[4],"data_offsets":[0,16])"),
       {"tensor 'bad'", "'dtype'", "F99"}},
      {"st_dtype_f64", tensor(R"("dtype":"F64","shape":[2],"data_offsets":[0,16])"), {"tensor 'bad'", "F64"}},
      {"st_dtype_f8", tensor(R"("dtype":"F8_E4M3","shape":[16],"data_offsets":[0,16])"), {"tensor 'bad'", "F8_E4M3"}},
      {"st_dtype_lower_case", tensor(R"("dtype":"f32","shape":[4],"data_offsets":[0,16])"), {"tensor 'bad'", "f32"}},
      {"st_dtype_escape", tensor(R"("dtype":"\u001b[2J","shape":[4],"data_offsets":[0,16])"), {"\\x1b[2J"}},
      {"st_dtype_mismatch",
       tensor(R"("dtype":"F16","shape":[4],"data_offsets":[0,16])"),
       {"tensor 'bad'", "16 bytes", "ask for 8"}},
      {"st_shape_missing", tensor(R"("dtype":"F32","data_offsets":[0,16])"), {"tensor 'bad'", "'shape' is missing"}},
      {"st_shape_number", shape("4"), {"tensor 'bad'", "'shape'"}},
      {"st_shape_negative", shape("[-4]"), {"tensor 'bad'", "'shape'", "whole number"}},
      {"st_shape_fraction", shape("[4.5]"), {"tensor 'bad'", "'shape'", "whole number"}},
      {"st_shape_exponent", shape("[4e0]"), {"tensor 'bad'", "'shape'", "whole number"}},
      {"st_shape_string", shape("[\"4\"]"), {"tensor 'bad'", "'shape'"}},
      {"st_shape_null", shape("[null]"), {"tensor 'bad'", "'shape'"}},
      {"st_shape_bool", shape("[true]"), {"tensor 'bad'", "'shape'"}},
      {"st_shape_nested", shape("[[4]]"), {"tensor 'bad'", "'shape'"}},
      {"st_shape_object", shape("[{}]"), {"tensor 'bad'", "'shape'"}},
      {"st_shape_1e999", shape("[1e999]"), {"JSON", "byte"}},
      {"st_shape_2p64", shape("[18446744073709551616]"), {"tensor 'bad'", "'shape'"}},
      {"st_shape_max", shape("[18446744073709551615]"), {"tensor 'bad'", "'shape'", "overflow"}},
      {"st_shape_overflow", shape("[4194305,4194305,211106198978564]"), {"tensor 'bad'", "'shape'", "overflow"}},
      {"st_shape_wrap_bytes", shape("[4611686018427387908]"), {"tensor 'bad'", "'shape'", "overflow"}},
      {"st_shape_rank_5", shape("[1,1,1,2,2]"), {"tensor 'bad'", "'shape'", "more than 4"}},
      {"st_shape_zero",
       tensor(R"("dtype":"F32","shape":[0],"data_offsets":[0,0])", 0),
       {"tensor 'bad'", "'shape'", "is 0"}},
      {"st_shape_zero_times_max", shape("[0,18446744073709551615]"), {"tensor 'bad'", "'shape'"}},
      {"st_offsets_missing", tensor(R"("dtype":"F32","shape":[4])"), {"tensor 'bad'", "'data_offsets' is missing"}},
      {"st_offsets_one", offsets("[0]"), {"tensor 'bad'", "'data_offsets'", "two"}},
      {"st_offsets_three", offsets("[0,16,16]"), {"tensor 'bad'", "'data_offsets'", "more than 2"}},
      {"st_offsets_negative", offsets("[-1,15]"), {"tensor 'bad'", "'data_offsets'"}},
      {"st_offsets_fraction", offsets("[0.0,16.0]"), {"tensor 'bad'", "'data_offsets'"}},
      {"st_offsets_reversed", offsets("[16,0]"), {"tensor 'bad'", "'data_offsets'", "[16, 0]"}},
      {"st_offsets_past_end", offsets("[0,32]"), {"tensor 'bad'", "'data_offsets'", "[0, 32]"}},
      {"st_offsets_max", offsets("[18446744073709551600,18446744073709551615]"), {"tensor 'bad'", "'data_offsets'"}},
      {"st_offsets_plus_1",
       tensor(R"("dtype":"F32","shape":[4],"data_offsets":[1,17])", 17),
       {"tensor 'bad'", "hole", "header"}},
      {"st_offsets_short", offsets("[0,15]"), {"tensor 'bad'", "15 bytes", "16"}},
      {"st_offsets_hole",
       header(
           R"({"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]},"bad":{"dtype":"I8","shape":[4],"data_offsets":[8,12]}})",
           12),
       {"tensor 'bad'", "hole after tensor 'a'"}},
      {"st_offsets_overlap",
       header(
           R"({"a":{"dtype":"I8","shape":[8],"data_offsets":[0,8]},"bad":{"dtype":"I8","shape":[8],"data_offsets":[4,12]}})",
           12),
       {"tensor 'bad'", "overlaps tensor 'a'"}},
      {"st_offsets_shared",
       header(
           R"({"a":{"dtype":"I8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"I8","shape":[8],"data_offsets":[0,8]}})",
           8),
       {"overlaps tensor"}},
  };
  return zoo;
}

class SafetensorsZoo : public testing::TestWithParam<BadFile> {};

TEST_P(SafetensorsZoo, Refuses) {
  const std::string file = GetParam().bytes();
  expect_refused([&] { return error_of(parse_safetensors(std::as_bytes(std::span(file)), "x.safetensors")); },
                 "x.safetensors", file.size(), GetParam().hints);
}

std::string name_of(const testing::TestParamInfo<BadFile>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(File, SafetensorsZoo, testing::ValuesIn(file_zoo()), name_of);
INSTANTIATE_TEST_SUITE_P(Tensors, SafetensorsZoo, testing::ValuesIn(tensor_zoo()), name_of);

Result<std::vector<TensorEntry>> parse(const std::string& file) {
  return parse_safetensors(std::as_bytes(std::span(file)), "x.safetensors");
}

TEST(SafetensorsZooAsAWhole, EveryProperPrefixIsRefused) {
  const std::string file = safetensors_bytes(kGood, data(24));
  ASSERT_TRUE(parse(file).has_value()) << parse(file).error().message;
  for (size_t n = 0; n < file.size(); ++n) {
    SCOPED_TRACE(n);
    const std::string cut = file.substr(0, n);
    expect_refused([&] { return error_of(parse(cut)); }, "x.safetensors", n, {"byte"});
  }
}

TEST(SafetensorsZooAsAWhole, EveryFlippedBitIsAnswered) {
  std::string file = safetensors_bytes(kGood, data(24));
  for (size_t bit = 0; bit < file.size() * 8; ++bit) {
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ (1 << (bit % 8)));
    const auto tensors = parse(file);
    for (const TensorEntry& t : tensors ? *tensors : std::vector<TensorEntry>()) {
      ASSERT_LE(t.file_offset + t.view.bytes.size(), file.size());
    }
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ (1 << (bit % 8)));
  }
}

TEST(SafetensorsAccepts, TheGoodFile) {
  const std::string file = safetensors_bytes(kGood, data(24));
  const auto tensors = parse(file);
  ASSERT_TRUE(tensors.has_value());
  ASSERT_EQ(tensors->size(), 2U);
  EXPECT_EQ((*tensors)[0].name, "a");
  EXPECT_EQ((*tensors)[0].view.shape, (Shape{2, 2}));
  EXPECT_EQ((*tensors)[1].view.dtype, DType::f16);
  EXPECT_EQ((*tensors)[1].file_offset, file.size() - 8);
}

// Written by the PyPI package safetensors (tests/golden/scripts/make_format_seeds.py).
TEST(SafetensorsAccepts, FileOfThePythonPackage) {
  const auto file =
      read_file(std::string(SMELT_SOURCE_DIR) + "/tests/corpora/safetensors_fuzz/python_safetensors", 4096);
  ASSERT_TRUE(file.has_value()) << file.error().message;
  const auto tensors = parse(*file);
  ASSERT_TRUE(tensors.has_value()) << tensors.error().message;
  ASSERT_EQ(tensors->size(), 3U);
  for (const TensorEntry& tensor : *tensors) {
    if (tensor.name == "h") {
      EXPECT_EQ(tensor.view.shape, (Shape{3}));
      EXPECT_EQ(tensor.view.dtype, DType::f16);
    }
    if (tensor.name == "i") {
      EXPECT_EQ(std::to_integer<int>(tensor.view.bytes[4]), 1);
    }
  }
}

TEST(SafetensorsAccepts, AnyOrderScalarsSpacesAndNoMetadata) {
  const std::string json =
      "{\n \"b\": {\"data_offsets\": [4, 6], \"shape\": [1, 1, 1, 1], \"dtype\": \"BF16\"},\n \"s\": "
      "{\"dtype\":\"F32\",\"shape\":[],"
      "\"data_offsets\":[0,4]}}    ";
  const std::string file = safetensors_bytes(json, data(6));
  const auto tensors = parse(file);
  ASSERT_TRUE(tensors.has_value()) << tensors.error().message;
  EXPECT_EQ((*tensors)[1].view.shape.rank, 0);
}

TEST(SafetensorsAccepts, EmptyHeaderWithoutData) { EXPECT_TRUE(parse(safetensors_bytes("{}", "")).has_value()); }

TEST(SafetensorsAccepts, AHundredThousandTensorsInUnderTwoSeconds) {
  std::string json = "{";
  for (int i = 0; i < 100000; ++i) {
    json += fmt::format("{}\"model.layers.{}.weight\":{{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[{},{}]}}",
                        i == 0 ? "" : ",", i, i, i + 1);
  }
  const std::string file = safetensors_bytes(json + "}", data(100000));
  const auto start = std::chrono::steady_clock::now();
  const auto tensors = parse(file);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  ASSERT_TRUE(tensors.has_value()) << tensors.error().message;
  EXPECT_EQ(tensors->size(), 100000U);
  EXPECT_LT(seconds, 2.0 * kSlower);
}

TEST(SafetensorsWriter, WritesWhatTheReaderReads) {
  const TestFolder folder;
  auto writer = SafetensorsWriter::create(folder.file("m.safetensors"),
                                          {{"x \"quoted\" é", DType::f32, {2, 1}}, {"y", DType::bf16, {3}}},
                                          {{"licence", "line\nline"}}, Overwrite::refuse);
  ASSERT_TRUE(writer.has_value()) << writer.error().message;
  const std::string bytes = data(8);
  ASSERT_TRUE(writer->write(std::as_bytes(std::span(bytes)).first(3)).has_value());
  ASSERT_TRUE(writer->write(std::as_bytes(std::span(bytes)).first(5)).has_value());
  ASSERT_TRUE(writer->next_tensor().has_value());
  ASSERT_TRUE(writer->write(std::as_bytes(std::span(bytes)).first(6)).has_value());
  ASSERT_TRUE(writer->commit().has_value());
  const auto file = MappedFile::open(folder.file("m.safetensors"));
  ASSERT_TRUE(file.has_value());
  EXPECT_EQ((*file)->size(), writer->size());
  const auto tensors = parse_safetensors((*file)->bytes(), "m");
  ASSERT_TRUE(tensors.has_value()) << tensors.error().message;
  EXPECT_EQ((*tensors)[0].name, "x \"quoted\" é");
  EXPECT_EQ((*tensors)[0].file_offset % 8, 0U);
  EXPECT_EQ((*tensors)[1].view.shape, (Shape{3}));
}

TEST(SafetensorsWriter, RefusesWhatCannotBeWritten) {
  const TestFolder folder;
  const auto create = [&](std::vector<TensorDeclaration> tensors) {
    return error_of(SafetensorsWriter::create(folder.file("m.safetensors"), tensors, {}, Overwrite::refuse))
        .value_or(Error{})
        .message;
  };
  using testing::HasSubstr;
  EXPECT_THAT(create({{"q", DType::q4_k, {256}}}), HasSubstr("tensor 'q': safetensors has no type Q4_K"));
  EXPECT_THAT(create({{"a", DType::f32, {1}}, {"a", DType::f32, {1}}}), HasSubstr("'a': declared twice"));
  EXPECT_THAT(create({{"__metadata__", DType::f32, {1}}}), HasSubstr("reserved"));
  EXPECT_THAT(create({{"\xff", DType::f32, {1}}}), HasSubstr("UTF-8"));
  EXPECT_THAT(create({{"h", DType::f16, {1}}, {"f", DType::f32, {1}}}), HasSubstr("wider types first"));
  EXPECT_FALSE(std::filesystem::exists(folder.file("m.safetensors")));
}

}  // namespace
}  // namespace smelt::zoo
