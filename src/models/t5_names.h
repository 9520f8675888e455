// What the two families of T5 share: tensors other than those before the activation, configuration. Called by t5.cc and
// t5v11.cc.
#pragma once

#include "models/family.h"

namespace smelt {

inline constexpr TensorName kT5Names[] = {
    {"token_embd.weight", "shared.weight"},
    {"output.weight", "lm_head.weight"},
    {"enc.output_norm.weight", "encoder.final_layer_norm.weight"},
    {"enc.blk.{}.attn_norm.weight", "encoder.block.{}.layer.0.layer_norm.weight"},
    {"enc.blk.{}.attn_q.weight", "encoder.block.{}.layer.0.SelfAttention.q.weight"},
    {"enc.blk.{}.attn_k.weight", "encoder.block.{}.layer.0.SelfAttention.k.weight"},
    {"enc.blk.{}.attn_v.weight", "encoder.block.{}.layer.0.SelfAttention.v.weight"},
    {"enc.blk.{}.attn_o.weight", "encoder.block.{}.layer.0.SelfAttention.o.weight"},
    {"enc.blk.{}.attn_rel_b.weight", "encoder.block.{}.layer.0.SelfAttention.relative_attention_bias.weight"},
    {"enc.blk.{}.ffn_norm.weight", "encoder.block.{}.layer.1.layer_norm.weight"},
    {"enc.blk.{}.ffn_down.weight", "encoder.block.{}.layer.1.DenseReluDense.wo.weight"},
    {"dec.output_norm.weight", "decoder.final_layer_norm.weight"},
    {"dec.blk.{}.attn_norm.weight", "decoder.block.{}.layer.0.layer_norm.weight"},
    {"dec.blk.{}.attn_q.weight", "decoder.block.{}.layer.0.SelfAttention.q.weight"},
    {"dec.blk.{}.attn_k.weight", "decoder.block.{}.layer.0.SelfAttention.k.weight"},
    {"dec.blk.{}.attn_v.weight", "decoder.block.{}.layer.0.SelfAttention.v.weight"},
    {"dec.blk.{}.attn_o.weight", "decoder.block.{}.layer.0.SelfAttention.o.weight"},
    {"dec.blk.{}.attn_rel_b.weight", "decoder.block.{}.layer.0.SelfAttention.relative_attention_bias.weight"},
    {"dec.blk.{}.cross_attn_norm.weight", "decoder.block.{}.layer.1.layer_norm.weight"},
    {"dec.blk.{}.cross_attn_q.weight", "decoder.block.{}.layer.1.EncDecAttention.q.weight"},
    {"dec.blk.{}.cross_attn_k.weight", "decoder.block.{}.layer.1.EncDecAttention.k.weight"},
    {"dec.blk.{}.cross_attn_v.weight", "decoder.block.{}.layer.1.EncDecAttention.v.weight"},
    {"dec.blk.{}.cross_attn_o.weight", "decoder.block.{}.layer.1.EncDecAttention.o.weight"},
    {"dec.blk.{}.ffn_norm.weight", "decoder.block.{}.layer.2.layer_norm.weight"},
    {"dec.blk.{}.ffn_down.weight", "decoder.block.{}.layer.2.DenseReluDense.wo.weight"}};

inline constexpr const char* kT5HfArchitectures[] = {"T5ForConditionalGeneration"};

// ModelConfig's `gated` and `activation` are the family's, as its DecoderForm says.
Result<ModelConfig> parse_t5_config(const Checkpoint& checkpoint, const ModelFamily& family);
// Whether a model of the architecture has a gated feed-forward.
bool is_gated_t5(const Checkpoint& checkpoint);
void add_t5_gguf(const ModelConfig& config, const std::string& prefix, Metadata& metadata);
void add_t5_hf(const ModelConfig& config, Metadata& metadata);

inline constexpr HfKeys kT5HfKeys = {.n_layers = "num_layers",
                                     .d_model = "d_model",
                                     .d_ff = "d_ff",
                                     .n_heads = "num_heads",
                                     .n_kv_heads = nullptr,
                                     .d_head = "d_kv",
                                     .n_ctx = "n_positions",
                                     .eps = "layer_norm_epsilon",
                                     .activation = "feed_forward_proj"};

}  // namespace smelt
