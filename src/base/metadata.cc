// Metadata: typed look-ups with errors that name the key and both types.
#include "base/metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/text.h"

namespace smelt {
namespace {

Error absent(std::string_view key) { return input_error(fmt::format("key '{}' is missing", escape_for_display(key))); }

std::string describe(std::string_view key, const MetaPlace& place) {
  const std::string name = fmt::format("key '{}'", escape_for_display(key));
  if (place.line > 0) return fmt::format("{} at line {}:{}", name, place.line, place.position);
  return place.position > 0 ? fmt::format("{} at byte {}", name, place.position) : name;
}

Error wrong_type(std::string_view key, const MetaValue& value, const char* wanted) {
  return input_error(
      fmt::format("{} is of type {}, wanted {}", describe(key, value.place), meta_type_name(value.type), wanted));
}

template <class T>
Result<T> require(std::string_view key, Result<std::optional<T>> found) {
  if (!found) return std::move(found).error();
  if (!*found) return absent(key);
  return std::move(**found);
}

}  // namespace

const char* meta_type_name(MetaType type) {
  static constexpr std::array<const char*, 13> kNames = {"uint8",  "int8",    "uint16", "int16",  "uint32",
                                                         "int32",  "float32", "bool",   "string", "array",
                                                         "uint64", "int64",   "float64"};
  const auto index = static_cast<size_t>(type);
  return index < kNames.size() ? kNames[index] : "unknown";
}

MetaArray::MetaArray(const MetaArray& other)
    : element(other.element),
      values(std::visit(
          [](const auto& list) {
            auto copy = list;
            return Values(std::move(copy));
          },
          other.values)) {}

MetaArray& MetaArray::operator=(MetaArray other) noexcept {
  element = other.element;
  values = std::move(other.values);
  return *this;
}

size_t MetaArray::size() const {
  return std::visit([](const auto& list) { return list.size(); }, values);
}

MetaValue MetaValue::of_strings(std::vector<std::string> v) {
  return {MetaType::array, MetaArray{MetaType::string, std::move(v)}};
}
MetaValue MetaValue::of_f32s(std::vector<double> v) {
  return {MetaType::array, MetaArray{MetaType::f32, std::move(v)}};
}
MetaValue MetaValue::of_i32s(std::vector<int64_t> v) {
  return {MetaType::array, MetaArray{MetaType::i32, std::move(v)}};
}

void Metadata::set(const std::string& key, MetaValue value) {
  const auto [it, inserted] = index_.try_emplace(key, entries_.size());
  if (inserted)
    entries_.emplace_back(key, std::move(value));
  else
    entries_[it->second].second = std::move(value);
}

bool Metadata::erase(const std::string& key) {
  const auto it = index_.find(key);
  if (it == index_.end()) return false;
  const size_t place = it->second;
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(place));
  index_.erase(it);
  for (auto& [name, position] : index_) position -= position > place ? 1 : 0;
  return true;
}

const MetaValue* Metadata::find(std::string_view key) const {
  const auto it = index_.find(std::string(key));
  return it == index_.end() ? nullptr : &entries_[it->second].second;
}

std::string Metadata::title(std::string_view key) const {
  const MetaValue* value = find(key);
  return describe(key, value == nullptr ? MetaPlace{} : value->place);
}

Result<std::optional<uint64_t>> Metadata::find_uint(std::string_view key) const {
  const MetaValue* value = find(key);
  if (value == nullptr) return std::optional<uint64_t>();
  if (const auto* u = std::get_if<uint64_t>(&value->value); u != nullptr && value->type != MetaType::boolean) {
    return std::optional<uint64_t>(*u);
  }
  if (const auto* i = std::get_if<int64_t>(&value->value)) {
    if (*i >= 0) return std::optional<uint64_t>(static_cast<uint64_t>(*i));
    return input_error(fmt::format("{} is {}, wanted a number of at least 0", title(key), *i));
  }
  return wrong_type(key, *value, "an unsigned integer");
}

Result<std::optional<double>> Metadata::find_float(std::string_view key) const {
  const MetaValue* value = find(key);
  if (value == nullptr) return std::optional<double>();
  if (const auto* d = std::get_if<double>(&value->value)) return std::optional<double>(*d);
  if (const auto* i = std::get_if<int64_t>(&value->value)) return std::optional<double>(static_cast<double>(*i));
  if (const auto* u = std::get_if<uint64_t>(&value->value); u != nullptr && value->type != MetaType::boolean) {
    return std::optional<double>(static_cast<double>(*u));
  }
  return wrong_type(key, *value, "a number");
}

Result<std::optional<bool>> Metadata::find_bool(std::string_view key) const {
  const MetaValue* value = find(key);
  if (value == nullptr) return std::optional<bool>();
  if (value->type != MetaType::boolean) return wrong_type(key, *value, "bool");
  return std::optional<bool>(std::get<uint64_t>(value->value) != 0);
}

Result<std::optional<std::string>> Metadata::find_string(std::string_view key) const {
  const MetaValue* value = find(key);
  if (value == nullptr) return std::optional<std::string>();
  if (const auto* s = std::get_if<std::string>(&value->value)) return std::optional<std::string>(*s);
  return wrong_type(key, *value, "string");
}

Result<const std::vector<std::string>*> Metadata::find_strings(std::string_view key) const {
  const MetaValue* value = find(key);
  if (value == nullptr) return static_cast<const std::vector<std::string>*>(nullptr);
  if (const auto* array = std::get_if<MetaArray>(&value->value)) {
    if (const auto* list = std::get_if<std::vector<std::string>>(&array->values)) return list;
  }
  return wrong_type(key, *value, "an array of strings");
}

Result<std::optional<std::vector<double>>> Metadata::find_floats(std::string_view key) const {
  const MetaValue* value = find(key);
  if (value == nullptr) return std::optional<std::vector<double>>();
  const auto* array = std::get_if<MetaArray>(&value->value);
  if (array == nullptr || std::holds_alternative<std::vector<std::string>>(array->values)) {
    return wrong_type(key, *value, "an array of numbers");
  }
  return std::visit(
      [](const auto& list) -> std::optional<std::vector<double>> {
        if constexpr (std::is_same_v<std::decay_t<decltype(list)>, std::vector<std::string>>)
          return std::nullopt;
        else
          return std::vector<double>(list.begin(), list.end());
      },
      array->values);
}

Result<std::optional<std::vector<int64_t>>> Metadata::find_ints(std::string_view key) const {
  const MetaValue* value = find(key);
  if (value == nullptr) return std::optional<std::vector<int64_t>>();
  if (const auto* array = std::get_if<MetaArray>(&value->value)) {
    if (const auto* list = std::get_if<std::vector<int64_t>>(&array->values)) return std::optional(*list);
    if (const auto* list = std::get_if<std::vector<uint64_t>>(&array->values)) {
      const auto big = std::find_if(list->begin(), list->end(), [](uint64_t v) { return v > INT64_MAX; });
      if (big == list->end()) return std::optional(std::vector<int64_t>(list->begin(), list->end()));
      return input_error(fmt::format("{} holds {}, wanted numbers below 2^63", title(key), *big));
    }
  }
  return wrong_type(key, *value, "an array of integers");
}

Result<uint64_t> Metadata::get_uint(std::string_view key) const { return require(key, find_uint(key)); }
Result<double> Metadata::get_float(std::string_view key) const { return require(key, find_float(key)); }
Result<bool> Metadata::get_bool(std::string_view key) const { return require(key, find_bool(key)); }
Result<std::string> Metadata::get_string(std::string_view key) const { return require(key, find_string(key)); }

}  // namespace smelt
