// The SmolLM3 family (Hugging Face, 2025): Llama's decoder in which every fourth layer has no positions (NoPE).
#include "models/canonical_keys.h"
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/decoder_names.h"

namespace smelt {

extern const ModelFamily smollm3_family;

namespace {

constexpr auto kTensorNames = join_names(kTrunk, kPreNorms, kReorderedAttention, kGatedMlp);
constexpr const char* kHfArchitectures[] = {"SmolLM3ForCausalLM"};
constexpr int64_t kInterval = 4;

// One flag a layer, 1 for those that rotate; or every `interval`-th does not.
Status read_rotations(const Metadata& metadata, const std::string& key, int64_t interval, ModelConfig& c) {
  SMELT_ASSIGN(const auto found, metadata.find_ints(key));
  const std::vector<int64_t> flags = found.value_or(std::vector<int64_t>());
  if (found && static_cast<int64_t>(flags.size()) != c.n_layers) {
    return bad_count(metadata, key, static_cast<int64_t>(flags.size()), "wanted a flag for each layer");
  }
  c.layers.resize(static_cast<size_t>(c.n_layers));
  for (size_t l = 0; l < c.layers.size(); ++l) {
    c.layers[l].rotates = found ? flags[l] != 0 : (static_cast<int64_t>(l) + 1) % interval != 0;
  }
  return {};
}

Status read_hf(const Metadata& metadata, ModelConfig& c) {
  SMELT_TRY(refuse_windows(metadata));
  SMELT_TRY(refuse_if_true(metadata, "attention_bias", "a bias in the attention of this family"));
  SMELT_TRY(refuse_if_true(metadata, "mlp_bias", "a bias in the feed-forward of this family"));
  SMELT_ASSIGN(const auto interval, find_count(metadata, "no_rope_layer_interval", {1, kMaxLayers}));
  return read_rotations(metadata, "no_rope_layers", interval.value_or(kInterval), c);
}

// GGUF has no key for it. Files made here keep config.json's.
Status read_gguf(const Metadata& metadata, ModelConfig& c) {
  return read_rotations(metadata, std::string(kConfigPrefix) + "no_rope_layers", kInterval, c);
}

void add_hf(const ModelConfig& c, Metadata& metadata) {
  std::vector<int64_t> flags;
  for (const LayerConfig& layer : c.layers) flags.push_back(layer.rotates ? 1 : 0);
  metadata.set("no_rope_layers", {MetaType::array, MetaArray{MetaType::i64, std::move(flags)}});
}

// Where config.json gave an interval alone.
void add_gguf(const ModelConfig& c, const std::string& /*prefix*/, Metadata& metadata) {
  Metadata fields;
  add_hf(c, fields);
  metadata.set(std::string(kConfigPrefix) + "no_rope_layers", *fields.find("no_rope_layers"));
}

}  // namespace

extern const ModelFamily smollm3_family = {.name = "smollm3",
                                           .gguf_architecture = "smollm3",
                                           .hf_architectures = kHfArchitectures,
                                           .hf_model_type = "smollm3",
                                           .tensors = kTensorNames,
                                           .parse_config = parse_decoder_config,
                                           .load = load_decoder,
                                           .form = {.gguf_rope = RopeLayout::interleaved,
                                                    .tied_default = true,
                                                    .read_gguf = read_gguf,
                                                    .read_hf = read_hf,
                                                    .add_gguf = add_gguf,
                                                    .add_hf = add_hf}};

}  // namespace smelt
