// JSON as a tree, for tokenizer.json, vocab.json and JSON schemas: built from the events of json_walk.h, with a limit
// of depth and no key twice.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace smelt {

struct JsonMember;

struct JsonValue {
  using Array = std::vector<JsonValue>;
  using Object = std::vector<JsonMember>;                                                 // in file order
  std::variant<std::monostate, bool, int64_t, double, std::string, Array, Object> value;  // monostate: null

  bool is_null() const { return std::holds_alternative<std::monostate>(value); }
  const std::string* text() const { return std::get_if<std::string>(&value); }
  const Array* array() const { return std::get_if<Array>(&value); }
  const Object* object() const { return std::get_if<Object>(&value); }
  const int64_t* integer() const { return std::get_if<int64_t>(&value); }
  std::optional<double> number() const;  // of either kind
};

struct JsonMember {
  std::string key;
  JsonValue value;
};

// Errors begin with the file's name and give line and column.
Result<JsonValue> parse_json_tree(std::string_view text, const std::string& file_name);

// A value together with its path ("model.vocab"), which begins every error about it. Does not own the value.
class JsonField {
 public:
  JsonField(const JsonValue& value, std::string path) : value_(&value), path_(std::move(path)) {}

  const JsonValue& value() const { return *value_; }
  const std::string& path() const { return path_; }
  // The member of an object; null counts as absent. Nothing if this is not an object.
  std::optional<JsonField> find(std::string_view key) const;
  Result<JsonField> get(std::string_view key) const;
  JsonField at(size_t index) const;  // of an array that is long enough
  // Members of an object that are absent or null give the default; of another type, an error.
  Result<bool> get_bool(std::string_view key, bool otherwise) const;
  Result<std::string> get_string(std::string_view key, std::string_view otherwise) const;

  Result<const JsonValue::Array*> array() const;
  Result<const JsonValue::Object*> object() const;
  Result<std::string> string() const;
  Result<int64_t> integer() const;
  Result<double> number() const;

  // "field 'model.vocab': " and what is wrong.
  Error error(const std::string& what) const;

 private:
  Error wrong_type(const char* wanted) const;

  const JsonValue* value_;
  std::string path_;
};

}  // namespace smelt
