// Reading of rope settings in both dialects, and the arithmetic of frequency scaling.
#include "models/rope_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/text.h"
#include "models/canonical_keys.h"
#include "models/config_reader.h"

namespace smelt {
namespace {

constexpr double kMinBase = 1.0;
constexpr double kMaxBase = 1e12;
constexpr double kMaxFactor = 1e6;
constexpr double kMinPositive = 1e-6;

Status read_llama3(const Metadata& metadata, const std::string& prefix, RopeConfig& rope) {
  rope.scaling = RopeScaling::llama3;
  SMELT_ASSIGN(rope.low_freq_factor,
               read_float_or(metadata, prefix + "low_freq_factor", kMinPositive, kMaxFactor, 1.0F));
  SMELT_ASSIGN(rope.high_freq_factor,
               read_float_or(metadata, prefix + "high_freq_factor", kMinPositive, kMaxFactor, 4.0F));
  const std::string context_key = prefix + "original_max_position_embeddings";
  SMELT_ASSIGN(rope.n_ctx_original, read_float_or(metadata, context_key, 1, static_cast<double>(kMaxContext), 8192.0F));
  if (rope.high_freq_factor <= rope.low_freq_factor) {
    return bad_value(metadata, prefix + "high_freq_factor", fmt::format("{:g}", rope.high_freq_factor),
                     fmt::format("wanted more than low_freq_factor {:g}", rope.low_freq_factor));
  }
  return {};
}

// Settings that are not known here would change the text unnoticed.
Status refuse_unknown_settings(const Metadata& metadata, const std::string& prefix) {
  static constexpr std::string_view kKnown[] = {"rope_theta",
                                                "rope_type",
                                                "type",
                                                "factor",
                                                "low_freq_factor",
                                                "high_freq_factor",
                                                "partial_rotary_factor",
                                                "original_max_position_embeddings",
                                                "beta_fast",
                                                "beta_slow",
                                                "attention_factor",
                                                "short_factor",
                                                "long_factor"};
  for (const auto& [key, value] : metadata.entries()) {
    if (!key.starts_with(prefix)) continue;
    const std::string_view name = std::string_view(key).substr(prefix.size());
    if (std::find(std::begin(kKnown), std::end(kKnown), name) == std::end(kKnown)) {
      return input_error(metadata.title(key) + ": this setting of rotary positions is not supported");
    }
  }
  return {};
}

// Under `key` in the section, beside it, or else the whole context.
Result<float> read_original_context(const Metadata& metadata, const std::string& prefix) {
  const std::string name = "original_max_position_embeddings";
  for (const std::string& key : {prefix + name, name, std::string("max_position_embeddings")}) {
    if (metadata.contains(key)) return read_float_or(metadata, key, 1, static_cast<double>(kMaxContext), 8192.0F);
  }
  return input_error(fmt::format("key '{}{}' is missing", prefix, name));
}

Status read_yarn(const Metadata& metadata, const std::string& prefix, RopeConfig& rope) {
  rope.scaling = RopeScaling::yarn;
  SMELT_ASSIGN(rope.n_ctx_original, read_original_context(metadata, prefix));
  SMELT_ASSIGN(rope.beta_fast, read_float_or(metadata, prefix + "beta_fast", kMinPositive, kMaxFactor, 32.0F));
  SMELT_ASSIGN(rope.beta_slow, read_float_or(metadata, prefix + "beta_slow", kMinPositive, kMaxFactor, 1.0F));
  SMELT_ASSIGN(rope.magnitude, read_float_or(metadata, prefix + "attention_factor", kMinPositive, kMaxFactor,
                                             yarn_magnitude(rope.factor)));
  return {};
}

Result<std::vector<float>> read_factors(const Metadata& metadata, const std::string& key) {
  SMELT_ASSIGN(const auto list, metadata.find_floats(key));
  if (!list) return input_error(fmt::format("key '{}' is missing", key));
  std::vector<float> factors;
  for (const double value : *list) {
    if (!(value >= kMinPositive && value <= kMaxFactor)) {
      return bad_value(metadata, key, fmt::format("{:g} at one place", value),
                       fmt::format("allowed {:g} … {:g}", kMinPositive, kMaxFactor));
    }
    factors.push_back(static_cast<float>(value));
  }
  return factors;
}

// Of a context that grew from n_ctx_original by a factor.
float longrope_magnitude(float factor, float n_ctx_original) {
  return factor <= 1.0F ? 1.0F : std::sqrt(1.0F + std::log(factor) / std::log(n_ctx_original));
}

Status read_longrope(const Metadata& metadata, const std::string& prefix, RopeConfig& rope) {
  rope.scaling = RopeScaling::longrope;
  SMELT_ASSIGN(rope.n_ctx_original, read_original_context(metadata, prefix));
  SMELT_ASSIGN(const float n_ctx, read_float_or(metadata, "max_position_embeddings", 1,
                                                static_cast<double>(kMaxContext), rope.n_ctx_original));
  if (rope.factor == 1.0F) rope.factor = n_ctx / rope.n_ctx_original;
  SMELT_ASSIGN(rope.magnitude, read_float_or(metadata, prefix + "attention_factor", kMinPositive, kMaxFactor,
                                             longrope_magnitude(rope.factor, rope.n_ctx_original)));
  SMELT_ASSIGN(rope.short_factors, read_factors(metadata, prefix + "short_factor"));
  SMELT_ASSIGN(rope.long_factors, read_factors(metadata, prefix + "long_factor"));
  return {};
}

struct ScalingName {
  const char* name;
  RopeScaling scaling;
};
constexpr ScalingName kScalings[] = {{"linear", RopeScaling::linear},     {"dynamic", RopeScaling::dynamic},
                                     {"llama3", RopeScaling::llama3},     {"yarn", RopeScaling::yarn},
                                     {"longrope", RopeScaling::longrope}, {"su", RopeScaling::longrope}};

Result<RopeScaling> find_scaling(const Metadata& metadata, const std::string& key, const std::string& type) {
  for (const auto& [name, scaling] : kScalings) {
    if (type == name) return scaling;
  }
  return bad_value(metadata, key, fmt::format("'{}'", escape_for_display(type)),
                   "supported: 'default', 'linear', 'dynamic', 'llama3', 'yarn', 'longrope'");
}

Status read_hf_scaling(const Metadata& metadata, const std::string& prefix, RopeConfig& rope) {
  SMELT_TRY(refuse_unknown_settings(metadata, prefix));
  std::string key = prefix + "rope_type";
  SMELT_ASSIGN(std::optional<std::string> type, metadata.find_string(key));
  if (!type) {
    key = prefix + "type";  // the older spelling
    SMELT_ASSIGN(type, metadata.find_string(key));
  }
  if (!type && metadata.contains(prefix + "factor")) {
    return input_error(fmt::format("{} stands without '{}rope_type', so that its meaning is unknown",
                                   metadata.title(prefix + "factor"), prefix));
  }
  if (!type || *type == "default") return {};
  SMELT_ASSIGN(const RopeScaling scaling, find_scaling(metadata, key, *type));
  if (scaling != RopeScaling::longrope && !metadata.contains(prefix + "factor")) {
    return input_error(fmt::format("key '{}factor' is missing", prefix));
  }
  SMELT_ASSIGN(rope.factor, read_float_or(metadata, prefix + "factor", kMinPositive, kMaxFactor, 1.0F));
  if (scaling == RopeScaling::llama3) return read_llama3(metadata, prefix, rope);
  if (scaling == RopeScaling::yarn) return read_yarn(metadata, prefix, rope);
  if (scaling == RopeScaling::longrope) return read_longrope(metadata, prefix, rope);
  rope.scaling = scaling;
  return {};
}

bool has_prefix(const Metadata& metadata, const std::string& prefix) {
  return std::any_of(metadata.entries().begin(), metadata.entries().end(),
                     [&](const auto& entry) { return entry.first.starts_with(prefix); });
}

constexpr const char* kParameters = "rope_parameters.";

Result<std::vector<float>> factors_of(const Checkpoint& checkpoint, const TensorEntry& tensor, int64_t n_rope) {
  if (tensor.view.dtype != DType::f32 || tensor.view.shape != Shape{n_rope / 2}) {
    return input_error(fmt::format("{}: is {} {}, wanted F32 {}", checkpoint.describe(tensor),
                                   dtype_name(tensor.view.dtype), tensor.view.shape.to_string(), n_rope / 2));
  }
  std::vector<float> factors(static_cast<size_t>(n_rope / 2));
  tensor.view.decode_row_into(0, factors.data());
  for (const float factor : factors) {
    if (!(factor >= kMinPositive && factor <= kMaxFactor)) {
      return input_error(fmt::format("{}: holds the factor {:g}, allowed {:g} … {:g}", checkpoint.describe(tensor),
                                     factor, kMinPositive, kMaxFactor));
    }
  }
  return factors;
}

// LongRoPE is known by its tensors: files of llama.cpp do not always name it.
Status read_gguf_longrope(const Checkpoint& checkpoint, const std::string& prefix, int64_t n_rope, RopeConfig& rope) {
  const TensorEntry* short_tensor = checkpoint.find_tensor("rope_factors_short.weight");
  const TensorEntry* long_tensor = checkpoint.find_tensor("rope_factors_long.weight");
  if (short_tensor == nullptr || long_tensor == nullptr) return {};
  const Metadata& metadata = checkpoint.metadata();
  rope.scaling = RopeScaling::longrope;
  SMELT_ASSIGN(rope.n_ctx_original, read_float_or(metadata, prefix + ".rope.scaling.original_context_length", 1,
                                                  static_cast<double>(kMaxContext), 4096.0F));
  SMELT_ASSIGN(rope.magnitude,
               read_float_or(metadata, prefix + ".rope.scaling.attn_factor", kMinPositive, kMaxFactor, 1.0F));
  SMELT_ASSIGN(rope.short_factors, factors_of(checkpoint, *short_tensor, n_rope));
  SMELT_ASSIGN(rope.long_factors, factors_of(checkpoint, *long_tensor, n_rope));
  return {};
}

// GGUF has no word for dynamic scaling, which within the trained context is none.
Status read_own_dynamic(const Metadata& metadata, RopeConfig& rope) {
  const std::string own = kRopeScalingPrefix;
  SMELT_ASSIGN(const auto type, metadata.find_string(own + "rope_type"));
  if (!type || *type != "dynamic" || rope.scaling != RopeScaling::none) return {};
  rope.scaling = RopeScaling::dynamic;
  SMELT_ASSIGN(rope.factor, read_float_or(metadata, own + "factor", kMinPositive, kMaxFactor, 1.0F));
  return {};
}

Status read_gguf_yarn(const Metadata& metadata, const std::string& prefix, RopeConfig& rope) {
  const std::string scaling = prefix + ".rope.scaling.";
  rope.scaling = RopeScaling::yarn;
  SMELT_ASSIGN(const float n_ctx,
               read_float_or(metadata, prefix + ".context_length", 1, static_cast<double>(kMaxContext), 8192.0F));
  SMELT_ASSIGN(rope.n_ctx_original, read_float_or(metadata, scaling + "original_context_length", 1,
                                                  static_cast<double>(kMaxContext), n_ctx));
  SMELT_ASSIGN(rope.beta_fast, read_float_or(metadata, scaling + "yarn_beta_fast", kMinPositive, kMaxFactor, 32.0F));
  SMELT_ASSIGN(rope.beta_slow, read_float_or(metadata, scaling + "yarn_beta_slow", kMinPositive, kMaxFactor, 1.0F));
  SMELT_ASSIGN(const float more, read_float_or(metadata, scaling + "attn_factor", kMinPositive, kMaxFactor, 1.0F));
  rope.magnitude = more * yarn_magnitude(rope.factor);
  return {};
}

Result<RopeConfig> parse_gguf_scaling(const Metadata& metadata, const std::string& prefix) {
  RopeConfig rope;
  SMELT_ASSIGN(rope.base, read_float_or(metadata, prefix + ".rope.freq_base", kMinBase, kMaxBase, 10000.0F));
  const std::string type_key = prefix + ".rope.scaling.type";
  SMELT_ASSIGN(const std::optional<std::string> type, metadata.find_string(type_key));
  const bool is_known = !type || *type == "none" || *type == "linear" || *type == "yarn" || *type == "longrope";
  if (!is_known) {
    return bad_value(metadata, type_key, fmt::format("'{}'", escape_for_display(*type)),
                     "supported: 'none', 'linear', 'yarn', 'longrope'");
  }
  // Files of 2023 have the factor under rope.scale_linear and no type.
  const std::string factor_key = metadata.contains(prefix + ".rope.scaling.factor") ? prefix + ".rope.scaling.factor"
                                                                                    : prefix + ".rope.scale_linear";
  SMELT_ASSIGN(const float factor, read_float_or(metadata, factor_key, 0, kMaxFactor, 1.0F));
  const bool is_off = (type && *type == "none") || factor == 0.0F || factor == 1.0F;  // 0 means "not set" there
  if (is_off || (type && *type == "longrope")) return rope;
  rope.factor = factor;
  if (type && *type == "yarn") {
    SMELT_TRY(read_gguf_yarn(metadata, prefix, rope));
  } else {
    rope.scaling = RopeScaling::linear;
  }
  return rope;
}

// The exponent of 2 … of YaRN's blend: the pair that turns `turns` times in n_ctx positions.
double pair_of_turns(double turns, const RopeConfig& rope, int64_t n_rope) {
  const auto n = static_cast<double>(n_rope);
  return n * std::log(static_cast<double>(rope.n_ctx_original) / (turns * 2 * std::numbers::pi)) /
         (2 * std::log(static_cast<double>(rope.base)));
}

// What YaRN divides the frequency of pair i by.
double yarn_divisor(const RopeConfig& rope, int64_t n_rope, int64_t i) {
  const double low = std::max(0.0, std::floor(pair_of_turns(static_cast<double>(rope.beta_fast), rope, n_rope)));
  double high = std::min(static_cast<double>(n_rope - 1),
                         std::ceil(pair_of_turns(static_cast<double>(rope.beta_slow), rope, n_rope)));
  if (low == high) high += 0.001;
  const double stretched = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
  return 1.0 / (stretched / static_cast<double>(rope.factor) + (1.0 - stretched));
}

std::vector<float> divided(const std::vector<float>& values, const std::vector<float>& divisors) {
  std::vector<float> out = values;
  for (size_t i = 0; i < out.size(); ++i) out[i] /= divisors[i];
  return out;
}

}  // namespace

float yarn_magnitude(float factor) { return factor <= 1.0F ? 1.0F : 0.1F * std::log(factor) + 1.0F; }

Result<RopeConfig> parse_hf_rope(const Metadata& metadata, const HfKeys& keys) {
  RopeConfig rope;
  const std::string section = keys.rope_section;
  const bool is_new = has_prefix(metadata, kParameters + section);
  const std::string prefix = is_new ? kParameters + section : "rope_scaling.";
  const std::string base_key =
      is_new && metadata.contains(prefix + "rope_theta") ? prefix + "rope_theta" : keys.rope_base;
  SMELT_ASSIGN(rope.base, read_float_or(metadata, base_key, kMinBase, kMaxBase, 10000.0F));
  SMELT_TRY(read_hf_scaling(metadata, prefix, rope));
  return rope;
}

std::string rotated_share_key(const Metadata& metadata, const char* old_key) {
  const std::string key = std::string(kParameters) + "partial_rotary_factor";
  if (metadata.contains(key)) return key;
  if (const std::string scaling = "rope_scaling.partial_rotary_factor"; metadata.contains(scaling)) return scaling;
  return old_key == nullptr ? "partial_rotary_factor" : old_key;
}

Result<float> read_rotated_share(const Metadata& metadata, const char* old_key) {
  return read_float_or(metadata, rotated_share_key(metadata, old_key), 0, 1, 1.0F);
}

Result<RopeConfig> parse_gguf_rope(const Checkpoint& checkpoint, const std::string& prefix, int64_t n_rope) {
  SMELT_ASSIGN(RopeConfig rope, parse_gguf_scaling(checkpoint.metadata(), prefix));
  SMELT_TRY(read_gguf_longrope(checkpoint, prefix, n_rope, rope));
  SMELT_TRY(read_own_dynamic(checkpoint.metadata(), rope));
  return rope;
}

Status apply_rope(const RopeConfig& rope, ModelConfig& c) {
  c.rope_base = rope.base;
  c.rope_magnitude = rope.magnitude;
  c.inv_freq = make_inv_freq(rope, c.n_rope);
  if (rope.scaling == RopeScaling::dynamic) c.ntk_factor = rope.factor;
  if (rope.scaling != RopeScaling::longrope) return {};
  const auto n = static_cast<size_t>(c.n_rope / 2);
  if (rope.short_factors.size() != n || rope.long_factors.size() != n) {
    return input_error(fmt::format("LongRoPE has {} short and {} long factors, wanted {}: half the rotated values",
                                   rope.short_factors.size(), rope.long_factors.size(), n));
  }
  c.n_ctx_short = static_cast<int64_t>(rope.n_ctx_original);
  c.long_inv_freq = divided(c.inv_freq, rope.long_factors);
  c.inv_freq = divided(c.inv_freq, rope.short_factors);
  return {};
}

std::vector<float> make_rope_factors(const RopeConfig& rope, int64_t n_rope) {
  std::vector<float> factors(static_cast<size_t>(n_rope / 2), 1.0F);
  if (rope.scaling != RopeScaling::llama3) return factors;
  const double longest_kept = rope.n_ctx_original / rope.high_freq_factor;
  const double shortest_scaled = rope.n_ctx_original / rope.low_freq_factor;
  for (size_t i = 0; i < factors.size(); ++i) {
    const double inv_freq =
        std::pow(static_cast<double>(rope.base), -2.0 * static_cast<double>(i) / static_cast<double>(n_rope));
    const double wavelength = 2 * std::numbers::pi / inv_freq;
    if (wavelength < longest_kept) continue;
    if (wavelength > shortest_scaled) {
      factors[i] = rope.factor;
      continue;
    }
    const double kept_share = (rope.n_ctx_original / wavelength - rope.low_freq_factor) /
                              (static_cast<double>(rope.high_freq_factor) - rope.low_freq_factor);
    factors[i] = static_cast<float>(1.0 / ((1.0 - kept_share) / rope.factor + kept_share));
  }
  return factors;
}

std::vector<float> make_inv_freq(const RopeConfig& rope, int64_t n_rope) {
  std::vector<float> inv_freq = make_rope_factors(rope, n_rope);
  for (size_t i = 0; i < inv_freq.size(); ++i) {
    double value =
        std::pow(static_cast<double>(rope.base), -2.0 * static_cast<double>(i) / static_cast<double>(n_rope));
    value /= inv_freq[i];  // the llama3 factor, or 1
    if (rope.scaling == RopeScaling::linear) value /= rope.factor;
    if (rope.scaling == RopeScaling::yarn) value /= yarn_divisor(rope, n_rope, static_cast<int64_t>(i));
    inv_freq[i] = static_cast<float>(value);
  }
  return inv_freq;
}

Result<std::optional<std::vector<float>>> find_rope_factors(const Checkpoint& checkpoint, int64_t n_rope) {
  const TensorEntry* tensor = checkpoint.find_tensor("rope_freqs.weight");
  if (tensor == nullptr) return std::optional<std::vector<float>>();
  SMELT_ASSIGN(std::vector<float> factors, factors_of(checkpoint, *tensor, n_rope));
  return std::optional(std::move(factors));
}

std::optional<RopeConfig> recognise_rope_factors(std::span<const float> factors, const RopeConfig& base) {
  if (factors.empty()) return std::nullopt;
  RopeConfig rope = base;  // low 1, high 4, 8192: Llama 3.1, 3.2 and 3.3, which differ in the factor only
  rope.scaling = RopeScaling::llama3;
  rope.factor = *std::max_element(factors.begin(), factors.end());
  const std::vector<float> made = make_rope_factors(rope, static_cast<int64_t>(factors.size()) * 2);
  for (size_t i = 0; i < factors.size(); ++i) {
    if (std::fabs(made[i] - factors[i]) > 1e-4F * factors[i]) return std::nullopt;
  }
  return rope;
}

}  // namespace smelt
