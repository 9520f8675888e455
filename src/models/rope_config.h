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
#include "models/family.h"

namespace smelt {

enum class RopeScaling {
  none,
  linear,    // positions divided by a factor (Chen et al., arXiv 2306.15595)
  dynamic,   // a base that grows with the context once that is longer than the trained one
  llama3,    // Llama 3.1 model card
  yarn,      // Peng et al., arXiv 2309.00071
  longrope,  // a factor for each pair, of two lists (Ding et al., arXiv 2402.13753)
};

struct RopeConfig {
  float base = 10000.0F;
  RopeScaling scaling = RopeScaling::none;
  float factor = 1.0F;
  // llama3 only: wavelengths up to n_ctx_original / high_freq_factor stay, those from n_ctx_original / low_freq_factor
  // on are stretched by `factor`, those between are blended.
  float low_freq_factor = 1.0F;
  float high_freq_factor = 4.0F;
  float n_ctx_original = 8192.0F;  // yarn and longrope too: positions of the first training
  // yarn only: pairs that turn more often than beta_fast in n_ctx_original stay, those that turn less often than
  // beta_slow are stretched, those between are blended.
  float beta_fast = 32.0F;
  float beta_slow = 1.0F;
  float magnitude = 1.0F;  // of rotated values: yarn, longrope
  std::vector<float> short_factors = {},
                     long_factors = {};  // longrope: of sessions up to n_ctx_original, and of longer ones

  bool operator==(const RopeConfig&) const = default;
};

// Hugging Face: rope_theta and rope_scaling.*, or rope_parameters.SECTION* as transformers 5 writes them. Other kinds
// of scaling are refused by name.
Result<RopeConfig> parse_hf_rope(const Metadata& metadata, const HfKeys& keys = {});
// The share of a head that is rotated: under old_key or in rope_parameters; 1 where neither is there.
Result<float> read_rotated_share(const Metadata& metadata, const char* old_key);
std::string rotated_share_key(const Metadata& metadata, const char* old_key);
// GGUF: PREFIX.rope.freq_base, PREFIX.rope.scaling.*. Factors are not in the keys but in tensors: llama3's in
// "rope_freqs.weight" (find_rope_factors), longrope's in "rope_factors_short.weight" and "…_long.weight" (read here).
Result<RopeConfig> parse_gguf_rope(const Checkpoint& checkpoint, const std::string& prefix, int64_t n_rope);

// One inverse frequency for each of the n_rope/2 pairs, base^(-2i/n_rope), scaled.
std::vector<float> make_inv_freq(const RopeConfig& rope, int64_t n_rope);
// What llama3 scaling divides them by: the values of "rope_freqs.weight".
std::vector<float> make_rope_factors(const RopeConfig& rope, int64_t n_rope);
// The tensor "rope_freqs.weight" of a GGUF checkpoint, checked; absent: nullopt.
Result<std::optional<std::vector<float>>> find_rope_factors(const Checkpoint& checkpoint, int64_t n_rope);
// The llama3 settings that lead to these factors (published models' values are tried); nullopt if none does.
std::optional<RopeConfig> recognise_rope_factors(std::span<const float> factors, const RopeConfig& base);
// How much YaRN's paper lets rotated values grow.
float yarn_magnitude(float factor);
// Fills a model's frequencies.
Status apply_rope(const RopeConfig& rope, ModelConfig& config);

}  // namespace smelt
