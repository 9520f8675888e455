// A made-up Llama in memory, for tests of this folder: GGUF's names, values of a seed, no tokenizer.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf.h"
#include "models/canonical.h"
#include "tensor/test_data.h"

namespace smelt {

struct ToyShape {
  int64_t n_layers = 2, n_heads = 4, n_kv_heads = 2, d_model = 256, d_ff = 512, n_vocab = 96;
  bool tied = false;
};

class ToyModel {
 public:
  enum class Data { none, random };  // none: shapes only, for plans

  explicit ToyModel(const ToyShape& shape, Data data = Data::random, DType matrix_type = DType::f32)
      : data_(data), matrix_type_(matrix_type) {
    add_tensors(shape);
    model_.config.n_layers = shape.n_layers;
    model_.config.n_heads = shape.n_heads;
    model_.config.n_kv_heads = shape.n_kv_heads;
    set_metadata(shape);
    parts_.path = "toy.gguf";
    model_.checkpoint = std::make_shared<const Checkpoint>(parts_);
    model_.metadata = parts_.metadata;
    for (const TensorEntry& entry : model_.checkpoint->tensors()) {
      model_.tensors.push_back({.name = entry.name, .source = &entry, .shape = entry.view.shape, .row_order = {}});
    }
  }

  const CanonicalModel& model() const { return model_; }
  CanonicalModel& model() { return model_; }

  // Data of an F32 tensor, to be spoilt by tests.
  float* values(std::string_view name) {
    for (size_t i = 0; i < parts_.tensors.size(); ++i) {
      if (parts_.tensors[i].name == name) return reinterpret_cast<float*>(buffers_[i]->data());
    }
    return nullptr;
  }

  Status save(const std::string& path) const {
    std::vector<TensorDeclaration> declared;
    for (const TensorEntry& t : parts_.tensors) declared.push_back({t.name, t.view.dtype, t.view.shape});
    SMELT_ASSIGN(GgufWriter writer, GgufWriter::create(path, parts_.metadata, declared, Overwrite::refuse));
    for (size_t i = 0; i < parts_.tensors.size(); ++i) {
      if (i > 0) SMELT_TRY(writer.next_tensor());
      SMELT_TRY(writer.write(parts_.tensors[i].view.bytes));
    }
    return writer.commit();
  }

 private:
  void add_tensors(const ToyShape& s) {
    const int64_t d_kv = s.d_model / s.n_heads * s.n_kv_heads;
    add("token_embd.weight", {s.n_vocab, s.d_model});
    add("output_norm.weight", {s.d_model});
    if (!s.tied) add("output.weight", {s.n_vocab, s.d_model});
    for (int64_t i = 0; i < s.n_layers; ++i) {
      const std::string layer = "blk." + std::to_string(i) + ".";
      add(layer + "attn_norm.weight", {s.d_model});
      add(layer + "attn_q.weight", {s.d_model, s.d_model});
      add(layer + "attn_k.weight", {d_kv, s.d_model});
      add(layer + "attn_v.weight", {d_kv, s.d_model});
      add(layer + "attn_output.weight", {s.d_model, s.d_model});
      add(layer + "ffn_norm.weight", {s.d_model});
      add(layer + "ffn_gate.weight", {s.d_ff, s.d_model});
      add(layer + "ffn_up.weight", {s.d_ff, s.d_model});
      add(layer + "ffn_down.weight", {s.d_model, s.d_ff});
    }
  }

  void add(const std::string& name, const Shape& shape) {
    const DType type = shape.rank > 1 ? matrix_type_ : DType::f32;
    auto bytes = std::make_shared<std::vector<std::byte>>();
    if (data_ == Data::random) {
      const auto values = random_values("weights", shape.values(), parts_.tensors.size());
      const auto columns = shape.columns();
      const uint64_t row_size = *row_bytes(type, static_cast<uint64_t>(columns));
      bytes->resize(static_cast<size_t>(shape.rows()) * row_size);
      for (int64_t r = 0; r < shape.rows(); ++r) {
        dtype_info(type).encode(values.data() + r * columns, bytes->data() + static_cast<uint64_t>(r) * row_size,
                                columns, nullptr);
      }
    }
    parts_.tensors.push_back({.name = name, .view = {.dtype = type, .shape = shape, .bytes = *bytes}});
    buffers_.push_back(bytes);
    parts_.buffers.push_back(std::move(bytes));
  }

  void set_metadata(const ToyShape& s) {
    Metadata& out = parts_.metadata;
    out.set("general.architecture", MetaValue::of_string("llama"));
    out.set("general.name", MetaValue::of_string("Toy"));
    out.set("general.license", MetaValue::of_string("cc0-1.0"));
    const struct {
      const char* key;
      int64_t value;
    } counts[] = {{"vocab_size", s.n_vocab},
                  {"context_length", 128},
                  {"embedding_length", s.d_model},
                  {"block_count", s.n_layers},
                  {"feed_forward_length", s.d_ff},
                  {"attention.head_count", s.n_heads},
                  {"attention.head_count_kv", s.n_kv_heads}};
    for (const auto& [key, value] : counts) {
      out.set(std::string("llama.") + key, MetaValue::of_u32(static_cast<uint32_t>(value)));
    }
    out.set("llama.attention.layer_norm_rms_epsilon", MetaValue::of_f32(1e-5F));
    out.set("toy.unknown_key", MetaValue::of_strings({"kept", "as it is"}));
  }

  Data data_;
  DType matrix_type_;
  Checkpoint::Parts parts_;
  std::vector<std::shared_ptr<std::vector<std::byte>>> buffers_;
  CanonicalModel model_;
};

}  // namespace smelt
