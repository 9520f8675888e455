// parse_json_metadata and format_json_metadata: JSON objects as flat Metadata and back. Called by hf_folder.cc, and by
// compress/ when it writes config.json.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/json_walk.h"
#include "base/text.h"
#include "formats/hf_folder.h"
#include "formats/memory_guard.h"

namespace smelt {
namespace {

constexpr size_t kMaxNestedParts = 32;  // of a dotted key, when it is nested again

// Elements of the array that is being read; mixed or nested ones are dropped at its end.
struct ArrayBuilder {
  std::vector<JsonScalar> values;
  bool keep = true;
};

template <class T>
bool all_are(const std::vector<JsonScalar>& values) {
  return std::all_of(values.begin(), values.end(), [](const JsonScalar& v) { return std::holds_alternative<T>(v); });
}

std::optional<double> as_double(const JsonScalar& value) {
  if (const auto* d = std::get_if<double>(&value)) return *d;
  if (const auto* i = std::get_if<int64_t>(&value)) return static_cast<double>(*i);
  if (const auto* u = std::get_if<uint64_t>(&value)) return static_cast<double>(*u);
  return std::nullopt;
}

std::optional<int64_t> as_int64(const JsonScalar& value) {
  if (const auto* i = std::get_if<int64_t>(&value)) return *i;
  if (const auto* u = std::get_if<uint64_t>(&value); u != nullptr && *u <= INT64_MAX) return static_cast<int64_t>(*u);
  return std::nullopt;
}

template <class T, class Convert>
std::optional<std::vector<T>> convert_all(const std::vector<JsonScalar>& values, Convert convert) {
  std::vector<T> out;
  for (const JsonScalar& value : values) {
    const auto converted = convert(value);
    if (!converted) return std::nullopt;
    out.push_back(*converted);
  }
  return out;
}

std::optional<MetaValue> make_array(std::vector<JsonScalar>& values) {
  if (values.empty()) return std::nullopt;
  if (all_are<std::string>(values)) {
    std::vector<std::string> texts;
    for (JsonScalar& value : values) texts.push_back(std::move(std::get<std::string>(value)));
    return MetaValue::of_strings(std::move(texts));
  }
  if (all_are<bool>(values)) {
    std::vector<uint64_t> flags;
    for (const JsonScalar& value : values) flags.push_back(std::get<bool>(value) ? 1 : 0);
    return MetaValue{MetaType::array, MetaArray{MetaType::boolean, std::move(flags)}};
  }
  if (auto ints = convert_all<int64_t>(values, as_int64))
    return MetaValue{MetaType::array, MetaArray{MetaType::i64, std::move(*ints)}};
  if (auto floats = convert_all<double>(values, as_double))
    return MetaValue{MetaType::array, MetaArray{MetaType::f64, std::move(*floats)}};
  return std::nullopt;
}

std::optional<MetaValue> make_scalar(JsonScalar& value) {
  if (auto* text = std::get_if<std::string>(&value)) return MetaValue::of_string(std::move(*text));
  if (const auto* flag = std::get_if<bool>(&value)) return MetaValue::of_bool(*flag);
  if (const auto* d = std::get_if<double>(&value)) return MetaValue::of_f64(*d);
  if (const auto i = as_int64(value)) return MetaValue::of_i64(*i);
  if (const auto* u = std::get_if<uint64_t>(&value)) return MetaValue::of_u64(*u);
  return std::nullopt;  // null
}

class Flattener : public JsonVisitor {
 public:
  explicit Flattener(std::string_view text) : text_(text) {}

  Status begin_object() override {
    if (array_depth_ > 0) {
      array_.keep = false;
      ++object_depth_in_array_;
      return {};
    }
    if (++depth_ > 1) prefix_ends_.push_back(path_.size());
    return {};
  }
  Status end_object() override {
    if (object_depth_in_array_ > 0) {
      --object_depth_in_array_;
      return {};
    }
    if (--depth_ > 0) {
      path_.resize(prefix_ends_.back());
      prefix_ends_.pop_back();
    }
    return {};
  }
  Status begin_array() override {
    if (depth_ == 0) return input_error("the top level is an array, must be an object");
    if (array_depth_++ > 0) {
      array_.keep = false;
    } else {
      array_ = {};
    }
    return {};
  }
  Status end_array() override {
    if (--array_depth_ > 0 || !array_.keep) return {};
    return add(make_array(array_.values));
  }
  Status key(std::string name, uint64_t offset) override {
    if (array_depth_ > 0) return {};
    key_offset_ = offset;
    path_.resize(prefix_ends_.empty() ? 0 : prefix_ends_.back());
    if (!path_.empty() || !prefix_ends_.empty()) path_ += '.';
    path_ += name;
    return {};
  }
  Status scalar(JsonScalar value) override {
    if (depth_ == 0) return input_error("the top level is a single value, must be an object");
    if (array_depth_ == 0) return add(make_scalar(value));
    if (array_.keep) array_.values.push_back(std::move(value));
    return {};
  }

  Metadata take() { return std::move(metadata_); }

 private:
  Status add(std::optional<MetaValue> value) {
    if (!value) return {};
    // {"a.b": 1, "a": {"b": 2}} is legal JSON, but the flat names meet.
    if (metadata_.contains(path_)) {
      return input_error(
          fmt::format("key '{}' was already given in another spelling; remove one of them", escape_for_display(path_)));
    }
    value->place = place_of(key_offset_);
    metadata_.set(path_, std::move(*value));
    return {};
  }

  // Keys come in the order of the text, so that lines are counted once.
  MetaPlace place_of(uint64_t offset) {
    for (; counted_ < offset; ++counted_) {
      if (text_[counted_] != '\n') continue;
      ++line_;
      line_start_ = counted_ + 1;
    }
    return {.line = line_, .position = offset - line_start_ + 1};
  }

  std::string_view text_;
  uint64_t counted_ = 0, line_ = 1, line_start_ = 0;
  uint64_t key_offset_ = 0;
  Metadata metadata_;
  std::string path_;                 // of the current key, with dots
  std::vector<size_t> prefix_ends_;  // lengths of path_ for the objects around it, the top one left out
  ArrayBuilder array_;
  int depth_ = 0;
  int array_depth_ = 0;
  int object_depth_in_array_ = 0;
};

// A 32-bit float with the digits that it needs ("1e-05"), not those of its widened value.
double shortest_double(float value) { return std::strtod(fmt::format("{}", value).c_str(), nullptr); }

nlohmann::ordered_json number_json(MetaType type, double value) {
  if (!std::isfinite(value)) return nullptr;
  return type == MetaType::f32 ? shortest_double(static_cast<float>(value)) : value;
}

template <class T>
nlohmann::ordered_json element_json(MetaType type, const T& value) {
  if constexpr (std::is_same_v<T, double>) {
    return number_json(type, value);
  } else if constexpr (std::is_same_v<T, uint64_t>) {
    return type == MetaType::boolean ? nlohmann::ordered_json(value != 0) : nlohmann::ordered_json(value);
  } else {
    return value;
  }
}

nlohmann::ordered_json value_json(const MetaValue& value) {
  return std::visit(
      [&](const auto& content) -> nlohmann::ordered_json {
        if constexpr (std::is_same_v<std::decay_t<decltype(content)>, MetaArray>) {
          auto list = nlohmann::ordered_json::array();
          std::visit(
              [&](const auto& values) {
                for (const auto& v : values) list.push_back(element_json(content.element, v));
              },
              content.values);
          return list;
        } else {
          return element_json(value.type, content);
        }
      },
      value.value);
}

std::vector<std::string> split_at_dots(const std::string& key) {
  std::vector<std::string> parts(1);
  for (const char c : key) {
    if (c == '.') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

// True if a part of the dotted key is a key itself ("a" and "a.b"): JSON cannot nest it then, and it keeps its dots.
bool runs_through_a_value(const Metadata& metadata, const std::string& key) {
  for (size_t dot = key.find('.'); dot != std::string::npos; dot = key.find('.', dot + 1)) {
    if (metadata.contains(std::string_view(key).substr(0, dot))) return true;
  }
  return false;
}

void insert_nested(nlohmann::ordered_json& root, const std::vector<std::string>& parts, nlohmann::ordered_json value) {
  nlohmann::ordered_json* at = &root;
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    const auto found = at->find(parts[i]);
    at = found != at->end() ? &*found : &((*at)[parts[i]] = nlohmann::ordered_json::object());
  }
  (*at)[parts.back()] = std::move(value);
}

// Python writes infinities, which JSON does not know ("time_step_limit": [0.0, Infinity]): in strings they stay,
// elsewhere they become the largest number of the same length, so that positions in messages remain right.
std::string without_infinities(std::string_view json) {
  constexpr std::string_view kInfinity = "Infinity";
  constexpr std::string_view kLargest = "1.00e308";
  static_assert(kInfinity.size() == kLargest.size());
  std::string out(json);
  bool in_string = false;
  for (size_t i = 0; i < out.size(); ++i) {
    if (in_string && out[i] == '\\') {
      ++i;
    } else if (out[i] == '"') {
      in_string = !in_string;
    } else if (!in_string && out.compare(i, kInfinity.size(), kInfinity) == 0) {
      out.replace(i, kInfinity.size(), kLargest);
    }
  }
  return out;
}

}  // namespace

Result<Metadata> parse_json_metadata(std::string_view json, const std::string& file_name) {
  return with_memory_guard(file_name, [&]() -> Result<Metadata> {
    const std::string text = without_infinities(json);
    Flattener flattener(text);
    SMELT_TRY(walk_json({.text = text, .file_name = file_name}, flattener));
    return flattener.take();
  });
}

std::string format_json_metadata(const Metadata& metadata) {
  auto root = nlohmann::ordered_json::object();
  for (const auto& [key, value] : metadata.entries()) {
    const std::vector<std::string> parts = split_at_dots(key);
    const bool keep_dots = parts.size() > kMaxNestedParts || runs_through_a_value(metadata, key);
    insert_nested(root, keep_dots ? std::vector<std::string>{key} : parts, value_json(value));
  }
  return root.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace smelt
