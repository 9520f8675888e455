// Checkpoint::open on real files: detection by content, the llama2.c fixture, and the same model through GGUF and a
// Hugging Face folder. Bad files are in the zoo tests.
#include "formats/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/test_folder.h"
#include "formats/gguf.h"
#include "formats/hf_folder.h"
#include "formats/llama2c.h"
#include "formats/safetensors.h"
#include "formats/zoo_support.h"

namespace smelt {
namespace {

using testing::HasSubstr;

std::string fixture(const std::string& name) {
  return std::string(SMELT_SOURCE_DIR) + "/tests/fixtures/stories260K/" + name;
}

std::vector<TensorDeclaration> declarations_of(const Checkpoint& checkpoint) {
  std::vector<TensorDeclaration> out;
  for (const TensorEntry& t : checkpoint.tensors()) out.push_back({t.name, t.view.dtype, t.view.shape});
  return out;
}

template <class Writer>
void write_all(Writer& writer, const Checkpoint& checkpoint) {
  for (const TensorEntry& t : checkpoint.tensors()) {
    ASSERT_TRUE(writer.write(t.view.bytes).has_value());
    ASSERT_TRUE(writer.next_tensor().has_value());
  }
  const Status done = writer.commit();
  ASSERT_TRUE(done.has_value()) << done.error().message;
}

void expect_same_tensors(const Checkpoint& a, const Checkpoint& b) {
  ASSERT_EQ(a.tensors().size(), b.tensors().size());
  for (const TensorEntry& t : a.tensors()) {
    const TensorEntry* other = b.find_tensor(t.name);
    ASSERT_NE(other, nullptr) << t.name;
    EXPECT_EQ(t.view.dtype, other->view.dtype);
    EXPECT_EQ(t.view.shape, other->view.shape) << t.name;
    ASSERT_EQ(t.view.bytes.size(), other->view.bytes.size());
    EXPECT_EQ(std::memcmp(t.view.bytes.data(), other->view.bytes.data(), t.view.bytes.size()), 0) << t.name;
  }
}

TEST(Checkpoint, OpensStories260K) {
  const auto model = Checkpoint::open(fixture("stories260K.bin"));
  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_EQ(model->format_name(), "llama2.c");
  EXPECT_EQ(model->dialect(), Dialect::gguf);
  const Metadata& m = model->metadata();
  EXPECT_EQ(*m.get_string("general.architecture"), "llama");
  EXPECT_EQ(*m.get_uint("llama.block_count"), 5U);
  EXPECT_EQ(*m.get_uint("llama.embedding_length"), 64U);
  EXPECT_EQ(*m.get_uint("llama.feed_forward_length"), 172U);
  EXPECT_EQ(*m.get_uint("llama.attention.head_count"), 8U);
  EXPECT_EQ(*m.get_uint("llama.attention.head_count_kv"), 4U);
  EXPECT_EQ(*m.get_uint("llama.vocab_size"), 512U);
  EXPECT_EQ(model->tensors().size(), 1 + 5 * 9 + 1U);
  ASSERT_NE(model->find_tensor("blk.4.attn_k.weight"), nullptr);
  EXPECT_EQ(model->find_tensor("blk.4.attn_k.weight")->view.shape, (Shape{32, 64}));
  EXPECT_EQ(model->find_tensor("blk.4.ffn_down.weight")->view.shape, (Shape{64, 172}));
  EXPECT_EQ(model->find_tensor("output.weight"), nullptr);  // tied
  ASSERT_NE(model->find_attachment("tokenizer.bin"), nullptr);
  EXPECT_EQ(model->find_attachment("tokenizer.bin")->bytes.size(), 6227U);
  EXPECT_EQ(model->file_bytes(), 1056540U);
  // The final norm lies before the two RoPE tables, which end the file: 2 x 512 x 4 floats.
  const TensorEntry* norm = model->find_tensor("output_norm.weight");
  ASSERT_NE(norm, nullptr);
  EXPECT_EQ(norm->file_offset, 1056540U - 2 * 512 * 4 * 4 - 64 * 4);
  EXPECT_THAT(model->describe(*norm), HasSubstr("stories260K.bin: tensor 'output_norm.weight' at byte "));
}

TEST(Checkpoint, SurvivesTheWayThroughGguf) {
  TestFolder folder;
  const auto model = Checkpoint::open(fixture("stories260K.bin"));
  ASSERT_TRUE(model.has_value());
  auto writer =
      GgufWriter::create(folder.file("m.gguf"), model->metadata(), declarations_of(*model), Overwrite::refuse);
  ASSERT_TRUE(writer.has_value()) << writer.error().message;
  write_all(*writer, *model);
  const auto again = Checkpoint::open(folder.file("m.gguf"));
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(again->format_name(), "GGUF v3");
  EXPECT_EQ(again->file_bytes(), *gguf_file_bytes(model->metadata(), declarations_of(*model)));
  EXPECT_EQ(again->file_bytes(), writer->size());
  EXPECT_EQ(again->metadata().entries().size(), model->metadata().entries().size());
  expect_same_tensors(*model, *again);
}

TEST(Checkpoint, SurvivesTheWayThroughAHuggingFaceFolder) {
  TestFolder folder;
  const auto model = Checkpoint::open(fixture("stories260K.bin"));
  ASSERT_TRUE(model.has_value());
  auto writer = SafetensorsWriter::create(folder.file("model.safetensors"), declarations_of(*model), {{"format", "pt"}},
                                          Overwrite::refuse);
  ASSERT_TRUE(writer.has_value()) << writer.error().message;
  write_all(*writer, *model);
  Metadata config;
  config.set("model_type", MetaValue::of_string("llama"));
  config.set("rms_norm_eps", MetaValue::of_f32(1e-5F));
  config.set("rope_scaling.factor", MetaValue::of_f64(8));
  folder.write("config.json", format_json_metadata(config));
  folder.write("LICENSE.txt", "MIT");
  const auto again = Checkpoint::open(folder.path());
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(again->dialect(), Dialect::hugging_face);
  EXPECT_EQ(*again->metadata().get_float("rms_norm_eps"), 1e-5);
  EXPECT_EQ(*again->metadata().get_float("rope_scaling.factor"), 8);
  ASSERT_NE(again->find_attachment("LICENSE.txt"), nullptr);
  expect_same_tensors(*model, *again);
}

// Memory that runs out at any point while a model is opened is an error like any other.
TEST(Checkpoint, SurvivesFailingAllocations) {
  TestFolder folder;
  const std::string shard = zoo::safetensors_bytes(R"({"t":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}})", "\1");
  folder.write("hf/config.json", R"({"a": [1, 2], "b": {"c": "a text that is longer than a short string"}})");
  folder.write("hf/a.safetensors", shard);
  folder.write("hf/model.safetensors.index.json", R"({"weight_map": {"t": "a.safetensors"}})");
  folder.write("m.gguf", zoo::GgufSketch().bytes());
  for (const std::string& path : {folder.file("hf"), folder.file("m.gguf"), fixture("stories260K.bin")}) {
    SCOPED_TRACE(path);
    zoo::expect_survives_failing_allocations([&] { return zoo::error_of(Checkpoint::open(path)); });
  }
}

// Files that are large only on paper: holes cost their maker nothing, and must cost the reader nothing either.
TEST(Checkpoint, SparseFilesOf64GiBAreRefusedAtOnce) {
  TestFolder folder;
  using zoo::encode;
  using zoo::gguf_array;
  using zoo::gguf_key;
  const uint64_t huge = uint64_t{1} << 35;
  const std::pair<const char*, std::string> keys[] = {{"string", gguf_key("k", 8, encode(huge))},
                                                      {"bytes", gguf_array("k", 0, huge, "")},
                                                      {"strings", gguf_array("k", 8, uint64_t{1} << 32, "")}};
  for (const auto& [name, key] : keys) {
    SCOPED_TRACE(name);
    zoo::GgufSketch sketch;
    sketch.keys.push_back(key);
    const std::string path = folder.write(std::string(name) + ".gguf", sketch.bytes());
    std::error_code error;
    std::filesystem::resize_file(path, uint64_t{1} << 36, error);
    if (error) GTEST_SKIP() << "no sparse file of 64 GiB here: " << error.message();
    zoo::expect_refused([&] { return zoo::error_of(Checkpoint::open(path)); }, path, 4096, {"key 'k' at byte"});
  }
}

}  // namespace
}  // namespace smelt
