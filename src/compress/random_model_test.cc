// Random models: types as quantizing gives them, bytes that depend on the seed alone, values of the right spread in
// every type, and files that load.
#include "compress/random_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/test_folder.h"
#include "compress/mix_rules.h"
#include "compress/random_shape.h"
#include "compress/random_weights.h"
#include "models/model.h"

namespace smelt {
namespace {

using testing::HasSubstr;

RandomModelOptions options_of(const std::string& shape, const std::string& type, int n_threads = 2) {
  RandomModelOptions options;
  options.shape = shape;
  options.type = type;
  options.n_threads = n_threads;
  return options;
}

TEST(RandomModel, DependsOnTheSeedOnly) {
  const TestFolder folder;
  RandomModelOptions options = options_of("tiny-llama", "Q4_K_M", 1);
  ASSERT_TRUE(make_random_model(folder.file("a"), options, {}));
  options.n_threads = 3;
  ASSERT_TRUE(make_random_model(folder.file("b"), options, {}));
  options.seed = 2;
  ASSERT_TRUE(make_random_model(folder.file("c"), options, {}));
  EXPECT_EQ(folder.read("a"), folder.read("b"));
  EXPECT_EQ(folder.read("a").size(), folder.read("c").size());
  EXPECT_NE(folder.read("a"), folder.read("c"));
}

TEST(RandomModel, LoadsInEveryMix) {
  for (const MixInfo& mix : all_mixes()) {
    SCOPED_TRACE(mix.name);
    const TestFolder folder;
    const auto plan = make_random_model(folder.file("m.gguf"), options_of("tiny-llama", mix.name), {});
    ASSERT_TRUE(plan) << plan.error().message;
    auto opened = Checkpoint::open(folder.file("m.gguf"));
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_EQ(opened->file_bytes(), plan->file_bytes);
    const auto checkpoint = std::make_shared<const Checkpoint>(std::move(*opened));
    const auto model = Model::load(checkpoint);
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_EQ((*model)->config().n_layers, 2);
    const auto tokenizer = load_tokenizer(*checkpoint);
    ASSERT_TRUE(tokenizer) << tokenizer.error().message;
    EXPECT_EQ((*tokenizer)->n_vocab(), 320);
  }
}

TEST(RandomModel, QuantizingItAgainChangesNoType) {
  const TestFolder folder;
  ASSERT_TRUE(make_random_model(folder.file("f16.gguf"), options_of("tiny-llama", "F16"), {}));
  ASSERT_TRUE(make_random_model(folder.file("random.gguf"), options_of("tiny-llama", "Q3_K_M"), {}));
  QuantizeOptions options;
  options.type = "Q3_K_M";
  ASSERT_TRUE(quantize_model(folder.file("f16.gguf"), folder.file("quantized.gguf"), options, {}));
  const auto random = Checkpoint::open(folder.file("random.gguf"));
  const auto quantized = Checkpoint::open(folder.file("quantized.gguf"));
  ASSERT_TRUE(random && quantized);
  ASSERT_EQ(random->tensors().size(), quantized->tensors().size());
  for (const TensorEntry& tensor : quantized->tensors()) {
    const TensorEntry* other = random->find_tensor(tensor.name);
    ASSERT_NE(other, nullptr) << tensor.name;
    EXPECT_EQ(other->view.dtype, tensor.view.dtype) << tensor.name;
    EXPECT_EQ(other->view.shape, tensor.view.shape) << tensor.name;
  }
}

TEST(RandomModel, Qwen2HasBiasesAndItsOwnKeys) {
  const TestFolder folder;
  ASSERT_TRUE(make_random_model(folder.file("q.gguf"), options_of("tiny-qwen2", "Q8_0"), {}));
  const auto opened = Checkpoint::open(folder.file("q.gguf"));
  ASSERT_TRUE(opened);
  const auto n_layers = opened->metadata().get_uint("qwen2.block_count");
  ASSERT_TRUE(n_layers);
  EXPECT_EQ(*n_layers, 2U);
  for (const char* name : {"blk.0.attn_q.bias", "blk.1.attn_k.bias", "blk.1.attn_v.bias"}) {
    const TensorEntry* bias = opened->find_tensor(name);
    ASSERT_NE(bias, nullptr) << name;
    EXPECT_EQ(bias->view.dtype, DType::f32);
  }
  EXPECT_EQ(opened->find_tensor("rope_freqs.weight"), nullptr);
  EXPECT_NE(opened->find_tensor("output.weight"), nullptr);
}

TEST(RandomModel, RefusesUnknownShapes) {
  const TestFolder folder;
  const auto refused = make_random_model(folder.file("m"), options_of("llama-3.2-1c", "Q8_0"), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::usage);
  EXPECT_THAT(refused.error().message, HasSubstr("did you mean llama-3.2-1b"));
}

TEST(RandomShape, HaveTheParametersOfTheirNames) {
  std::set<std::string_view> names;
  for (const RandomShape& shape : all_random_shapes()) {
    EXPECT_TRUE(names.insert(shape.name).second) << shape.name;
    EXPECT_EQ(shape.n_heads % shape.n_kv_heads, 0) << shape.name;
  }
  const struct {
    const char* name;
    double millions;
  } published[] = {{"llama-3.2-1b", 1235.8},   {"llama-3.2-3b", 3212.7}, {"llama-3.1-8b", 8030.3},
                   {"tinyllama-1.1b", 1100.0}, {"smollm2-135m", 134.5},  {"smollm2-360m", 361.8},
                   {"smollm2-1.7b", 1711.4},   {"qwen2.5-0.5b", 494.0},  {"qwen2.5-1.5b", 1543.7},
                   {"mistral-7b", 7248.0}};
  for (const auto& [name, millions] : published) {
    const CanonicalModel model = make_shape_model(*find_random_shape(name));
    double values = 0;
    for (const CanonicalTensor& tensor : model.tensors) values += static_cast<double>(tensor.shape.values());
    EXPECT_NEAR(values / 1e6, millions, 0.06) << name;
  }
}

TEST(RandomWeights, HaveTheSpreadInEveryType) {
  ThreadPool threads(2);
  RandomWeights weights(7, threads);
  constexpr int64_t kColumns = 256 * 40;
  std::vector<float> values(kColumns);
  for (const MixInfo& mix : all_mixes()) {
    const DTypeInfo& info = dtype_info(mix.base);
    weights.prepare(mix.base);
    std::vector<std::byte> row(*row_bytes(mix.base, kColumns)), other(row.size());
    weights.row_into(mix.base, 3, 5, kColumns, row.data());
    weights.row_into(mix.base, 3, 6, kColumns, other.data());
    EXPECT_NE(row, other) << info.name;
    info.decode(row.data(), values.data(), kColumns);
    double sum = 0, squares = 0;
    for (const float v : values) {
      sum += v;
      squares += static_cast<double>(v) * v;
    }
    EXPECT_NEAR(sum / kColumns, 0, 0.001) << info.name;  // five standard errors
    EXPECT_NEAR(std::sqrt(squares / kColumns), 0.02, 0.0015) << info.name;
  }
}

}  // namespace
}  // namespace smelt
