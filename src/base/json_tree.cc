// parse_json_tree: the events of walk_json put together as a JsonValue.
#include "base/json_tree.h"

#include <fmt/format.h>

#include "base/json_walk.h"
#include "base/text.h"

namespace smelt {
namespace {

class TreeBuilder : public JsonVisitor {
 public:
  Status begin_object() override { return open({JsonValue::Object()}); }
  Status end_object() override { return close(); }
  Status begin_array() override { return open({JsonValue::Array()}); }
  Status end_array() override { return close(); }
  Status key(std::string name, uint64_t /*offset*/) override {
    open_.back().key = std::move(name);
    return {};
  }
  Status scalar(JsonScalar value) override {
    put(std::visit([](auto&& each) { return to_value(std::forward<decltype(each)>(each)); }, std::move(value)));
    return {};
  }
  JsonValue take_root() { return std::move(root_); }

 private:
  struct Level {
    JsonValue value;
    std::string key;  // under which the next value goes
  };

  template <class T>
  static JsonValue to_value(T value) {
    return {std::move(value)};
  }
  static JsonValue to_value(uint64_t value) {
    if (value <= uint64_t{INT64_MAX}) return {static_cast<int64_t>(value)};
    return {static_cast<double>(value)};
  }
  void put(JsonValue value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (auto* list = std::get_if<JsonValue::Array>(&open_.back().value.value)) {
      list->push_back(std::move(value));
    } else {
      std::get<JsonValue::Object>(open_.back().value.value).push_back({std::move(open_.back().key), std::move(value)});
    }
  }
  Status open(JsonValue container) {
    open_.push_back({std::move(container), ""});
    return {};
  }
  Status close() {
    JsonValue done = std::move(open_.back().value);
    open_.pop_back();
    put(std::move(done));
    return {};
  }

  std::vector<Level> open_;
  JsonValue root_;
};

const char* type_name(const JsonValue& value) {
  static constexpr const char* kNames[] = {"null",     "a boolean", "a number", "a number",
                                           "a string", "an array",  "an object"};
  return kNames[value.value.index()];
}

}  // namespace

std::optional<double> JsonValue::number() const {
  if (const auto* d = std::get_if<double>(&value)) return *d;
  if (const auto* i = std::get_if<int64_t>(&value)) return static_cast<double>(*i);
  return std::nullopt;
}

Result<JsonValue> parse_json_tree(std::string_view text, const std::string& file_name) {
  TreeBuilder builder;
  SMELT_TRY(walk_json({.text = text, .file_name = file_name}, builder));
  return builder.take_root();
}

std::optional<JsonField> JsonField::find(std::string_view key) const {
  const JsonValue::Object* members = value_->object();
  if (members == nullptr) return std::nullopt;
  for (const JsonMember& member : *members) {
    if (member.key != key) continue;
    if (member.value.is_null()) return std::nullopt;
    return JsonField(member.value, path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key));
  }
  return std::nullopt;
}

Result<JsonField> JsonField::get(std::string_view key) const {
  if (auto member = find(key)) return *member;
  if (value_->object() == nullptr) return wrong_type("an object");
  return input_error(fmt::format("field '{}{}{}' is missing", path_, path_.empty() ? "" : ".", key));
}

JsonField JsonField::at(size_t index) const { return {(*value_->array())[index], fmt::format("{}[{}]", path_, index)}; }

Result<bool> JsonField::get_bool(std::string_view key, bool otherwise) const {
  const auto member = find(key);
  if (!member) return otherwise;
  if (const auto* flag = std::get_if<bool>(&member->value_->value)) return *flag;
  return member->wrong_type("a boolean");
}

Result<std::string> JsonField::get_string(std::string_view key, std::string_view otherwise) const {
  const auto member = find(key);
  if (!member) return std::string(otherwise);
  return member->string();
}

Result<const JsonValue::Array*> JsonField::array() const {
  if (const auto* list = value_->array()) return list;
  return wrong_type("an array");
}

Result<const JsonValue::Object*> JsonField::object() const {
  if (const auto* members = value_->object()) return members;
  return wrong_type("an object");
}

Result<std::string> JsonField::string() const {
  if (const auto* text = value_->text()) return *text;
  return wrong_type("a string");
}

Result<int64_t> JsonField::integer() const {
  if (const auto* number = value_->integer()) return *number;
  return wrong_type("an integer");
}

Result<double> JsonField::number() const {
  if (const auto number = value_->number()) return *number;
  return wrong_type("a number");
}

Error JsonField::error(const std::string& what) const {
  return input_error(path_.empty() ? what : fmt::format("field '{}': {}", escape_for_display(path_), what));
}

Error JsonField::wrong_type(const char* wanted) const {
  return error(fmt::format("is {}, must be {}", type_name(*value_), wanted));
}

}  // namespace smelt
