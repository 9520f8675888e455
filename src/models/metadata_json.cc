// smelt_metadata.json: what a GGUF file's key-value section says beyond the files of a Hugging Face folder.
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "models/canonical_keys.h"

namespace smelt {
namespace {

using Json = nlohmann::ordered_json;

// JSON has neither bytes that are no UTF-8 nor non-finite numbers; both are spelt out.
Json json_of(const std::string& text) {
  if (is_valid_utf8(text)) return text;
  std::string hex;
  for (const char c : text) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return Json{{"hex", hex}};
}
Json json_of(double value) {
  if (std::isfinite(value)) return value;
  return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}
Json json_of(int64_t value) { return value; }
Json json_of(uint64_t value) { return value; }

template <class T>
Json json_of(const std::vector<T>& list) {
  Json array = Json::array();
  for (const T& each : list) array.push_back(json_of(each));
  return array;
}

Json json_of(const MetaValue& value) {
  Json out = {{"type", meta_type_name(value.type)}};
  if (const auto* array = std::get_if<MetaArray>(&value.value)) {
    out["element"] = meta_type_name(array->element);
    out["value"] = std::visit([](const auto& list) { return json_of(list); }, array->values);
    return out;
  }
  std::visit(
      [&](const auto& v) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(v)>, MetaArray>) out["value"] = json_of(v);
      },
      value.value);
  return out;
}

bool equal(const MetaValue& a, const MetaValue& b) { return json_of(a) == json_of(b); }

std::optional<MetaType> find_type(const Json& object, const char* field) {
  if (!object.contains(field) || !object[field].is_string()) return std::nullopt;
  for (int t = 0; t <= static_cast<int>(MetaType::f64); ++t) {
    if (object[field] == meta_type_name(static_cast<MetaType>(t))) return static_cast<MetaType>(t);
  }
  return std::nullopt;
}

std::optional<std::string> string_of(const Json& json) {
  if (json.is_string()) return json.get<std::string>();
  if (!json.is_object() || !json.contains("hex") || !json["hex"].is_string()) return std::nullopt;
  const auto hex = json["hex"].get<std::string>();
  std::string text;
  for (size_t i = 0; i + 2 <= hex.size(); i += 2) {
    unsigned byte = 0;
    if (std::from_chars(hex.data() + i, hex.data() + i + 2, byte, 16).ptr != hex.data() + i + 2) return std::nullopt;
    text += static_cast<char>(byte);
  }
  return text;
}

std::optional<double> float_of(const Json& json) {
  if (json.is_number()) return json.get<double>();
  if (json == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (json == "inf") return std::numeric_limits<double>::infinity();
  if (json == "-inf") return -std::numeric_limits<double>::infinity();
  return std::nullopt;
}

bool is_signed(MetaType type) {
  return type == MetaType::i8 || type == MetaType::i16 || type == MetaType::i32 || type == MetaType::i64;
}
bool is_float(MetaType type) { return type == MetaType::f32 || type == MetaType::f64; }

// The width of an integer type in bits; GGUF's writer relies on values fitting their type.
int bits_of(MetaType type) {
  switch (type) {
    case MetaType::boolean:
      return 1;
    case MetaType::u8:
    case MetaType::i8:
      return 8;
    case MetaType::u16:
    case MetaType::i16:
      return 16;
    case MetaType::u32:
    case MetaType::i32:
      return 32;
    default:
      return 64;
  }
}

std::optional<int64_t> signed_of(const Json& json, MetaType type) {
  if (!json.is_number_integer()) return std::nullopt;
  if (json.is_number_unsigned() && json.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
  const auto value = json.get<int64_t>();
  const int64_t limit = INT64_MAX >> (64 - bits_of(type));
  return value >= -limit - 1 && value <= limit ? std::optional(value) : std::nullopt;
}

std::optional<uint64_t> unsigned_of(const Json& json, MetaType type) {
  if (!json.is_number_unsigned()) return std::nullopt;
  const auto value = json.get<uint64_t>();
  return value <= UINT64_MAX >> (64 - bits_of(type)) ? std::optional(value) : std::nullopt;
}

template <class T, class Convert>
std::optional<MetaArray> array_of(const Json& json, MetaType element, const Convert& convert) {
  std::vector<T> list;
  for (const Json& each : json) {
    std::optional<T> value = convert(each);
    if (!value) return std::nullopt;
    list.push_back(std::move(*value));
  }
  return MetaArray{element, std::move(list)};
}

std::optional<MetaArray> array_of(const Json& json, MetaType element) {
  if (!json.is_array() || element == MetaType::array) return std::nullopt;
  if (element == MetaType::string) return array_of<std::string>(json, element, string_of);
  if (is_float(element)) return array_of<double>(json, element, float_of);
  if (is_signed(element)) return array_of<int64_t>(json, element, [&](const Json& j) { return signed_of(j, element); });
  return array_of<uint64_t>(json, element, [&](const Json& j) { return unsigned_of(j, element); });
}

template <class T>
std::optional<MetaValue> wrap(MetaType type, std::optional<T> value) {
  if (!value) return std::nullopt;
  return MetaValue{type, std::move(*value)};
}

std::optional<MetaValue> value_of(const Json& object) {
  if (!object.is_object() || !object.contains("value")) return std::nullopt;
  const std::optional<MetaType> type = find_type(object, "type");
  const Json& value = object["value"];
  if (!type) return std::nullopt;
  if (*type == MetaType::array) {
    const std::optional<MetaType> element = find_type(object, "element");
    return element ? wrap(*type, array_of(value, *element)) : std::nullopt;
  }
  if (*type == MetaType::string) return wrap(*type, string_of(value));
  if (is_float(*type)) return wrap(*type, float_of(value));
  return is_signed(*type) ? wrap(*type, signed_of(value, *type)) : wrap(*type, unsigned_of(value, *type));
}

// Deeper nesting than we write is refused before the parser's recursion could grow.
bool keep_shallow(int depth, Json::parse_event_t, Json&) { return depth <= 8; }

}  // namespace

std::string format_metadata_json(const Metadata& metadata, const Metadata& base) {
  Json keys = Json::array();
  Json values = Json::object();
  for (const auto& [key, value] : metadata.entries()) {
    if (!is_valid_utf8(key)) continue;  // not a key that any reader asks for
    keys.push_back(key);
    const MetaValue* known = base.find(key);
    if (known == nullptr || !equal(*known, value)) values[key] = json_of(value);
  }
  return Json{{"keys", std::move(keys)}, {"values", std::move(values)}}.dump(1) + "\n";
}

Result<Metadata> parse_metadata_json(const std::string& json, const Metadata& base) {
  const Json root = Json::parse(json, keep_shallow, false);
  if (!root.is_object() || !root.contains("keys") || !root["keys"].is_array() || !root.contains("values") ||
      !root["values"].is_object()) {
    return input_error("wanted a JSON object with 'keys' and 'values'; remove the file to do without it");
  }
  Metadata metadata;
  for (const Json& each : root["keys"]) {
    if (!each.is_string()) return input_error("'keys' must hold strings");
    const auto key = each.get<std::string>();
    const auto stored = root["values"].find(key);
    if (stored != root["values"].end()) {
      std::optional<MetaValue> value = value_of(*stored);
      if (!value)
        return input_error(fmt::format("'values' of key '{}': no valid type and value", escape_for_display(key)));
      metadata.set(key, std::move(*value));
    } else if (const MetaValue* value = base.find(key)) {
      metadata.set(key, *value);
    }
  }
  return metadata;
}

}  // namespace smelt
