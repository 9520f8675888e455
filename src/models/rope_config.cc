// Reading of rope settings in both dialects, and the arithmetic of frequency scaling.
#include "models/rope_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/text.h"
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

// Settings that are not known here would change the text unnoticed (YaRN's factors, a value for each kind of layer).
Status refuse_unknown_settings(const Metadata& metadata, const std::string& prefix) {
  static constexpr std::string_view kKnown[] = {"rope_theta",
                                                "rope_type",
                                                "type",
                                                "factor",
                                                "low_freq_factor",
                                                "high_freq_factor",
                                                "partial_rotary_factor",
                                                "original_max_position_embeddings"};
  for (const auto& [key, value] : metadata.entries()) {
    if (!key.starts_with(prefix)) continue;
    const std::string_view name = std::string_view(key).substr(prefix.size());
    if (std::find(std::begin(kKnown), std::end(kKnown), name) == std::end(kKnown)) {
      return input_error(metadata.title(key) + ": this setting of rotary positions is not supported");
    }
  }
  for (const std::string& key : {prefix + "partial_rotary_factor", std::string("partial_rotary_factor")}) {
    SMELT_ASSIGN(const float share, read_float_or(metadata, key, 0, 1, 1.0F));
    if (share != 1.0F) return bad_value(metadata, key, fmt::format("{:g}", share), "only 1 is supported");
  }
  return {};
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
  if (*type != "linear" && *type != "llama3") {
    return bad_value(metadata, key, fmt::format("'{}'", escape_for_display(*type)),
                     "supported: 'default', 'linear', 'llama3'");
  }
  if (!metadata.contains(prefix + "factor")) return input_error(fmt::format("key '{}factor' is missing", prefix));
  SMELT_ASSIGN(rope.factor, read_float_or(metadata, prefix + "factor", kMinPositive, kMaxFactor, 1.0F));
  if (*type == "llama3") return read_llama3(metadata, prefix, rope);
  rope.scaling = RopeScaling::linear;
  return {};
}

bool has_prefix(const Metadata& metadata, const std::string& prefix) {
  return std::any_of(metadata.entries().begin(), metadata.entries().end(),
                     [&](const auto& entry) { return entry.first.starts_with(prefix); });
}

}  // namespace

Result<RopeConfig> parse_hf_rope(const Metadata& metadata) {
  RopeConfig rope;
  const bool is_new = has_prefix(metadata, "rope_parameters.");
  const std::string prefix = is_new ? "rope_parameters." : "rope_scaling.";
  const std::string base_key =
      is_new && metadata.contains("rope_parameters.rope_theta") ? "rope_parameters.rope_theta" : "rope_theta";
  SMELT_ASSIGN(rope.base, read_float_or(metadata, base_key, kMinBase, kMaxBase, 10000.0F));
  SMELT_TRY(read_hf_scaling(metadata, prefix, rope));
  return rope;
}

Result<RopeConfig> parse_gguf_rope(const Metadata& metadata, const std::string& prefix) {
  RopeConfig rope;
  SMELT_ASSIGN(rope.base, read_float_or(metadata, prefix + ".rope.freq_base", kMinBase, kMaxBase, 10000.0F));
  const std::string type_key = prefix + ".rope.scaling.type";
  SMELT_ASSIGN(const std::optional<std::string> type, metadata.find_string(type_key));
  if (type && *type != "none" && *type != "linear") {
    return bad_value(metadata, type_key, fmt::format("'{}'", escape_for_display(*type)), "supported: 'none', 'linear'");
  }
  // Files of 2023 have the factor under rope.scale_linear and no type.
  const std::string factor_key = metadata.contains(prefix + ".rope.scaling.factor") ? prefix + ".rope.scaling.factor"
                                                                                    : prefix + ".rope.scale_linear";
  SMELT_ASSIGN(const float factor, read_float_or(metadata, factor_key, 0, kMaxFactor, 1.0F));
  const bool is_off = (type && *type == "none") || factor == 0.0F || factor == 1.0F;  // 0 means "not set" there
  if (is_off) return rope;
  rope.scaling = RopeScaling::linear;
  rope.factor = factor;
  return rope;
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
    inv_freq[i] = static_cast<float>(value);
  }
  return inv_freq;
}

Result<std::optional<std::vector<float>>> find_rope_factors(const Checkpoint& checkpoint, int64_t n_rope) {
  const TensorEntry* tensor = checkpoint.find_tensor("rope_freqs.weight");
  if (tensor == nullptr) return std::optional<std::vector<float>>();
  if (tensor->view.dtype != DType::f32 || tensor->view.shape != Shape{n_rope / 2}) {
    return input_error(fmt::format("{}: is {} {}, wanted F32 {}", checkpoint.describe(*tensor),
                                   dtype_name(tensor->view.dtype), tensor->view.shape.to_string(), n_rope / 2));
  }
  std::vector<float> factors(static_cast<size_t>(n_rope / 2));
  tensor->view.decode_row_into(0, factors.data());
  for (const float factor : factors) {
    if (!(factor >= kMinPositive && factor <= kMaxFactor)) {
      return input_error(fmt::format("{}: holds the factor {:g}, allowed {:g} … {:g}", checkpoint.describe(*tensor),
                                     factor, kMinPositive, kMaxFactor));
    }
  }
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
