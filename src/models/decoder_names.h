// Groups of tensor names that many decoder families share; a family joins those that it has, and adds its own.
#pragma once

#include <array>
#include <cstddef>

#include "models/family.h"

namespace smelt {

template <size_t... N>
constexpr auto join_names(const TensorName (&... parts)[N]) {
  std::array<TensorName, (N + ...)> all{};
  size_t n = 0;
  const auto take = [&](const TensorName& name) { all[n++] = name; };
  const auto take_all = [&](const auto& part) {
    for (const TensorName& name : part) take(name);
  };
  (take_all(parts), ...);
  return all;
}

inline constexpr TensorName kTrunk[] = {{"token_embd.weight", "model.embed_tokens.weight"},
                                        {"output_norm.weight", "model.norm.weight"},
                                        {"output.weight", "lm_head.weight"}};
// Where the last norm is not as Llama's.
inline constexpr TensorName kEmbeddings[] = {{"token_embd.weight", "model.embed_tokens.weight"},
                                             {"output.weight", "lm_head.weight"}};
inline constexpr TensorName kPreNorms[] = {
    {"blk.{}.attn_norm.weight", "model.layers.{}.input_layernorm.weight"},
    {"blk.{}.ffn_norm.weight", "model.layers.{}.post_attention_layernorm.weight"}};
inline constexpr TensorName kPreNormBiases[] = {
    {"output_norm.bias", "model.norm.bias"},
    {"blk.{}.attn_norm.bias", "model.layers.{}.input_layernorm.bias"},
    {"blk.{}.ffn_norm.bias", "model.layers.{}.post_attention_layernorm.bias"}};
inline constexpr TensorName kAttention[] = {{"blk.{}.attn_q.weight", "model.layers.{}.self_attn.q_proj.weight"},
                                            {"blk.{}.attn_k.weight", "model.layers.{}.self_attn.k_proj.weight"},
                                            {"blk.{}.attn_v.weight", "model.layers.{}.self_attn.v_proj.weight"},
                                            {"blk.{}.attn_output.weight", "model.layers.{}.self_attn.o_proj.weight"}};
// GGUF files that rotate neighbours.
inline constexpr TensorName kReorderedAttention[] = {
    {"blk.{}.attn_q.weight", "model.layers.{}.self_attn.q_proj.weight", RowOrder::query_heads},
    {"blk.{}.attn_k.weight", "model.layers.{}.self_attn.k_proj.weight", RowOrder::key_heads},
    {"blk.{}.attn_v.weight", "model.layers.{}.self_attn.v_proj.weight"},
    {"blk.{}.attn_output.weight", "model.layers.{}.self_attn.o_proj.weight"}};
inline constexpr TensorName kReorderedAttentionBiases[] = {
    optional_tensor({"blk.{}.attn_q.bias", "model.layers.{}.self_attn.q_proj.bias", RowOrder::query_heads}),
    optional_tensor({"blk.{}.attn_k.bias", "model.layers.{}.self_attn.k_proj.bias", RowOrder::key_heads}),
    optional_tensor({"blk.{}.attn_v.bias", "model.layers.{}.self_attn.v_proj.bias"}),
    optional_tensor({"blk.{}.attn_output.bias", "model.layers.{}.self_attn.o_proj.bias"})};
inline constexpr TensorName kQkvBiases[] = {{"blk.{}.attn_q.bias", "model.layers.{}.self_attn.q_proj.bias"},
                                            {"blk.{}.attn_k.bias", "model.layers.{}.self_attn.k_proj.bias"},
                                            {"blk.{}.attn_v.bias", "model.layers.{}.self_attn.v_proj.bias"}};
inline constexpr TensorName kQkNorms[] = {{"blk.{}.attn_q_norm.weight", "model.layers.{}.self_attn.q_norm.weight"},
                                          {"blk.{}.attn_k_norm.weight", "model.layers.{}.self_attn.k_norm.weight"}};
inline constexpr TensorName kGatedMlp[] = {{"blk.{}.ffn_gate.weight", "model.layers.{}.mlp.gate_proj.weight"},
                                           {"blk.{}.ffn_up.weight", "model.layers.{}.mlp.up_proj.weight"},
                                           {"blk.{}.ffn_down.weight", "model.layers.{}.mlp.down_proj.weight"}};
inline constexpr TensorName kGatedMlpBiases[] = {
    optional_tensor({"blk.{}.ffn_gate.bias", "model.layers.{}.mlp.gate_proj.bias"}),
    optional_tensor({"blk.{}.ffn_up.bias", "model.layers.{}.mlp.up_proj.bias"}),
    optional_tensor({"blk.{}.ffn_down.bias", "model.layers.{}.mlp.down_proj.bias"})};

}  // namespace smelt
