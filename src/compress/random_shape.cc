// What llama.cpp's loaders and ours expect of a GGUF file of these architectures (ggml-org/ggml docs/gguf.md; tensor
// names: llama.cpp, src/llama-arch.cpp, MIT).
#include "compress/random_shape.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "tokenizers/byte_alphabet.h"
#include "tokenizers/vocab.h"

namespace smelt {
namespace {

constexpr std::array kShapes = {
#define SMELT_SHAPE(name, architecture, layers, width, heads, kv_heads, head, ffn, vocab, ctx, base, factor, eps, \
                    tied)                                                                                         \
  RandomShape{name,   RandomArchitecture::architecture,                                                           \
              layers, width,                                                                                      \
              heads,  kv_heads,                                                                                   \
              head,   ffn,                                                                                        \
              vocab,  ctx,                                                                                        \
              base,   factor,                                                                                     \
              eps,    tied},
#include "compress/shapes.inc"
#undef SMELT_SHAPE
};

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

// A token for each byte, one for each small letter with a space before it, beginning and end; the rest is never read.
Vocab make_vocab(int64_t n_vocab) {
  Vocab vocab;
  vocab.model = TokenizerModel::byte_bpe;
  vocab.pre_tokenizer = "llama-bpe";
  vocab.ignore_merges = true;  // as that family does
  for (int b = 0; b < 256; ++b) vocab.tokens.push_back({letter_of_byte(static_cast<uint8_t>(b)), 0, TokenType::normal});
  const std::string space = letter_of_byte(' ');
  for (char c = 'a'; c <= 'z'; ++c) {
    vocab.merges.emplace_back(space, std::string(1, c));
    vocab.tokens.push_back({space + c, 0, TokenType::normal});
  }
  vocab.bos = static_cast<TokenId>(vocab.tokens.size());
  vocab.tokens.push_back({"<|begin|>", 0, TokenType::control});
  vocab.eos = static_cast<TokenId>(vocab.tokens.size());
  vocab.tokens.push_back({"<|end|>", 0, TokenType::control});
  vocab.add_bos = true;
  for (auto i = static_cast<int64_t>(vocab.tokens.size()); i < n_vocab; ++i)
    vocab.tokens.push_back({"<|unused_" + std::to_string(i) + "|>", 0, TokenType::unused});
  return vocab;
}

Metadata make_metadata(const RandomShape& shape) {
  Metadata out;
  const std::string architecture = shape.architecture == RandomArchitecture::llama ? "llama" : "qwen2";
  out.set("general.architecture", MetaValue::of_string(architecture));
  out.set("general.name", MetaValue::of_string(std::string("random weights in the shape of ") + shape.name));
  const std::string prefix = architecture + ".";
  const auto set_count = [&](const char* key, int64_t value) {
    out.set(prefix + key, MetaValue::of_u32(static_cast<uint32_t>(value)));
  };
  set_count("block_count", shape.n_layers);
  set_count("context_length", shape.n_ctx);
  set_count("embedding_length", shape.d_model);
  set_count("feed_forward_length", shape.d_ff);
  set_count("attention.head_count", shape.n_heads);
  set_count("attention.head_count_kv", shape.n_kv_heads);
  set_count("rope.dimension_count", shape.d_head);
  set_count("vocab_size", shape.n_vocab);
  out.set(prefix + "rope.freq_base", MetaValue::of_f32(shape.rope_base));
  out.set(prefix + "attention.layer_norm_rms_epsilon", MetaValue::of_f32(shape.rms_norm_eps));
  add_gguf_vocab(make_vocab(shape.n_vocab), out);
  return out;
}

class TensorList {
 public:
  explicit TensorList(const RandomShape& shape) : shape_(shape) {
    add("token_embd.weight", {shape.n_vocab, shape.d_model});
    add("output_norm.weight", {shape.d_model});
    if (!shape.tied_head) add("output.weight", {shape.n_vocab, shape.d_model});
    if (shape.rope_factor > 0) add("rope_freqs.weight", {shape.d_head / 2});
    for (int64_t i = 0; i < shape.n_layers; ++i) add_layer("blk." + std::to_string(i) + ".");
  }
  std::vector<TensorEntry> take() { return std::move(tensors_); }

 private:
  void add_layer(const std::string& layer) {
    const int64_t d_q = shape_.n_heads * shape_.d_head, d_kv = shape_.n_kv_heads * shape_.d_head;
    add(layer + "attn_norm.weight", {shape_.d_model});
    add_projection(layer + "attn_q", d_q);
    add_projection(layer + "attn_k", d_kv);
    add_projection(layer + "attn_v", d_kv);
    add(layer + "attn_output.weight", {shape_.d_model, d_q});
    add(layer + "ffn_norm.weight", {shape_.d_model});
    add(layer + "ffn_gate.weight", {shape_.d_ff, shape_.d_model});
    add(layer + "ffn_up.weight", {shape_.d_ff, shape_.d_model});
    add(layer + "ffn_down.weight", {shape_.d_model, shape_.d_ff});
  }
  void add_projection(const std::string& name, int64_t rows) {
    add(name + ".weight", {rows, shape_.d_model});
    if (shape_.architecture == RandomArchitecture::qwen2) add(name + ".bias", {rows});
  }
  void add(std::string name, const Shape& shape) {
    TensorEntry entry;
    entry.name = std::move(name);
    entry.view.shape = shape;
    tensors_.push_back(std::move(entry));
  }

  const RandomShape& shape_;
  std::vector<TensorEntry> tensors_;
};

}  // namespace

std::span<const RandomShape> all_random_shapes() { return kShapes; }

std::optional<RandomShape> find_random_shape(std::string_view name) {
  for (const RandomShape& shape : kShapes) {
    if (lower(name) == shape.name) return shape;
  }
  return std::nullopt;
}

CanonicalModel make_shape_model(const RandomShape& shape) {
  CanonicalModel model;
  model.metadata = make_metadata(shape);
  model.config.n_layers = shape.n_layers;
  model.config.n_heads = shape.n_heads;
  model.config.n_kv_heads = shape.n_kv_heads;
  Checkpoint::Parts parts;
  parts.path = shape.name;
  parts.metadata = model.metadata;
  parts.tensors = TensorList(shape).take();
  model.checkpoint = std::make_shared<const Checkpoint>(std::move(parts));
  for (const TensorEntry& entry : model.checkpoint->tensors())
    model.tensors.push_back({.name = entry.name, .source = &entry, .shape = entry.view.shape, .row_order = {}});
  return model;
}

}  // namespace smelt
