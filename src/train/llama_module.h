// The Llama family as a function that gradients go through: the same ModelConfig as the runtime's (models/llama.cc),
// the same names of tensors as Hugging Face's, the same logits (llama_module_test.cc). Called by the trainer.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "models/canonical.h"
#include "models/model_config.h"
#include "train/torch_api.h"

namespace smelt {

struct ParameterSpec {
  std::string name;  // "model.layers.0.self_attn.q_proj.weight"
  Shape shape;
  int64_t offset = 0;  // of its first value among all
};

// All parameters in one f32 buffer and their gradients in another: matrices first, which weight decay is for, then the
// vectors of norms. Optimizer, checkpoints and the exchange between processes see the buffers alone.
class Parameters {
 public:
  explicit Parameters(const ModelConfig& config);

  const std::vector<ParameterSpec>& specs() const { return specs_; }
  int64_t n_decaying() const { return n_decaying_; }
  int64_t size() const { return values_.numel(); }
  torch::Tensor& values() { return values_; }
  torch::Tensor& gradients() { return gradients_; }
  const float* data() const { return values_.data_ptr<float>(); }
  // The parameter as a leaf of the graph, whose gradient is a part of gradients().
  const torch::Tensor& operator[](const std::string& name) const;

 private:
  void add(std::string name, Shape shape);
  void make_leaves();

  std::vector<ParameterSpec> specs_;
  std::vector<torch::Tensor> leaves_;
  torch::Tensor values_, gradients_;
  int64_t n_decaying_ = 0;
};

class LlamaModule {
 public:
  // Refuses what the runtime's family can and this cannot: windows, dynamic positions.
  static Result<LlamaModule> create(const ModelConfig& config);

  // Normal values of deviation 0.02, those that write into the residual stream smaller by sqrt(2 n_layers) (Radford et
  // al. 2019); norms begin at one. The same seed gives the same values.
  void initialise(uint64_t seed);
  // Copies the weights of a model in Hugging Face's terms; one that is missing, of another shape or not known here
  // (biases) is an error.
  Status load(const CanonicalModel& model);

  // ids [batch][n] (int64) → logits [batch][n][n_vocab].
  torch::Tensor forward(const torch::Tensor& ids) const;

  const ModelConfig& config() const { return config_; }
  Parameters& parameters() { return parameters_; }
  const Parameters& parameters() const { return parameters_; }

 private:
  struct Layer {
    torch::Tensor attention_norm, query, key, value, output, mlp_norm, gate, up, down;
  };
  struct Rotation {
    torch::Tensor cos, sin;  // [n][d_head]
  };
  explicit LlamaModule(const ModelConfig& config);
  Rotation rotation(int64_t n) const;
  torch::Tensor norm(const torch::Tensor& x, const torch::Tensor& weight) const;
  torch::Tensor attention(const Layer& layer, const torch::Tensor& x, const Rotation& rotation) const;

  ModelConfig config_;
  Parameters parameters_;
  torch::Tensor embedding_, final_norm_, head_;
  std::vector<Layer> layers_;
};

}  // namespace smelt
