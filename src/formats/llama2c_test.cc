// llama2.c checkpoints: all three versions read, int8 groups as Q8_0, and a zoo of bad headers.
#include "formats/llama2c.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/test_folder.h"
#include "formats/byte_reader.h"
#include "formats/zoo_support.h"

namespace smelt::zoo {
namespace {

constexpr int32_t kInt32Min = -2147483647 - 1;
constexpr int32_t kInt32Max = 2147483647;

// dim 64 of 4 heads, 2 of them with keys and values, so that groups of 32 and 64 fit; counts up through its values.
struct Llama2cSketch {
  int32_t version = 0;
  int32_t fields[7] = {64, 96, 2, 4,
                       2,  10, 16};  // dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, max_seq_len
  uint8_t tied = 1;
  int32_t group = 32;
  int64_t n_extra_bytes = 0;

  std::string bytes() const {
    ByteWriter writer;
    if (version != 0) writer.put_text("24ka");
    if (version != 0) writer.put(version);
    for (const int32_t field : fields) writer.put(field);
    if (version != 0) writer.put(tied);
    if (version == 2) writer.put(group);
    if (version != 0) writer.pad_to_multiple(256);
    std::string out = writer.take();
    put_data(out);
    out.resize(static_cast<size_t>(static_cast<int64_t>(out.size()) + n_extra_bytes), '\0');
    return out;
  }

 private:
  static constexpr int64_t kDim = 64, kHidden = 96, kLayers = 2, kKv = 32, kVocab = 10, kContext = 16;
  // Of the default dimensions, whatever the fields say.
  void put_data(std::string& out) const {
    const int64_t matrices = kVocab * kDim + kLayers * (2 * kDim * kDim + 2 * kKv * kDim + 3 * kHidden * kDim);
    const int64_t norms = kLayers * 2 * kDim + kDim;
    const bool has_head = version == 0 ? fields[5] < 0 : tied == 0;
    const int64_t head = has_head ? kVocab * kDim : 0;
    if (version == 2) {
      put_floats(out, norms);
      put_int8(out, matrices + head);
    } else {
      put_floats(out, matrices + norms + head + (version == 0 ? kContext * 16 : 0));
    }
  }
  static void put_floats(std::string& out, int64_t n) {
    for (int64_t i = 0; i < n; ++i) out += encode(static_cast<float>(i));
  }
  // The data of all int8 tensors, each followed by its scales: 1, 1/2, 1/4 … in turn by group.
  void put_int8(std::string& out, int64_t total) const {
    const int64_t sizes[] = {kVocab * kDim,  kDim * kDim,    kDim * kDim,    kKv * kDim,
                             kKv * kDim,     kKv * kDim,     kKv * kDim,     kDim * kDim,
                             kDim * kDim,    kHidden * kDim, kHidden * kDim, kHidden * kDim,
                             kHidden * kDim, kHidden * kDim, kHidden * kDim, kVocab * kDim};
    for (const int64_t size : sizes) {
      if (total < size) break;
      total -= size;
      for (int64_t i = 0; i < size; ++i) out += static_cast<char>(i % 255 - 127);
      for (int64_t g = 0; g < size / group; ++g) out += encode(std::ldexp(1.0F, -static_cast<int>(g % 8)));
    }
  }
};

Result<Checkpoint::Parts> parse(const std::string& file) {
  return parse_llama2c(std::as_bytes(std::span(file)), "m.bin");
}

const TensorEntry& find(const Checkpoint::Parts& parts, const std::string& name) {
  for (const TensorEntry& tensor : parts.tensors) {
    if (tensor.name == name) return tensor;
  }
  ADD_FAILURE() << name << " is missing";
  return parts.tensors.front();
}

TEST(Llama2c, OldFormWithItsOwnHead) {
  Llama2cSketch sketch;
  sketch.fields[5] = -10;
  const std::string file = sketch.bytes();
  const auto parts = parse(file);
  ASSERT_TRUE(parts.has_value()) << parts.error().message;
  EXPECT_EQ(parts->format_name, "llama2.c");
  EXPECT_EQ(parts->tensors.size(), 2 * 9 + 3U);
  const TensorEntry& head = find(*parts, "output.weight");
  EXPECT_EQ(head.view.shape, (Shape{10, 64}));
  EXPECT_EQ(head.file_offset + head.view.bytes.size(), file.size());
  EXPECT_EQ(*parts->metadata.get_uint("llama.vocab_size"), 10U);
}

TEST(Llama2c, Version1HasTheNormsFirst) {
  for (const uint8_t tied : {uint8_t{0}, uint8_t{1}}) {
    Llama2cSketch sketch{.version = 1, .tied = tied};
    const std::string file = sketch.bytes();
    const auto parts = parse(file);
    ASSERT_TRUE(parts.has_value()) << parts.error().message;
    EXPECT_EQ(parts->format_name, "llama2.c v1");
    EXPECT_EQ(find(*parts, "blk.0.attn_norm.weight").file_offset, 256U);
    EXPECT_EQ(find(*parts, "blk.1.ffn_norm.weight").file_offset, 256U + 3 * 64 * 4);
    EXPECT_EQ(find(*parts, "token_embd.weight").file_offset, 256U + 5 * 64 * 4);
    EXPECT_EQ(parts->tensors.size(), 2 * 9 + 2U + (tied == 0 ? 1 : 0));
  }
}

TEST(Llama2c, Version2BecomesQ8_0) {
  const std::string file = Llama2cSketch{.version = 2, .tied = 0}.bytes();
  const auto parts = parse(file);
  ASSERT_TRUE(parts.has_value()) << parts.error().message;
  EXPECT_EQ(parts->format_name, "llama2.c v2");
  const TensorEntry& k = find(*parts, "blk.1.attn_k.weight");
  EXPECT_EQ(k.view.dtype, DType::q8_0);
  EXPECT_EQ(k.view.shape, (Shape{32, 64}));
  ASSERT_EQ(k.view.bytes.size(), 32U * 64 / 32 * 34);
  std::vector<float> row(64);
  k.view.decode_row_into(5, row.data());
  for (int64_t i = 0; i < 64; ++i) {
    const int64_t at = 5 * 64 + i;
    const float expected = static_cast<float>(at % 255 - 127) * std::ldexp(1.0F, -static_cast<int>(at / 32 % 8));
    ASSERT_EQ(row[static_cast<size_t>(i)], expected) << i;
  }
  EXPECT_EQ(find(*parts, "blk.1.attn_norm.weight").view.dtype, DType::f32);
}

TEST(Llama2c, GroupsOf64BecomeTwoBlocks) {
  Llama2cSketch sketch{.version = 2, .group = 64};
  sketch.fields[1] = 64;  // a hidden_dim that 64 divides; the data is rebuilt for it below
  ByteWriter writer;
  std::string file = sketch.bytes().substr(0, 256);
  const int64_t sizes[] = {640, 4096, 4096, 2048, 2048, 2048, 2048, 4096, 4096, 4096, 4096, 4096, 4096, 4096, 4096};
  file.resize(256 + 5 * 64 * 4, '\0');
  for (const int64_t size : sizes) {
    for (int64_t i = 0; i < size; ++i) file += static_cast<char>(i % 100);
    for (int64_t g = 0; g < size / 64; ++g) file += encode(static_cast<float>(g % 7));
  }
  const auto parts = parse(file);
  ASSERT_TRUE(parts.has_value()) << parts.error().message;
  std::vector<float> row(64);
  find(*parts, "blk.0.ffn_up.weight").view.decode_row_into(3, row.data());
  for (int64_t i = 0; i < 64; ++i) ASSERT_EQ(row[static_cast<size_t>(i)], static_cast<float>((3 * 64 + i) % 100 * 3));
}

TEST(Llama2c, TokenizerBesideTheModelIsAttached) {
  const TestFolder folder;
  folder.write("m.bin", Llama2cSketch().bytes());
  {
    const LogCapture log;
    const auto model = Checkpoint::open(folder.file("m.bin"));
    ASSERT_TRUE(model.has_value()) << model.error().message;
    EXPECT_EQ(model->find_attachment("tokenizer.bin"), nullptr);
    ASSERT_EQ(log.lines().size(), 1U);
    EXPECT_THAT(log.lines()[0], testing::HasSubstr("no tokenizer.bin or tok10.bin"));
  }
  folder.write("tok10.bin", "by size");
  EXPECT_EQ(Checkpoint::open(folder.file("m.bin"))->find_attachment("tokenizer.bin")->bytes, "by size");
  folder.write("tokenizer.bin", "by name");
  EXPECT_EQ(Checkpoint::open(folder.file("m.bin"))->find_attachment("tokenizer.bin")->bytes, "by name");
}

struct BadModel {
  const char* name;
  std::function<void(Llama2cSketch&)> spoil;
  std::vector<std::string> hints;
};

std::function<void(Llama2cSketch&)> field(int index, int32_t value) {
  return [=](Llama2cSketch& s) { s.fields[index] = value; };
}
std::function<void(Llama2cSketch&)> in_version(int32_t version, std::function<void(Llama2cSketch&)> spoil) {
  return [=](Llama2cSketch& s) {
    s.version = version;
    spoil(s);
  };
}

const std::vector<BadModel>& model_zoo() {
  static const std::vector<BadModel> zoo = {
      {"dim_0", field(0, 0), {"'dim' at byte 0", "it is 0"}},
      {"dim_1", field(0, 1), {"'dim' at byte 0"}},
      {"dim_negative", field(0, -64), {"'dim' at byte 0", "-64"}},
      {"dim_max", field(0, kInt32Max), {"'dim' at byte 0"}},
      {"hidden_dim_0", field(1, 0), {"'hidden_dim' at byte 4"}},
      {"hidden_dim_min", field(1, kInt32Min), {"'hidden_dim' at byte 4"}},
      {"n_layers_0", field(2, 0), {"'n_layers' at byte 8"}},
      {"n_layers_max", field(2, kInt32Max), {"'n_layers' at byte 8"}},
      {"n_layers_513", field(2, 513), {"truncated"}},
      {"n_heads_0", field(3, 0), {"'n_heads' at byte 12"}},
      {"n_heads_3", field(3, 3), {"'n_heads' at byte 12"}},
      {"n_heads_odd_size", in_version(0, [](auto& s) { s.fields[0] = 60; }), {"'n_heads' at byte 12", "even"}},
      {"n_heads_max", field(3, kInt32Max), {"'n_heads' at byte 12"}},
      {"n_kv_heads_0", field(4, 0), {"'n_kv_heads' at byte 16"}},
      {"n_kv_heads_3", field(4, 3), {"'n_kv_heads' at byte 16"}},
      {"n_kv_heads_8", field(4, 8), {"'n_kv_heads' at byte 16"}},
      {"vocab_size_0", field(5, 0), {"'vocab_size' at byte 20"}},
      {"vocab_size_min", field(5, kInt32Min), {"'vocab_size' at byte 20"}},
      {"vocab_size_max", field(5, kInt32Max), {"'vocab_size' at byte 20"}},
      {"vocab_size_negated",
       [](auto& s) {
         s.fields[5] = -10;
         s.n_extra_bytes = -4;
       },
       {"truncated"}},
      {"vocab_size_large", field(5, 11), {"truncated", "11 tokens"}},
      {"max_seq_len_0", field(6, 0), {"'max_seq_len' at byte 24"}},
      {"max_seq_len_negative", field(6, -1), {"'max_seq_len' at byte 24"}},
      {"max_seq_len_large", field(6, 17), {"truncated"}},
      {"sizes_huge",
       [](auto& s) {
         for (const int i : {0, 1, 5, 6}) s.fields[i] = 1 << 24;
         s.fields[2] = 65536;
       },
       {"at byte"}},
      {"data_cut", [](auto& s) { s.n_extra_bytes = -1; }, {"truncated"}},
      {"data_appended", [](auto& s) { s.n_extra_bytes = 1; }, {"appended"}},
      {"v1_data_cut", in_version(1, [](auto& s) { s.n_extra_bytes = -1; }), {"truncated"}},
      {"v1_tied_2", in_version(1, [](auto& s) { s.tied = 2; }), {"'shared_classifier' at byte 36"}},
      {"v1_head_missing",
       in_version(1,
                  [](auto& s) {
                    s.tied = 0;
                    s.n_extra_bytes = -2560;
                  }),
       {"truncated"}},
      {"v1_negative_vocab", in_version(1, field(5, -10)), {"'vocab_size' at byte 28"}},
      {"version_3", in_version(3, [](auto&) {}), {"'version' at byte 4", "3"}},
      {"version_negative", in_version(-1, [](auto&) {}), {"'version' at byte 4", "-1"}},
      {"v2_group_1", in_version(2, [](auto& s) { s.group = 1; }), {"'group_size' at byte 37", "Q8_0"}},
      {"v2_group_48", in_version(2, [](auto& s) { s.group = 48; }), {"'group_size' at byte 37", "48"}},
      {"v2_group_64_of_96", in_version(2, [](auto& s) { s.group = 64; }), {"'group_size' at byte 37", "rows of 96"}},
      {"v2_group_max", in_version(2, [](auto& s) { s.group = kInt32Max; }), {"'group_size' at byte 37"}},
  };
  return zoo;
}

class Llama2cZoo : public testing::TestWithParam<BadModel> {};
TEST_P(Llama2cZoo, Refuses) {
  Llama2cSketch sketch;
  GetParam().spoil(sketch);
  const std::string file = sketch.bytes();
  expect_refused([&] { return error_of(parse(file)); }, "m.bin", file.size(), GetParam().hints);
}
INSTANTIATE_TEST_SUITE_P(Header, Llama2cZoo, testing::ValuesIn(model_zoo()),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(Llama2cZooAsAWhole, GroupZeroAndNegativeAreRefused) {
  for (const int32_t group : {0, -32, kInt32Min}) {
    Llama2cSketch sketch{.version = 2};
    std::string file = sketch.bytes();
    const std::string field_bytes = encode(group);
    std::copy(field_bytes.begin(), field_bytes.end(), file.begin() + 37);
    expect_refused([&] { return error_of(parse(file)); }, "m.bin", file.size(), {"'group_size' at byte 37"});
  }
}

TEST(Llama2cZooAsAWhole, EveryPrefixOfTheHeaderIsRefused) {
  for (const int32_t version : {0, 1, 2}) {
    const std::string file = Llama2cSketch{.version = version}.bytes();
    for (size_t n = 0; n < 400; ++n) {
      SCOPED_TRACE(n);
      const std::string cut = file.substr(0, n);
      expect_refused([&] { return error_of(parse(cut)); }, "m.bin", n, {"at byte"});
    }
  }
}

}  // namespace
}  // namespace smelt::zoo
