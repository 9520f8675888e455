// One pass, with the shapes of every step, is forward(); the parts above it are a line of mathematics each.
#include "train/llama_module.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "models/family.h"

namespace smelt {
namespace {

// In Hugging Face's half-split layout, value i of a head turns with value i + d/2 (Su et al., arXiv 2104.09864).
torch::Tensor rotate(const torch::Tensor& x, const torch::Tensor& cos, const torch::Tensor& sin) {
  const auto halves = x.chunk(2, -1);
  const torch::Tensor turned = torch::cat({-halves[1], halves[0]}, -1);
  return (x * cos + turned * sin).to(x.scalar_type());
}

// softmax(q k^T / sqrt(d)) v over the positions up to each; blocks of queries, so that keys behind a block, which have
// no part in it, cost nothing. q, k, v [batch][heads][n][d_head].
torch::Tensor causal_attention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v) {
  constexpr int64_t kBlock = 128;
  const int64_t n = q.size(2);
  const torch::Tensor scaled = q * (1 / std::sqrt(static_cast<double>(q.size(3))));
  std::vector<torch::Tensor> out;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = std::min(n, begin + kBlock);
    const torch::Tensor hidden = torch::ones({end - begin, end - begin}, q.options().dtype(torch::kBool)).triu(1);
    torch::Tensor scores = torch::matmul(scaled.slice(2, begin, end), k.slice(2, 0, end).transpose(2, 3));
    scores.slice(3, begin, end).masked_fill_(hidden, -std::numeric_limits<double>::infinity());
    out.push_back(torch::matmul(torch::softmax(scores, -1), v.slice(2, 0, end)));
  }
  return torch::cat(out, 2);
}

Status check_form(const ModelConfig& config) {
  if (config.family != "llama")
    return input_error(
        fmt::format("models of the family '{}' cannot be trained, only those of 'llama'", config.family));
  if (config.window > 0) return input_error("models with a sliding window cannot be trained");
  if (config.ntk_factor > 0 || !config.long_inv_freq.empty())
    return input_error("models whose positions depend on the length of the text cannot be trained");
  return {};
}

}  // namespace

Parameters::Parameters(const ModelConfig& c) {
  const int64_t d = c.d_model, q = c.n_heads * c.d_head, kv = c.n_kv_heads * c.d_head;
  const auto in_layers = [&](const char* name, const Shape& shape) {
    for (int64_t l = 0; l < c.n_layers; ++l) add(fmt::format("model.layers.{}.{}.weight", l, name), shape);
  };
  add("model.embed_tokens.weight", {c.n_vocab, d});
  in_layers("self_attn.q_proj", {q, d});
  in_layers("self_attn.k_proj", {kv, d});
  in_layers("self_attn.v_proj", {kv, d});
  in_layers("self_attn.o_proj", {d, q});
  in_layers("mlp.gate_proj", {c.d_ff, d});
  in_layers("mlp.up_proj", {c.d_ff, d});
  in_layers("mlp.down_proj", {d, c.d_ff});
  if (!c.tied_head) add("lm_head.weight", {c.n_vocab, d});
  n_decaying_ = specs_.back().offset + specs_.back().shape.values();
  in_layers("input_layernorm", {d});
  in_layers("post_attention_layernorm", {d});
  add("model.norm.weight", {d});
  make_leaves();
}

void Parameters::add(std::string name, Shape shape) {
  const int64_t offset = specs_.empty() ? 0 : specs_.back().offset + specs_.back().shape.values();
  specs_.push_back({std::move(name), shape, offset});
}

void Parameters::make_leaves() {
  values_ = torch::zeros({specs_.back().offset + specs_.back().shape.values()});
  gradients_ = torch::zeros_like(values_);
  for (const ParameterSpec& spec : specs_) {
    std::vector<int64_t> dims(spec.shape.dims.begin(), spec.shape.dims.begin() + spec.shape.rank);
    const auto part = [&](torch::Tensor& all) { return all.narrow(0, spec.offset, spec.shape.values()).view(dims); };
    torch::Tensor leaf = part(values_).detach().requires_grad_();
    leaf.mutable_grad() = part(gradients_);  // backward adds to a gradient that is there in its place
    leaves_.push_back(std::move(leaf));
  }
}

const torch::Tensor& Parameters::operator[](const std::string& name) const {
  const auto found = std::find_if(specs_.begin(), specs_.end(), [&](const auto& spec) { return spec.name == name; });
  return leaves_.at(static_cast<size_t>(found - specs_.begin()));
}

LlamaModule::LlamaModule(const ModelConfig& config) : config_(config), parameters_(config) {
  embedding_ = parameters_["model.embed_tokens.weight"];
  final_norm_ = parameters_["model.norm.weight"];
  head_ = config.tied_head ? embedding_ : parameters_["lm_head.weight"];
  for (int64_t l = 0; l < config.n_layers; ++l) {
    const auto get = [&](const char* name) { return parameters_[fmt::format("model.layers.{}.{}.weight", l, name)]; };
    layers_.push_back({.attention_norm = get("input_layernorm"),
                       .query = get("self_attn.q_proj"),
                       .key = get("self_attn.k_proj"),
                       .value = get("self_attn.v_proj"),
                       .output = get("self_attn.o_proj"),
                       .mlp_norm = get("post_attention_layernorm"),
                       .gate = get("mlp.gate_proj"),
                       .up = get("mlp.up_proj"),
                       .down = get("mlp.down_proj")});
  }
}

Result<LlamaModule> LlamaModule::create(const ModelConfig& config) {
  SMELT_TRY(check_form(config));
  return LlamaModule(config);
}

void LlamaModule::initialise(uint64_t seed) {
  const torch::NoGradGuard no_gradients;
  torch::manual_seed(seed);
  const double depth = std::sqrt(2.0 * static_cast<double>(config_.n_layers));
  for (const ParameterSpec& spec : parameters_.specs()) {
    torch::Tensor values = parameters_.values().narrow(0, spec.offset, spec.shape.values());
    const bool writes = spec.name.ends_with("o_proj.weight") || spec.name.ends_with("down_proj.weight");
    if (spec.shape.rank == 1) values.fill_(1);
    if (spec.shape.rank == 2) values.normal_(0, writes ? 0.02 / depth : 0.02);
  }
}

Status LlamaModule::load(const CanonicalModel& model) {
  std::set<std::string> wanted;
  float* all = parameters_.values().data_ptr<float>();
  for (const ParameterSpec& spec : parameters_.specs()) {
    const auto found = std::find_if(model.tensors.begin(), model.tensors.end(),
                                    [&](const CanonicalTensor& tensor) { return tensor.name == spec.name; });
    if (found == model.tensors.end()) return input_error(fmt::format("tensor '{}' is missing", spec.name));
    if (!(found->shape == spec.shape))
      return input_error(
          fmt::format("tensor '{}' is {}, wanted {}", spec.name, found->shape.to_string(), spec.shape.to_string()));
    for (int64_t r = 0; r < spec.shape.rows(); ++r) {
      const auto [tensor, row] = found->find_source(r);
      if (r == 0 || tensor != found->source) SMELT_TRY(model.checkpoint->prepare(*tensor));
      tensor->view.decode_row_into(row, all + spec.offset + r * spec.shape.columns());
    }
    wanted.insert(spec.name);
  }
  for (const CanonicalTensor& tensor : model.tensors)
    if (!wanted.contains(tensor.name) && tensor.name != "lm_head.weight")
      return input_error(fmt::format("tensor '{}': this form of the family cannot be trained", tensor.name));
  return {};
}

LlamaModule::Rotation LlamaModule::rotation(int64_t n) const {
  torch::Tensor turns = torch::empty({static_cast<int64_t>(config_.inv_freq.size())});
  std::copy(config_.inv_freq.begin(), config_.inv_freq.end(), turns.data_ptr<float>());
  torch::Tensor angles = torch::outer(torch::arange(n, torch::kFloat), turns);
  angles = torch::cat({angles, angles}, -1).to(parameters_.specs().empty() ? torch::kCPU : embedding_.device());
  return {angles.cos() * config_.rope_magnitude, angles.sin() * config_.rope_magnitude};
}

torch::Tensor LlamaModule::norm(const torch::Tensor& x, const torch::Tensor& weight) const {
  return x * torch::rsqrt(x.square().mean(-1, true) + config_.norm_eps) * weight;
}

torch::Tensor LlamaModule::attention(const Layer& layer, const torch::Tensor& x, const Rotation& turn) const {
  const int64_t batch = x.size(0), n = x.size(1);
  const auto heads = [&](const torch::Tensor& weight, int64_t n_heads) {
    return torch::linear(x, weight).view({batch, n, n_heads, config_.d_head}).transpose(1, 2);
  };
  const torch::Tensor q = rotate(heads(layer.query, config_.n_heads), turn.cos, turn.sin);
  const torch::Tensor k = rotate(heads(layer.key, config_.n_kv_heads), turn.cos, turn.sin);
  const torch::Tensor v = heads(layer.value, config_.n_kv_heads);
  const int64_t group = config_.n_heads / config_.n_kv_heads;
  const auto shared = [&](const torch::Tensor& t) { return group == 1 ? t : t.repeat_interleave(group, 1); };
  const torch::Tensor mixed = causal_attention(q, shared(k), shared(v));  // [batch][n_heads][n][d_head]
  return torch::linear(mixed.transpose(1, 2).reshape({batch, n, config_.n_heads * config_.d_head}), layer.output);
}

torch::Tensor LlamaModule::forward(const torch::Tensor& ids) const {
  const Rotation turn = rotation(ids.size(1));
  torch::Tensor x = torch::embedding(embedding_, ids);  // [batch][n][d_model]
  for (const Layer& layer : layers_) {
    x = x + attention(layer, norm(x, layer.attention_norm), turn);
    const torch::Tensor h = norm(x, layer.mlp_norm);
    const torch::Tensor gated = torch::silu(torch::linear(h, layer.gate)) * torch::linear(h, layer.up);
    x = x + torch::linear(gated, layer.down);
  }
  return torch::linear(norm(x, final_norm_), head_);  // [batch][n][n_vocab]
}

}  // namespace smelt
