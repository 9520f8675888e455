// Checked reading of hyper-parameters.
#include "models/config_reader.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

#include "base/text.h"

namespace smelt {

Error bad_value(const Metadata& metadata, const std::string& key, const std::string& value, const std::string& wanted) {
  return input_error(fmt::format("{} is {}, {}", metadata.title(key), value, wanted));
}

Error bad_count(const Metadata& metadata, const std::string& key, int64_t value, const std::string& wanted) {
  return bad_value(metadata, key, std::to_string(value), wanted);
}

Result<std::optional<int64_t>> find_count(const Metadata& metadata, const std::string& key, CountRange range) {
  SMELT_ASSIGN(const std::optional<uint64_t> value, metadata.find_uint(key));
  if (!value) return std::optional<int64_t>();
  if (*value < static_cast<uint64_t>(range.min) || *value > static_cast<uint64_t>(range.max)) {
    return bad_value(metadata, key, std::to_string(*value), fmt::format("allowed {} … {}", range.min, range.max));
  }
  return std::optional<int64_t>(static_cast<int64_t>(*value));
}

Result<int64_t> read_count(const Metadata& metadata, const std::string& key, CountRange range) {
  SMELT_ASSIGN(const std::optional<int64_t> value, find_count(metadata, key, range));
  if (!value) return input_error(fmt::format("key '{}' is missing", escape_for_display(key)));
  return *value;
}

Result<float> read_float_or(const Metadata& metadata, const std::string& key, double min, double max, float fallback) {
  SMELT_ASSIGN(const std::optional<double> value, metadata.find_float(key));
  if (!value) return fallback;
  if (!(*value >= min && *value <= max)) {
    return bad_value(metadata, key, fmt::format("{:g}", *value), fmt::format("allowed {:g} … {:g}", min, max));
  }
  return static_cast<float>(*value);
}

Status refuse_if_true(const Metadata& metadata, const std::string& key, const std::string& feature) {
  SMELT_ASSIGN(const std::optional<bool> value, metadata.find_bool(key));
  if (value.value_or(false)) return bad_value(metadata, key, "true", feature + " is not supported");
  return {};
}

Status require_string(const Metadata& metadata, const std::string& key, const std::string& only) {
  SMELT_ASSIGN(const std::optional<std::string> value, metadata.find_string(key));
  if (!value || *value == only) return {};
  return bad_value(metadata, key, fmt::format("'{}'", escape_for_display(*value)),
                   fmt::format("only '{}' is supported", only));
}

MetaValue json_number(float value) {
  std::array<char, 32> text{};
  const char* end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  double same = static_cast<double>(value);
  std::from_chars(text.data(), end, same);
  return MetaValue::of_f64(same);
}

}  // namespace smelt
