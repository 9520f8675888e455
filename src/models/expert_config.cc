// Mixtures of experts in both dialects. Called by the families that have them.
#include "models/config_reader.h"
#include "models/decoder.h"

namespace smelt {
namespace {

constexpr int64_t kMaxExperts = 4096;

Result<int64_t> read_width(const Metadata& metadata, const std::string& key, int64_t fallback) {
  if (key.empty()) return fallback;
  SMELT_ASSIGN(const auto width, find_count(metadata, key, {1, kMaxFeedForward}));
  return width.value_or(fallback);
}

}  // namespace

Status read_experts(const Metadata& metadata, const ExpertKeys& keys, ModelConfig& c) {
  SMELT_ASSIGN(c.n_experts, read_count(metadata, keys.n_experts, {1, kMaxExperts}));
  SMELT_ASSIGN(c.n_experts_used, read_count(metadata, keys.n_used, {1, c.n_experts}));
  SMELT_ASSIGN(c.d_ff_expert, read_width(metadata, keys.d_ff_expert, c.d_ff));
  SMELT_ASSIGN(c.d_ff_shared, read_width(metadata, keys.d_ff_shared, 0));
  return {};
}

Status refuse_dense_layers(const Metadata& metadata) {
  SMELT_ASSIGN(const auto step, find_count(metadata, "decoder_sparse_step", {1, kMaxLayers}));
  if (step.value_or(1) != 1) return bad_count(metadata, "decoder_sparse_step", *step, "only 1 is supported");
  const MetaValue* only = metadata.find("mlp_only_layers");
  const auto* list = only == nullptr ? nullptr : std::get_if<MetaArray>(&only->value);
  if (list == nullptr || list->size() == 0) return {};
  return bad_value(metadata, "mlp_only_layers", "a list of layers", "only an empty list is supported");
}

ExpertKeys gguf_expert_keys(const std::string& prefix) {
  return {prefix + "expert_count", prefix + "expert_used_count", prefix + "expert_feed_forward_length",
          prefix + "expert_shared_feed_forward_length"};
}

void add_gguf_experts(const ModelConfig& c, const std::string& prefix, Metadata& metadata) {
  const ExpertKeys keys = gguf_expert_keys(prefix);
  metadata.set(keys.n_experts, MetaValue::of_u32(static_cast<uint32_t>(c.n_experts)));
  metadata.set(keys.n_used, MetaValue::of_u32(static_cast<uint32_t>(c.n_experts_used)));
  metadata.set(keys.d_ff_expert, MetaValue::of_u32(static_cast<uint32_t>(c.d_ff_expert)));
  if (c.d_ff_shared == 0) return;
  metadata.set(keys.d_ff_shared, MetaValue::of_u32(static_cast<uint32_t>(c.d_ff_shared)));
}

}  // namespace smelt
