// Rotary embedding settings of a checkpoint, and the inverse frequencies they lead to. Called by the families'
// parse_config and by the translation between GGUF and Hugging Face terms.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/metadata.h"
#include "base/result.h"
#include "formats/checkpoint.h"

namespace smelt {

enum class RopeScaling { none, linear, llama3 };

struct RopeConfig {
  float base = 10000.0F;
  RopeScaling scaling = RopeScaling::none;
  float factor = 1.0F;
  // llama3 only: wavelengths up to n_ctx_original / high_freq_factor stay, those from n_ctx_original / low_freq_factor
  // on are stretched by `factor`, those between are blended (Llama 3.1 model card).
  float low_freq_factor = 1.0F;
  float high_freq_factor = 4.0F;
  float n_ctx_original = 8192.0F;

  bool operator==(const RopeConfig&) const = default;
};

// Hugging Face: rope_theta and rope_scaling.*, or rope_parameters.* as transformers 5 writes them. Other kinds of
// scaling are refused by name.
Result<RopeConfig> parse_hf_rope(const Metadata& metadata);
// GGUF: PREFIX.rope.freq_base, PREFIX.rope.scaling.*. llama3 scaling is not in the keys but in the tensor
// "rope_freqs.weight"; see find_rope_factors.
Result<RopeConfig> parse_gguf_rope(const Metadata& metadata, const std::string& prefix);

// One inverse frequency for each of the n_rope/2 pairs, base^(-2i/n_rope), scaled.
std::vector<float> make_inv_freq(const RopeConfig& rope, int64_t n_rope);
// What llama3 scaling divides them by: the values of "rope_freqs.weight".
std::vector<float> make_rope_factors(const RopeConfig& rope, int64_t n_rope);
// The tensor "rope_freqs.weight" of a GGUF checkpoint, checked; absent: nullopt.
Result<std::optional<std::vector<float>>> find_rope_factors(const Checkpoint& checkpoint, int64_t n_rope);
// The llama3 settings that lead to these factors (published models' values are tried); nullopt if none does.
std::optional<RopeConfig> recognise_rope_factors(std::span<const float> factors, const RopeConfig& base);

}  // namespace smelt
