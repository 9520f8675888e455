// Golden models of the families, each with one field of its config.json changed to what smelt does not have or what
// does not fit the rest: refused by key and value. What all families share is the business of config_zoo_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/mapped_file.h"
#include "base/test_folder.h"
#include "models/model.h"

namespace smelt {
namespace {

using Hints = std::vector<std::string>;
using Json = nlohmann::ordered_json;

struct BadFixture {
  const char* name;
  const char* fixture;  // of tests/golden
  const char* field;    // of its config.json, and what it becomes
  Json value;
  Hints hints;
};

class FamilyZoo : public testing::TestWithParam<BadFixture> {};

// What a family's models may have and smelt does not, or what does not fit the rest.
TEST_P(FamilyZoo, IsRefused) {
  const TestFolder folder;
  const std::string golden = std::string(SMELT_SOURCE_DIR) + "/tests/golden/" + GetParam().fixture;
  auto text = read_file(golden + "/config.json", 1 << 20);
  ASSERT_TRUE(text) << text.error().message;
  Json config = Json::parse(*text);
  config[GetParam().field] = GetParam().value;
  folder.write("m/config.json", config.dump(1));
  std::filesystem::copy_file(golden + "/model.safetensors", folder.file("m/model.safetensors"));
  auto checkpoint = Checkpoint::open(folder.file("m"));
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  const auto model = Model::load(std::make_shared<const Checkpoint>(std::move(*checkpoint)));
  ASSERT_FALSE(model) << "was accepted";
  EXPECT_EQ(model.error().kind, ErrorKind::input);
  for (const std::string& hint : GetParam().hints) EXPECT_THAT(model.error().message, testing::HasSubstr(hint));
}

const BadFixture kFamilyZoo[] = {
    {"qwen3_bias", "qwen3/untied", "attention_bias", true, {"'attention_bias' at line ", "not supported"}},
    {"qwen3_window", "qwen3/untied", "use_sliding_window", true, {"'use_sliding_window' at line ", "not supported"}},
    {"smollm3_flags", "smollm3/nope", "no_rope_layers", {1}, {"'no_rope_layers' at line ", "a flag for each layer"}},
    {"gemma2_layer_types", "gemma2/capped", "layer_types", {"full_attention"}, {"'layer_types'", "of 1 layers"}},
    {"gemma2_layer_kind",
     "gemma2/capped",
     "layer_types",
     {"full_attention", "chunked_attention"},
     {"'chunked_attention'", "supported: 'full_attention'"}},
    {"gemma2_activation", "gemma2/capped", "hidden_activation", "gelu", {"'gelu'", "only 'gelu_pytorch_tanh'"}},
    {"gemma2_cap", "gemma2/capped", "attn_logit_softcapping", -1, {"'attn_logit_softcapping' at line ", "is -1"}},
    {"gemma3_cap", "gemma3/windows", "attn_logit_softcapping", 50, {"'attn_logit_softcapping' at line ", "is 50"}},
    {"gptneox_activation", "gptneox/serial", "hidden_act", "gelu_fast", {"'gelu_fast'", "only 'gelu'"}},
    {"gpt2_layer_scale",
     "gpt2/tied",
     "scale_attn_by_inverse_layer_idx",
     true,
     {"'scale_attn_by_inverse_layer_idx' at line ", "not supported"}},
    {"gpt2_positions",
     "gpt2/tied",
     "n_positions",
     128,
     {"wpe.weight' at byte ", "shape is 256 x 64", "wants 128 x 64"}},
    {"stablelm_parallel", "stablelm/gqa", "use_parallel_residual", true, {"'use_parallel_residual' at line "}},
    {"stablelm_bias", "stablelm/gqa", "use_qkv_bias", true, {"q_proj.bias' is missing"}},
    {"phi2_norm", "phi2/partial", "qk_layernorm", true, {"'qk_layernorm' at line ", "not supported"}},
    {"phi3_window", "phi3/window", "sliding_window", "wide", {"'sliding_window' at line "}},
    {"granite_zero", "granite/multipliers", "logits_scaling", 0, {"'logits_scaling' at line ", "is 0"}},
    {"mixtral_experts",
     "mixtral/tied",
     "num_local_experts",
     6,
     {"gate.weight' at byte ", "shape is 5 x 64", "wants 6 x 64"}},
    {"mixtral_used", "mixtral/tied", "num_experts_per_tok", 6, {"'num_experts_per_tok' at line ", "is 6", "1 … 5"}},
    {"mamba2_heads", "mamba2/groups", "num_heads", 7, {"'num_heads' at line ", "is 7", "divisor of the width 128"}},
    {"mamba2_groups", "mamba2/groups", "n_groups", 3, {"'n_groups' at line ", "is 3", "divisor of num_heads = 8"}},
    {"mamba2_state", "mamba2/groups", "state_size", 16, {"in_proj.weight' at byte ", "shape is 360 x 64"}},
    {"mamba2_bias", "mamba2/groups", "use_bias", true, {"'use_bias' at line ", "not supported"}},
    {"mamba2_limit", "mamba2/groups", "time_step_limit", {0.001, 0.1}, {"'time_step_limit' at line ", "[0, infinity]"}},
    {"t5_distance", "t5/tied", "relative_attention_max_distance", 64, {"is 64", "only 128"}},
    {"t5_buckets", "t5/tied", "relative_attention_num_buckets", 6, {"is 6", "a multiple of 4"}},
    {"t5_decoder", "t5/tied", "num_decoder_layers", 3, {"'num_decoder_layers'", "is 3", "those of 2 layers"}},
    {"t5_gate", "t5v11/untied", "feed_forward_proj", "gated-silu", {"'gated-silu'", "gated-gelu"}},
    {"qwen2moe_norm", "qwen2moe/shared", "norm_topk_prob", true, {"'norm_topk_prob' at line ", "only false"}},
    {"qwen2moe_step", "qwen2moe/shared", "decoder_sparse_step", 2, {"'decoder_sparse_step' at line ", "only 1"}},
    {"qwen2moe_dense", "qwen2moe/shared", "mlp_only_layers", {0}, {"'mlp_only_layers' at line ", "empty list"}},
};
INSTANTIATE_TEST_SUITE_P(All, FamilyZoo, testing::ValuesIn(kFamilyZoo),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace smelt
