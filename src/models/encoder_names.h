// Names of tensors and of config.json's fields that BERT and RoBERTa share.
#pragma once

#include "models/decoder.h"
#include "models/family.h"

namespace smelt {

// Rows of a family's table; `prefix` is that of its Hugging Face names. A macro, since names are literals.
#define SMELT_BERT_LAYERS(prefix)                                                                      \
  {"blk.{}.attn_q.weight", prefix "encoder.layer.{}.attention.self.query.weight"},                     \
      {"blk.{}.attn_q.bias", prefix "encoder.layer.{}.attention.self.query.bias"},                     \
      {"blk.{}.attn_k.weight", prefix "encoder.layer.{}.attention.self.key.weight"},                   \
      {"blk.{}.attn_k.bias", prefix "encoder.layer.{}.attention.self.key.bias"},                       \
      {"blk.{}.attn_v.weight", prefix "encoder.layer.{}.attention.self.value.weight"},                 \
      {"blk.{}.attn_v.bias", prefix "encoder.layer.{}.attention.self.value.bias"},                     \
      {"blk.{}.attn_output.weight", prefix "encoder.layer.{}.attention.output.dense.weight"},          \
      {"blk.{}.attn_output.bias", prefix "encoder.layer.{}.attention.output.dense.bias"},              \
      {"blk.{}.attn_output_norm.weight", prefix "encoder.layer.{}.attention.output.LayerNorm.weight"}, \
      {"blk.{}.attn_output_norm.bias", prefix "encoder.layer.{}.attention.output.LayerNorm.bias"},     \
      {"blk.{}.ffn_up.weight", prefix "encoder.layer.{}.intermediate.dense.weight"},                   \
      {"blk.{}.ffn_up.bias", prefix "encoder.layer.{}.intermediate.dense.bias"},                       \
      {"blk.{}.ffn_down.weight", prefix "encoder.layer.{}.output.dense.weight"},                       \
      {"blk.{}.ffn_down.bias", prefix "encoder.layer.{}.output.dense.bias"},                           \
      {"blk.{}.layer_output_norm.weight", prefix "encoder.layer.{}.output.LayerNorm.weight"}, {        \
    "blk.{}.layer_output_norm.bias", prefix "encoder.layer.{}.output.LayerNorm.bias"                   \
  }

inline constexpr HfKeys kBertKeys = {.n_kv_heads = nullptr, .d_head = nullptr, .eps = "layer_norm_eps"};

// Of checkpoints that came from TensorFlow.
inline constexpr NameAlias kOldNormNames[] = {{"LayerNorm.weight", "LayerNorm.gamma"},
                                              {"LayerNorm.bias", "LayerNorm.beta"}};

}  // namespace smelt
