// The zoo of models whose files are well-formed and whose contents are wrong: hyper-parameters of GGUF files and of
// config.json, and tensors that do not fit them. Each is refused in one line that names file, key and place, value and
// what is allowed; the odd ones that are right are loaded. Broken files are the business of formats/.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/test_folder.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "models/model.h"

namespace smelt {
namespace {

using Hints = std::vector<std::string>;
using Json = nlohmann::ordered_json;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

struct Sketch {
  Metadata metadata;  // GGUF
  Json config;        // Hugging Face
  std::vector<TensorDeclaration> tensors;
  float value = 0.5F;  // of every F32 element

  TensorDeclaration& tensor(std::string_view name) {
    return *std::find_if(tensors.begin(), tensors.end(), [&](const auto& t) { return t.name == name; });
  }
  void drop(std::string_view name) {
    std::erase_if(tensors, [&](const auto& t) { return t.name == name; });
  }
};

// One layer of two heads that share their keys: d_model 8, d_head 4, d_ff 12, six tokens.
Sketch good_gguf() {
  Sketch s;
  s.metadata.set("general.architecture", MetaValue::of_string("llama"));
  const std::pair<const char*, uint32_t> counts[] = {
      {"block_count", 1},          {"context_length", 64},         {"embedding_length", 8}, {"feed_forward_length", 12},
      {"attention.head_count", 2}, {"attention.head_count_kv", 1}, {"vocab_size", 6}};
  for (const auto& [key, value] : counts) s.metadata.set(std::string("llama.") + key, MetaValue::of_u32(value));
  s.metadata.set("llama.attention.layer_norm_rms_epsilon", MetaValue::of_f32(1e-5F));
  s.tensors = {{"token_embd.weight", DType::f32, {6, 8}},        {"output_norm.weight", DType::f32, {8}},
               {"blk.0.attn_norm.weight", DType::f32, {8}},      {"blk.0.attn_q.weight", DType::f32, {8, 8}},
               {"blk.0.attn_k.weight", DType::f32, {4, 8}},      {"blk.0.attn_v.weight", DType::f32, {4, 8}},
               {"blk.0.attn_output.weight", DType::f32, {8, 8}}, {"blk.0.ffn_norm.weight", DType::f32, {8}},
               {"blk.0.ffn_gate.weight", DType::f32, {12, 8}},   {"blk.0.ffn_up.weight", DType::f32, {12, 8}},
               {"blk.0.ffn_down.weight", DType::f32, {8, 12}}};
  return s;
}

Sketch good_folder() {
  Sketch s;
  s.config = {{"architectures", {"LlamaForCausalLM"}},
              {"hidden_size", 8},
              {"intermediate_size", 12},
              {"max_position_embeddings", 64},
              {"num_attention_heads", 2},
              {"num_hidden_layers", 1},
              {"num_key_value_heads", 1},
              {"rms_norm_eps", 1e-5},
              {"tie_word_embeddings", true},
              {"vocab_size", 6}};
  const std::string layer = "model.layers.0.";
  s.tensors = {{"model.embed_tokens.weight", DType::f32, {6, 8}},
               {"model.norm.weight", DType::f32, {8}},
               {layer + "input_layernorm.weight", DType::f32, {8}},
               {layer + "self_attn.q_proj.weight", DType::f32, {8, 8}},
               {layer + "self_attn.k_proj.weight", DType::f32, {4, 8}},
               {layer + "self_attn.v_proj.weight", DType::f32, {4, 8}},
               {layer + "self_attn.o_proj.weight", DType::f32, {8, 8}},
               {layer + "post_attention_layernorm.weight", DType::f32, {8}},
               {layer + "mlp.gate_proj.weight", DType::f32, {12, 8}},
               {layer + "mlp.up_proj.weight", DType::f32, {12, 8}},
               {layer + "mlp.down_proj.weight", DType::f32, {8, 12}}};
  return s;
}

// The same as a Qwen2 model, which has biases on queries, keys and values.
Sketch good_qwen2_folder() {
  Sketch s = good_folder();
  s.config["architectures"] = {"Qwen2ForCausalLM"};
  s.config["sliding_window"] = 32;
  s.config["use_sliding_window"] = false;
  s.config["layer_types"] = Json::array({"full_attention"});
  const std::string attention = "model.layers.0.self_attn.";
  s.tensors.push_back({attention + "q_proj.bias", DType::f32, {8}});
  s.tensors.push_back({attention + "k_proj.bias", DType::f32, {4}});
  s.tensors.push_back({attention + "v_proj.bias", DType::f32, {4}});
  return s;
}

template <class Writer>
Status write_data(Writer writer, const Sketch& s) {
  for (size_t i = 0; i < s.tensors.size(); ++i) {
    if (i > 0) SMELT_TRY(writer.next_tensor());
    const TensorDeclaration& t = s.tensors[i];
    const uint64_t n =
        static_cast<uint64_t>(t.shape.rows()) * *row_bytes(t.dtype, static_cast<uint64_t>(t.shape.columns()));
    std::vector<float> values(n / sizeof(float), t.dtype == DType::f32 ? s.value : 0.0F);
    std::vector<std::byte> bytes(n);
    std::memcpy(bytes.data(), values.data(), values.size() * sizeof(float));
    SMELT_TRY(writer.write(bytes));
  }
  return writer.commit();
}

// Written to disk and opened again, so that keys have places.
std::string save_gguf(const TestFolder& folder, const Sketch& s) {
  auto writer = GgufWriter::create(folder.file("m.gguf"), s.metadata, s.tensors, Overwrite::refuse);
  EXPECT_TRUE(writer) << writer.error().message;
  const Status done = write_data(std::move(*writer), s);
  EXPECT_TRUE(done) << done.error().message;
  return folder.file("m.gguf");
}
std::string save_folder(const TestFolder& folder, const Sketch& s) {
  folder.write("m/config.json", s.config.dump(1));
  auto writer = SafetensorsWriter::create(folder.file("m/model.safetensors"), s.tensors, {}, Overwrite::refuse);
  EXPECT_TRUE(writer) << writer.error().message;
  const Status done = write_data(std::move(*writer), s);
  EXPECT_TRUE(done) << done.error().message;
  return folder.file("m");
}

Result<std::shared_ptr<const Model>> load(const std::string& path) {
  SMELT_ASSIGN(Checkpoint checkpoint, Checkpoint::open(path));
  return Model::load(std::make_shared<const Checkpoint>(std::move(checkpoint)));
}

void expect_refused(const std::string& path, const Hints& hints) {
  const auto model = load(path);
  ASSERT_FALSE(model) << "was accepted";
  const std::string& message = model.error().message;
  EXPECT_EQ(model.error().kind, ErrorKind::input) << message;
  EXPECT_TRUE(message.starts_with(path)) << message;
  EXPECT_TRUE(std::none_of(message.begin(), message.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }))
      << message;
  EXPECT_LT(message.size(), 600U) << message;
  for (const std::string& hint : hints) EXPECT_THAT(message, testing::HasSubstr(hint));
}

struct BadModel {
  std::string name;
  std::function<void(Sketch&)> spoil;
  Hints hints;
};

std::function<void(Sketch&)> key(const std::string& name, const MetaValue& value) {
  return [=](Sketch& s) { s.metadata.set(name, value); };
}
std::function<void(Sketch&)> count(const std::string& name, uint32_t value) {
  return key("llama." + name, MetaValue::of_u32(value));
}
std::function<void(Sketch&)> number(const std::string& name, float value) {
  return key("llama." + name, MetaValue::of_f32(value));
}
std::function<void(Sketch&)> without_key(const std::string& name) {
  return [=](Sketch& s) { s.metadata.erase(name); };
}
std::function<void(Sketch&)> without(const std::string& tensor) {
  return [=](Sketch& s) { s.drop(tensor); };
}
std::function<void(Sketch&)> shaped(const std::string& tensor, const Shape& shape, DType dtype = DType::f32) {
  return [=](Sketch& s) {
    s.tensor(tensor).shape = shape;
    s.tensor(tensor).dtype = dtype;
  };
}

// LONG: a table.
std::vector<BadModel> gguf_zoo() {
  const std::string heads = "'llama.attention.head_count' at byte ";
  const std::string heads_kv = "'llama.attention.head_count_kv' at byte ";
  const std::string layers = "'llama.block_count' at byte ";
  const std::string eps = "'llama.attention.layer_norm_rms_epsilon' at byte ";
  const std::string base = "'llama.rope.freq_base' at byte ";
  return {
      {"hp_architecture_missing", without_key("general.architecture"), {"'general.architecture' is missing"}},
      {"hp_architecture_number",
       key("general.architecture", MetaValue::of_u32(1)),
       {"'general.architecture' at byte ", "uint32", "wanted string"}},
      {"hp_architecture_unknown",
       key("general.architecture", MetaValue::of_string("lama")),
       {"'lama'", "supported: llama"}},
      {"hp_architecture_escapes",
       key("general.architecture", MetaValue::of_string("\x1b[2J\n")),
       {"\\x1b[2J\\x0a", "supported"}},
      {"hp_block_count_missing", without_key("llama.block_count"), {"'llama.block_count' is missing"}},
      {"hp_block_count_0", count("block_count", 0), {layers, "is 0", "allowed 1 … 512"}},
      {"hp_block_count_2", count("block_count", 2), {layers, "is 2", "1 layers"}},
      {"hp_block_count_513", count("block_count", 513), {layers, "is 513", "allowed 1 … 512"}},
      {"hp_block_count_max", count("block_count", ~0U), {layers, "is 4294967295", "allowed 1 … 512"}},
      {"hp_block_count_negative", key("llama.block_count", MetaValue::of_i32(-1)), {layers, "is -1", "at least 0"}},
      {"hp_block_count_string", key("llama.block_count", MetaValue::of_string("1")), {layers, "string", "wanted an"}},
      {"hp_block_count_float", number("block_count", 1.0F), {layers, "float32", "wanted an unsigned integer"}},
      {"hp_block_count_bool", key("llama.block_count", MetaValue::of_bool(true)), {layers, "bool"}},
      {"hp_block_count_array", key("llama.block_count", MetaValue::of_i32s({1})), {layers, "array"}},
      {"hp_block_count_u64_max", key("llama.block_count", MetaValue::of_u64(~uint64_t{0})), {layers, "is 1844674407"}},
      {"hp_embedding_length_0", count("embedding_length", 0), {"'llama.embedding_length' at byte ", "is 0"}},
      {"hp_embedding_length_31", count("embedding_length", 31), {heads, "divisor of llama.embedding_length = 31"}},
      {"hp_embedding_length_16", count("embedding_length", 16), {"'token_embd.weight' at byte ", "6 x 8", "6 x 16"}},
      {"hp_embedding_length_max", count("embedding_length", ~0U), {"'llama.embedding_length' at byte ", "allowed"}},
      {"hp_feed_forward_0", count("feed_forward_length", 0), {"'llama.feed_forward_length' at byte ", "is 0"}},
      {"hp_feed_forward_63",
       count("feed_forward_length", 63),
       {"'blk.0.ffn_gate.weight' at byte ", "12 x 8", "63 x 8"}},
      {"hp_feed_forward_max", count("feed_forward_length", ~0U), {"'llama.feed_forward_length' at byte ", "allowed"}},
      {"hp_feed_forward_by_layer",
       key("llama.feed_forward_length", MetaValue::of_i32s({12})),
       {"'llama.feed_forward_length' at byte ", "array"}},
      {"hp_head_count_0", count("attention.head_count", 0), {heads, "is 0", "allowed 1 … 65536"}},
      {"hp_head_count_3", count("attention.head_count", 3), {heads, "is 3", "divisor"}},
      {"hp_head_count_8", count("attention.head_count", 8), {heads, "is 8", "heads of 1 values", "even"}},
      {"hp_head_count_max", count("attention.head_count", ~0U), {heads, "is 4294967295", "allowed"}},
      {"hp_head_count_missing", without_key("llama.attention.head_count"), {"head_count' is missing"}},
      {"hp_head_count_by_layer", key("llama.attention.head_count", MetaValue::of_i32s({2})), {heads, "array"}},
      {"hp_head_count_kv_0", count("attention.head_count_kv", 0), {heads_kv, "is 0", "allowed"}},
      {"hp_head_count_kv_3", count("attention.head_count_kv", 3), {heads_kv, "is 3", "divisor"}},
      {"hp_head_count_kv_2", count("attention.head_count_kv", 2), {"'blk.0.attn_k.weight' at byte ", "4 x 8", "8 x 8"}},
      {"hp_key_length_0", count("attention.key_length", 0), {"key_length' at byte ", "is 0", "allowed"}},
      {"hp_key_length_3", count("attention.key_length", 3), {"key_length' at byte ", "is 3", "even"}},
      {"hp_key_length_8193", count("attention.key_length", 8193), {"key_length' at byte ", "is 8193", "allowed"}},
      {"hp_key_length_6", count("attention.key_length", 6), {"'blk.0.attn_q.weight' at byte ", "12 x 8"}},
      {"hp_value_length_6", count("attention.value_length", 6), {"value_length' at byte ", "is 6", "key length 4"}},
      {"hp_context_missing", without_key("llama.context_length"), {"'llama.context_length' is missing"}},
      {"hp_context_0", count("context_length", 0), {"'llama.context_length' at byte ", "is 0"}},
      {"hp_context_2p32",
       key("llama.context_length", MetaValue::of_u64(uint64_t{1} << 32)),
       {"'llama.context_length' at byte ", "is 4294967296", "allowed"}},
      {"hp_vocab_size_5", count("vocab_size", 5), {"'llama.vocab_size' at byte ", "is 5", "6 rows"}},
      {"hp_vocab_size_7", count("vocab_size", 7), {"'llama.vocab_size' at byte ", "is 7", "6 rows"}},
      {"hp_vocab_size_0", count("vocab_size", 0), {"'llama.vocab_size' at byte ", "is 0"}},
      {"hp_tokens_5",
       key("tokenizer.ggml.tokens", MetaValue::of_strings({"a", "b", "c", "d", "e"})),
       {"'tokenizer.ggml.tokens' at byte ", "5 tokens", "6"}},
      {"hp_eps_nan", number("attention.layer_norm_rms_epsilon", kNan), {eps, "nan", "allowed 0 … 1"}},
      {"hp_eps_inf", number("attention.layer_norm_rms_epsilon", kInf), {eps, "inf", "allowed 0 … 1"}},
      {"hp_eps_negative", number("attention.layer_norm_rms_epsilon", -1e-5F), {eps, "-1e-05", "allowed 0 … 1"}},
      {"hp_eps_string",
       key("llama.attention.layer_norm_rms_epsilon", MetaValue::of_string("1e-5")),
       {eps, "string", "number"}},
      {"hp_rope_base_nan", number("rope.freq_base", kNan), {base, "nan", "allowed"}},
      {"hp_rope_base_inf", number("rope.freq_base", kInf), {base, "inf", "allowed"}},
      {"hp_rope_base_negative", number("rope.freq_base", -10000), {base, "-10000", "allowed"}},
      {"hp_rope_base_0", number("rope.freq_base", 0), {base, "is 0", "allowed"}},
      {"hp_rope_dim_0", count("rope.dimension_count", 0), {"dimension_count' at byte ", "is 0", "allowed"}},
      {"hp_rope_dim_3", count("rope.dimension_count", 3), {"dimension_count' at byte ", "is 3", "even"}},
      {"hp_rope_dim_6", count("rope.dimension_count", 6), {"dimension_count' at byte ", "is 6", "2 … 4"}},
      {"hp_rope_scaling_unknown",
       key("llama.rope.scaling.type", MetaValue::of_string("spiral")),
       {"'llama.rope.scaling.type' at byte ", "'spiral'", "'linear'"}},
      {"hp_rope_factor_nan", number("rope.scaling.factor", kNan), {"scaling.factor' at byte ", "nan"}},
      {"hp_rope_factor_negative", number("rope.scaling.factor", -2), {"scaling.factor' at byte ", "-2"}},
      {"hp_experts", count("expert_count", 8), {"'llama.expert_used_count' is missing"}},
      {"hp_experts_used",
       [](Sketch& s) {
         s.metadata.set("llama.expert_count", MetaValue::of_u32(8));
         s.metadata.set("llama.expert_used_count", MetaValue::of_u32(9));
       },
       {"'llama.expert_used_count' at byte ", "is 9", "1 … 8"}},
      {"hp_experts_without_tensors",
       [](Sketch& s) {
         s.metadata.set("llama.expert_count", MetaValue::of_u32(8));
         s.metadata.set("llama.expert_used_count", MetaValue::of_u32(2));
       },
       {"'blk.0.ffn_gate_inp.weight' is missing"}},
      {"hp_rope_freqs_long",
       [](Sketch& s) {
         s.tensors.push_back({"rope_freqs.weight", DType::f32, {4}});
       },
       {"'rope_freqs.weight' at byte ", "wanted F32 2"}},
      {"hp_rope_freqs_half",
       [](Sketch& s) {
         s.tensors.push_back({"rope_freqs.weight", DType::f16, {2}});
       },
       {"'rope_freqs.weight' at byte ", "F16", "wanted F32"}},
      {"hp_rope_freqs_nan",
       [](Sketch& s) {
         s.tensors.push_back({"rope_freqs.weight", DType::f32, {2}});
         s.value = kNan;
       },
       {"'rope_freqs.weight' at byte ", "nan", "allowed"}},
      {"tensor_embedding_missing", without("token_embd.weight"), {"'token_embd.weight' is missing"}},
      {"tensor_norm_missing", without("output_norm.weight"), {"'output_norm.weight' is missing"}},
      {"tensor_query_missing", without("blk.0.attn_q.weight"), {"'blk.0.attn_q.weight' is missing"}},
      {"tensor_down_missing", without("blk.0.ffn_down.weight"), {"'blk.0.ffn_down.weight' is missing"}},
      {"tensor_down_transposed",
       shaped("blk.0.ffn_down.weight", {12, 8}),
       {"'blk.0.ffn_down.weight' at byte ", "is 12 x 8", "wants 8 x 12"}},
      {"tensor_query_flat", shaped("blk.0.attn_q.weight", {64}), {"'blk.0.attn_q.weight' at byte ", "wants 8 x 8"}},
      {"tensor_query_rank_3",
       shaped("blk.0.attn_q.weight", {1, 8, 8}),
       {"'blk.0.attn_q.weight' at byte ", "1 x 8 x 8", "wants 8 x 8"}},
      {"tensor_embedding_short", shaped("token_embd.weight", {5, 8}), {"'llama.vocab_size' at byte ", "5 rows"}},
      {"tensor_norm_long", shaped("output_norm.weight", {9}), {"'output_norm.weight' at byte ", "9", "8"}},
      {"tensor_norm_of_integers",
       shaped("output_norm.weight", {8}, DType::i8),
       {"'output_norm.weight' at byte ", "I8", "wanted F32"}},
      {"tensor_query_of_integers",
       shaped("blk.0.attn_q.weight", {8, 8}, DType::i8),
       {"'blk.0.attn_q.weight' at byte ", "I8"}},
      {"tensor_bias_short",
       [](Sketch& s) {
         s.tensors.push_back({"blk.0.attn_q.bias", DType::f32, {4}});
       },
       {"'blk.0.attn_q.bias' at byte ", "4", "8"}},
      {"tensor_second_layer",
       [](Sketch& s) {
         s.tensors.push_back({"blk.1.attn_norm.weight", DType::f32, {8}});
       },
       {layers, "is 1", "2 layers"}},
      {"tensor_layer_1048575",
       [](Sketch& s) {
         s.tensors.push_back({"blk.1048575.attn_norm.weight", DType::f32, {8}});
       },
       {layers, "is 1", "1048576 layers"}},
  };
}

std::function<void(Sketch&)> field(const std::string& name, const Json& value) {
  return [=](Sketch& s) { s.config[name] = value; };
}
std::function<void(Sketch&)> without_field(const std::string& name) {
  return [=](Sketch& s) { s.config.erase(name); };
}

// LONG: a table.
std::vector<BadModel> config_zoo() {
  const std::string heads = "'num_attention_heads' at line ";
  const std::string layers = "'num_hidden_layers' at line ";
  std::vector<BadModel> zoo = {
      {"cfg_architectures_missing", without_field("architectures"), {"'architectures' is missing"}},
      {"cfg_architectures_empty", field("architectures", Json::array()), {"'architectures' is missing"}},
      {"cfg_architectures_null", field("architectures", nullptr), {"'architectures' is missing"}},
      {"cfg_architectures_string", field("architectures", "LlamaForCausalLM"), {"'architectures' at line ", "array"}},
      {"cfg_architectures_unknown",
       field("architectures", {"GPTJForCausalLM"}),
       {"'GPTJForCausalLM'", "supported", "LlamaForCausalLM"}},
      {"cfg_architectures_misspelt",
       field("architectures", {"LLamaForCausalLM"}),
       {"'LLamaForCausalLM'", "nearest: LlamaForCausalLM"}},
      {"cfg_layers_missing", without_field("num_hidden_layers"), {"'num_hidden_layers' is missing"}},
      {"cfg_layers_2", field("num_hidden_layers", 2), {layers, "is 2", "1 layers"}},
      {"cfg_layers_513", field("num_hidden_layers", 513), {layers, "is 513", "allowed 1 … 512"}},
      {"cfg_heads_3", field("num_attention_heads", 3), {heads, "is 3", "divisor of hidden_size = 8"}},
      {"cfg_heads_kv_0", field("num_key_value_heads", 0), {"'num_key_value_heads' at line ", "is 0"}},
      {"cfg_heads_kv_3", field("num_key_value_heads", 3), {"'num_key_value_heads' at line ", "divisor"}},
      {"cfg_heads_kv_string", field("num_key_value_heads", "1"), {"'num_key_value_heads' at line ", "string"}},
      {"cfg_head_dim_5", field("head_dim", 5), {"'head_dim' at line ", "is 5", "even"}},
      {"cfg_head_dim_6", field("head_dim", 6), {"'model.layers.0.self_attn.q_proj.weight' at byte ", "wants 12 x 8"}},
      {"cfg_hidden_size_31", field("hidden_size", 31), {heads, "divisor of hidden_size = 31"}},
      {"cfg_hidden_size_2p63", field("hidden_size", uint64_t{1} << 63), {"'hidden_size' at line ", "922337203685"}},
      {"cfg_hidden_size_object", field("hidden_size", {{"a", 8}}), {"'hidden_size' is missing"}},
      {"cfg_intermediate_size_13",
       field("intermediate_size", 13),
       {"'model.layers.0.mlp.gate_proj.weight' at byte ", "12 x 8", "13 x 8"}},
      {"cfg_context_minus_1", field("max_position_embeddings", -1), {"'max_position_embeddings' at line ", "is -1"}},
      {"cfg_vocab_size_7", field("vocab_size", 7), {"'vocab_size' at line ", "is 7", "6 rows"}},
      {"cfg_vocab_size_5", field("vocab_size", 5), {"'vocab_size' at line ", "is 5", "6 rows"}},
      {"cfg_eps_string", field("rms_norm_eps", "1e-5"), {"'rms_norm_eps' at line ", "string", "a number"}},
      {"cfg_eps_negative", field("rms_norm_eps", -1.0), {"'rms_norm_eps' at line ", "is -1", "allowed 0 … 1"}},
      {"cfg_rope_theta_0", field("rope_theta", 0), {"'rope_theta' at line ", "is 0", "allowed"}},
      {"cfg_rope_theta_nan_string", field("rope_theta", "NaN"), {"'rope_theta' at line ", "string"}},
      {"cfg_rope_theta_1e300", field("rope_theta", 1e300), {"'rope_theta' at line ", "1e+300", "allowed"}},
      {"cfg_rope_parameters_theta_negative",
       field("rope_parameters", {{"rope_theta", -1.0}}),
       {"'rope_parameters.rope_theta' at line ", "is -1"}},
      {"cfg_rope_unknown",
       field("rope_scaling", {{"rope_type", "spiral"}, {"factor", 4.0}}),
       {"'rope_scaling.rope_type' at line ", "'spiral'", "'llama3'", "'yarn'"}},
      {"cfg_rope_unknown_old",
       field("rope_scaling", {{"type", "proportional"}, {"factor", 4.0}}),
       {"'rope_scaling.type' at line ", "'proportional'"}},
      {"cfg_rope_yarn_without_factor",
       field("rope_scaling", {{"rope_type", "yarn"}}),
       {"'rope_scaling.factor' is missing"}},
      {"cfg_rope_yarn_mscale",
       field("rope_scaling", {{"rope_type", "yarn"}, {"factor", 4.0}, {"mscale", 0.7}}),
       {"'rope_scaling.mscale' at line ", "not supported"}},
      {"cfg_longrope_of_another_head",
       field("rope_scaling",
             {{"rope_type", "longrope"}, {"short_factor", {1.0, 1.0, 1.0}}, {"long_factor", {2.0, 2.0, 2.0}}}),
       {"3 short and 3 long factors", "wanted 2"}},
      {"cfg_longrope_negative",
       field("rope_scaling", {{"rope_type", "longrope"}, {"short_factor", {1.0, -1.0}}, {"long_factor", {2.0, 2.0}}}),
       {"'rope_scaling.short_factor' at line ", "is -1 at one place"}},
      {"cfg_rope_type_number",
       field("rope_scaling", {{"rope_type", 1}}),
       {"'rope_scaling.rope_type' at line ", "int64"}},
      {"cfg_rope_without_type",
       field("rope_scaling", {{"factor", 4.0}}),
       {"'rope_scaling.factor' at line ", "without 'rope_scaling.rope_type'"}},
      {"cfg_rope_without_factor",
       field("rope_scaling", {{"rope_type", "linear"}}),
       {"'rope_scaling.factor' is missing"}},
      {"cfg_rope_factor_0",
       field("rope_scaling", {{"rope_type", "linear"}, {"factor", 0}}),
       {"'rope_scaling.factor' at line ", "is 0"}},
      {"cfg_rope_unknown_setting",
       field("rope_scaling", {{"rope_type", "linear"}, {"factor", 2.0}, {"mscale", 0.7}}),
       {"'rope_scaling.mscale' at line ", "not supported"}},
      {"cfg_rope_by_layer_type",
       field("rope_parameters", {{"full_attention", {{"rope_theta", 1e6}}}}),
       {"'rope_parameters.full_attention.rope_theta' at line ", "not supported"}},
      {"cfg_rope_partial", field("partial_rotary_factor", 0.5), {"'partial_rotary_factor' at line ", "is 0.5"}},
      {"cfg_rope_llama3_order",
       field("rope_scaling",
             {{"rope_type", "llama3"}, {"factor", 8.0}, {"low_freq_factor", 4.0}, {"high_freq_factor", 1.0}}),
       {"'rope_scaling.high_freq_factor' at line ", "more than low_freq_factor 4"}},
      {"cfg_quantized",
       field("quantization_config", {{"quant_method", "gptq"}, {"bits", 4}}),
       {"'quantization_config.quant_method' at line ", "'gptq'", "original model"}},
      {"cfg_quantized_unnamed", field("quantization_config", {{"bits", 4}}), {"quantization_config", "original model"}},
      {"cfg_sliding_window",
       [](Sketch& s) {
         s.config["architectures"] = {"MistralForCausalLM"};
         s.config["sliding_window"] = -32;
       },
       {"'sliding_window' at line ", "is -32"}},
      {"cfg_gelu", field("hidden_act", "gelu"), {"'hidden_act' at line ", "'gelu'", "'silu'"}},
      {"cfg_tied_string", field("tie_word_embeddings", "yes"), {"'tie_word_embeddings' at line ", "string", "bool"}},
      {"cfg_untied_without_head", field("tie_word_embeddings", false), {"'lm_head.weight' is missing"}},
      {"cfg_biases_without_tensors",
       field("attention_bias", true),
       {"'model.layers.0.self_attn.q_proj.bias' is missing"}},
      {"cfg_biases_string", field("mlp_bias", "no"), {"'mlp_bias' at line ", "bool"}},
      {"cfg_query_missing",
       without("model.layers.0.self_attn.q_proj.weight"),
       {"'model.layers.0.self_attn.q_proj.weight' is missing"}},
      {"cfg_embedding_missing", without("model.embed_tokens.weight"), {"'model.embed_tokens.weight' is missing"}},
      {"cfg_up_transposed",
       shaped("model.layers.0.mlp.up_proj.weight", {8, 12}),
       {"'model.layers.0.mlp.up_proj.weight' at byte ", "8 x 12", "12 x 8"}},
  };
  const std::pair<const char*, Json> values[] = {{"0", 0},       {"minus_1", -1},   {"string", "4"},
                                                 {"4_5", 4.5},   {"null", nullptr}, {"2p64", 18446744073709551616.0},
                                                 {"true", true}, {"array", {4}}};
  for (const auto& [name, value] : values) {
    const bool is_absent = value.is_null();
    zoo.push_back({std::string("cfg_heads_") + name,
                   field("num_attention_heads", value),
                   {is_absent ? "'num_attention_heads' is missing" : heads}});
    zoo.push_back({std::string("cfg_layers_") + name,
                   field("num_hidden_layers", value),
                   {is_absent ? "'num_hidden_layers' is missing" : layers}});
  }
  return zoo;
}

std::string name_of(const testing::TestParamInfo<BadModel>& info) { return info.param.name; }

class GgufModelZoo : public testing::TestWithParam<BadModel> {};
TEST_P(GgufModelZoo, Refuses) {
  const TestFolder folder;
  Sketch sketch = good_gguf();
  GetParam().spoil(sketch);
  expect_refused(save_gguf(folder, sketch), GetParam().hints);
}
INSTANTIATE_TEST_SUITE_P(All, GgufModelZoo, testing::ValuesIn(gguf_zoo()), name_of);

class ConfigZoo : public testing::TestWithParam<BadModel> {};
TEST_P(ConfigZoo, Refuses) {
  const TestFolder folder;
  Sketch sketch = good_folder();
  GetParam().spoil(sketch);
  expect_refused(save_folder(folder, sketch), GetParam().hints);
}
INSTANTIATE_TEST_SUITE_P(All, ConfigZoo, testing::ValuesIn(config_zoo()), name_of);

class OddModels : public testing::Test {
 protected:
  OddModels() {
    set_log_sink([this](LogLevel, std::string_view line) { notes_.emplace_back(line); });
  }
  ~OddModels() override { set_log_sink(nullptr); }
  void expect_loaded(const std::string& path) {
    const auto model = load(path);
    EXPECT_TRUE(model) << model.error().message;
  }
  TestFolder folder_;
  std::vector<std::string> notes_;
};

TEST_F(OddModels, TheGoodOnesLoadWithoutANote) {
  expect_loaded(save_gguf(folder_, good_gguf()));
  expect_loaded(save_folder(folder_, good_folder()));
  const TestFolder other;
  expect_loaded(save_folder(other, good_qwen2_folder()));
  EXPECT_THAT(notes_, testing::IsEmpty());
}

TEST_F(OddModels, ContextOf32Bits) {
  Sketch sketch = good_gguf();
  sketch.metadata.set("llama.context_length", MetaValue::of_u32(~0U));
  const auto model = load(save_gguf(folder_, sketch));
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ((*model)->config().n_ctx_train, 4294967295);
}

TEST_F(OddModels, UnknownTensorsAreNotedOnce) {
  Sketch sketch = good_gguf();
  sketch.tensors.push_back({"blk.0.attn_q_norm.weight", DType::f32, {4}});
  sketch.tensors.push_back({"blk.0.attn_k_norm.weight", DType::f32, {4}});
  expect_loaded(save_gguf(folder_, sketch));
  ASSERT_EQ(notes_.size(), 1U);
  EXPECT_THAT(notes_[0], testing::AllOf(testing::HasSubstr("m.gguf: tensor 'blk.0.attn_q_norm.weight' at byte "),
                                        testing::HasSubstr("no effect; nor have 1 more")));
}

TEST_F(OddModels, UnusedHeadOfATiedModel) {
  Sketch sketch = good_folder();
  sketch.tensors.push_back({"lm_head.weight", DType::f32, {6, 8}});
  expect_loaded(save_folder(folder_, sketch));
  EXPECT_THAT(notes_, testing::IsEmpty());
}

TEST_F(OddModels, WholeNumbersMayBeWiderOrSigned) {
  Sketch sketch = good_gguf();
  sketch.metadata.set("llama.block_count", MetaValue::of_u64(1));
  sketch.metadata.set("llama.attention.head_count", MetaValue::of_i32(2));
  expect_loaded(save_gguf(folder_, sketch));
}

TEST_F(OddModels, DefaultRopeSettings) {
  Sketch sketch = good_folder();
  sketch.config["rope_scaling"] = nullptr;
  sketch.config["rope_parameters"] = {
      {"rope_type", "default"}, {"rope_theta", 500000.0}, {"partial_rotary_factor", 1.0}};
  sketch.config["sliding_window"] = nullptr;
  expect_loaded(save_folder(folder_, sketch));
}

class Qwen2Zoo : public testing::TestWithParam<BadModel> {};

TEST_P(Qwen2Zoo, IsRefused) {
  const TestFolder folder;
  Sketch sketch = good_qwen2_folder();
  GetParam().spoil(sketch);
  expect_refused(save_folder(folder, sketch), GetParam().hints);
}

const BadModel kQwen2Zoo[] = {
    {"window_in_use", field("use_sliding_window", true), {"'use_sliding_window' at line ", "is true", "not supported"}},
    {"window_of_a_layer",
     field("layer_types", Json::array({"sliding_attention"})),
     {"'layer_types' at line ", "'sliding_attention'", "only 'full_attention'"}},
    {"no_query_bias", without("model.layers.0.self_attn.q_proj.bias"), {"q_proj.bias' is missing"}},
    {"no_value_bias", without("model.layers.0.self_attn.v_proj.bias"), {"v_proj.bias' is missing"}},
    {"short_key_bias",
     shaped("model.layers.0.self_attn.k_proj.bias", {2}),
     {"k_proj.bias' at byte ", "shape is 2", "wants 4"}},
};
INSTANTIATE_TEST_SUITE_P(All, Qwen2Zoo, testing::ValuesIn(kQwen2Zoo), [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace smelt
