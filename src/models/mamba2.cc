// The Mamba-2 family (Dao & Gu, arXiv 2405.21060): state-space layers, no attention, no feed-forward.
#include <fmt/format.h>

#include "kernels/ssm/ssm.h"
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/layers/ssm.h"

namespace smelt {

extern const ModelFamily mamba2_family;

namespace {

constexpr const char* kHfArchitectures[] = {"Mamba2ForCausalLM"};
constexpr TensorName kTensorNames[] = {
    {"token_embd.weight", "backbone.embeddings.weight"},
    {"output_norm.weight", "backbone.norm_f.weight"},
    {"output.weight", "lm_head.weight"},
    {"blk.{}.attn_norm.weight", "backbone.layers.{}.norm.weight"},
    {"blk.{}.ssm_in.weight", "backbone.layers.{}.mixer.in_proj.weight"},
    in_form(ValueForm::filters, {"blk.{}.ssm_conv1d.weight", "backbone.layers.{}.mixer.conv1d.weight"}),
    optional_tensor({"blk.{}.ssm_conv1d.bias", "backbone.layers.{}.mixer.conv1d.bias"}),
    {"blk.{}.ssm_dt.bias", "backbone.layers.{}.mixer.dt_bias"},
    in_form(ValueForm::log_a, {"blk.{}.ssm_a", "backbone.layers.{}.mixer.A_log"}),
    in_form(ValueForm::column, {"blk.{}.ssm_d", "backbone.layers.{}.mixer.D"}),
    in_form(ValueForm::grouped, {"blk.{}.ssm_norm.weight", "backbone.layers.{}.mixer.norm.weight"}),
    {"blk.{}.ssm_out.weight", "backbone.layers.{}.mixer.out_proj.weight"}};

constexpr int64_t kNominalContext = 1 << 20;  // a state has no length; what llama.cpp writes

struct Keys {
  std::string n_layers, d_model, n_vocab, eps, n_heads, d_state, n_groups, n_taps;
};
const Keys kHfKeys = {"num_hidden_layers", "hidden_size", "vocab_size", "layer_norm_epsilon",
                      "num_heads",         "state_size",  "n_groups",   "conv_kernel"};

Keys gguf_keys(const std::string& prefix) {
  return {prefix + "block_count",        prefix + "embedding_length",
          prefix + "vocab_size",         prefix + "attention.layer_norm_rms_epsilon",
          prefix + "ssm.time_step_rank", prefix + "ssm.state_size",
          prefix + "ssm.group_count",    prefix + "ssm.conv_kernel"};
}

// The heads together are d_inner wide, and each group has as many of them.
Status divide(const Metadata& metadata, const Keys& keys, ModelConfig& c) {
  if (c.ssm.d_inner % c.n_heads != 0) {
    return bad_count(metadata, keys.n_heads, c.n_heads, fmt::format("wanted a divisor of the width {}", c.ssm.d_inner));
  }
  c.d_head = c.ssm.d_inner / c.n_heads;
  if (c.n_heads % c.ssm.n_groups == 0) return {};
  return bad_count(metadata, keys.n_groups, c.ssm.n_groups,
                   fmt::format("wanted a divisor of {} = {}", keys.n_heads, c.n_heads));
}

Status read_sizes(const Checkpoint& checkpoint, const ModelFamily& family, const Keys& keys, ModelConfig& c) {
  const Metadata& metadata = checkpoint.metadata();
  SMELT_ASSIGN(c.n_layers, read_count(metadata, keys.n_layers, {1, kMaxLayers}));
  SMELT_ASSIGN(c.d_model, read_count(metadata, keys.d_model, {1, kMaxModelDim}));
  SMELT_ASSIGN(c.n_heads, read_count(metadata, keys.n_heads, {1, kMaxHeads}));
  SMELT_ASSIGN(c.ssm.d_state, read_count(metadata, keys.d_state, {1, kMaxHeadDim}));
  SMELT_ASSIGN(const auto n_groups, find_count(metadata, keys.n_groups, {1, kMaxHeads}));
  SMELT_ASSIGN(c.ssm.n_taps, read_count(metadata, keys.n_taps, {1, kMaxSsmTaps}));
  c.ssm.n_groups = n_groups.value_or(1);
  SMELT_ASSIGN(c.norm_eps, read_float_or(metadata, keys.eps, 0, 1, 1e-5F));
  return read_vocab_size(checkpoint, family, keys.n_vocab, c);
}

Status read_gguf(const Checkpoint& checkpoint, const ModelFamily& family, ModelConfig& c) {
  const Metadata& metadata = checkpoint.metadata();
  const std::string prefix = std::string(family.gguf_architecture) + ".";
  const Keys keys = gguf_keys(prefix);
  c.architecture = family.gguf_architecture;
  SMELT_ASSIGN(const auto name, metadata.find_string("general.name"));
  c.name = name.value_or("");
  SMELT_TRY(read_sizes(checkpoint, family, keys, c));
  SMELT_ASSIGN(c.ssm.d_inner, read_count(metadata, prefix + "ssm.inner_size", {1, kMaxFeedForward}));
  SMELT_ASSIGN(const auto n_ctx, find_count(metadata, prefix + "context_length", {1, kMaxContext}));
  c.n_ctx_train = n_ctx.value_or(kNominalContext);
  c.tied_head = checkpoint.find_tensor("output.weight") == nullptr;
  return divide(metadata, keys, c);
}

// Time steps may be held within bounds; the published models' are (0, infinity), which JSON cannot say.
Status refuse_time_limits(const Metadata& metadata) {
  SMELT_ASSIGN(const auto limits, metadata.find_floats("time_step_limit"));
  if (!limits || limits->size() != 2 || ((*limits)[0] <= 0 && (*limits)[1] > 1e30)) return {};
  return bad_value(metadata, "time_step_limit", fmt::format("[{:g}, {:g}]", (*limits)[0], (*limits)[1]),
                   "only [0, infinity] is supported");
}

Status read_hf(const Checkpoint& checkpoint, const ModelFamily& family, ModelConfig& c) {
  const Metadata& metadata = checkpoint.metadata();
  SMELT_ASSIGN(const std::vector<std::string>* names, metadata.find_strings("architectures"));
  c.architecture = names == nullptr || names->empty() ? "" : names->front();
  SMELT_ASSIGN(const auto name, metadata.find_string("_name_or_path"));
  c.name = name.value_or("");
  SMELT_TRY(read_sizes(checkpoint, family, kHfKeys, c));
  SMELT_ASSIGN(const auto expand, find_count(metadata, "expand", {1, 64}));
  c.ssm.d_inner = expand.value_or(2) * c.d_model;
  c.n_ctx_train = kNominalContext;
  SMELT_ASSIGN(const auto tied, metadata.find_bool("tie_word_embeddings"));
  c.tied_head = tied.value_or(checkpoint.find_tensor("lm_head.weight") == nullptr);
  SMELT_TRY(require_string(metadata, "hidden_act", "silu"));
  SMELT_TRY(refuse_if_true(metadata, "use_bias", "a bias of the projections"));
  SMELT_TRY(refuse_time_limits(metadata));
  SMELT_TRY(refuse_foreign_weights(metadata));
  return divide(metadata, kHfKeys, c);
}

Result<ModelConfig> parse_config(const Checkpoint& checkpoint, const ModelFamily& family) {
  ModelConfig c;
  c.family = family.name;
  c.rope_layout = RopeLayout::half_split;
  const auto read = checkpoint.dialect() == Dialect::gguf ? read_gguf : read_hf;
  SMELT_TRY(read(checkpoint, family, c));
  c.layers.resize(static_cast<size_t>(c.n_layers));
  return c;
}

void add_gguf(const ModelConfig& c, const std::string& prefix, Metadata& metadata) {
  const struct {
    const char* key;
    int64_t value;
  } counts[] = {{"ssm.conv_kernel", c.ssm.n_taps},
                {"ssm.inner_size", c.ssm.d_inner},
                {"ssm.state_size", c.ssm.d_state},
                {"ssm.time_step_rank", c.n_heads},
                {"ssm.group_count", c.ssm.n_groups}};
  for (const auto& [key, value] : counts) metadata.set(prefix + key, MetaValue::of_u32(static_cast<uint32_t>(value)));
}

void add_hf(const ModelConfig& c, Metadata& metadata) {
  metadata.set("state_size", MetaValue::of_i64(c.ssm.d_state));
  metadata.set("n_groups", MetaValue::of_i64(c.ssm.n_groups));
  metadata.set("conv_kernel", MetaValue::of_i64(c.ssm.n_taps));
  metadata.set("expand", MetaValue::of_i64(c.ssm.d_inner / c.d_model));
}

}  // namespace

extern const ModelFamily mamba2_family = {.name = "mamba2",
                                          .gguf_architecture = "mamba2",
                                          .hf_architectures = kHfArchitectures,
                                          .hf_model_type = "mamba2",
                                          .tensors = kTensorNames,
                                          .parse_config = parse_config,
                                          .load = load_ssm,
                                          .form = {.rotates = false,
                                                   .hf = {.d_ff = nullptr,
                                                          .n_heads = "num_heads",
                                                          .n_kv_heads = nullptr,
                                                          .n_ctx = nullptr,
                                                          .eps = "layer_norm_epsilon"},
                                                   .add_gguf = add_gguf,
                                                   .add_hf = add_hf},
                                          .hf_prefix = "backbone."};

}  // namespace smelt
