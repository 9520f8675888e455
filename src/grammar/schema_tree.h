// A JSON schema as read: its values, references, and which keywords are known. Internal to this folder.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json_tree.h"
#include "base/result.h"

namespace smelt {

class SchemaTree {
 public:
  static Result<SchemaTree> parse(std::string_view json, const std::string& file_name);

  const JsonValue& root() const { return root_; }
  // The member, or null if there is none or the schema is no object.
  static const JsonValue* find(const JsonValue& schema, std::string_view keyword);
  // What "$ref" means: parts of this document only.
  Result<const JsonValue*> resolve(const JsonValue& schema) const;
  // Refuses keywords that are not supported, and values of the wrong type, by name and place.
  Status check(const JsonValue& schema) const;

  std::string pointer_of(const JsonValue& value) const;  // "#/properties/a"
  Error error(const JsonValue& schema, std::string_view keyword, const std::string& what) const;

 private:
  Status check_member(const JsonValue& schema, const JsonMember& member) const;

  JsonValue root_;
};

// Supported keywords, those that say nothing about values, and those that are refused, for messages and documents.
struct SchemaKeyword {
  enum class Kind : uint8_t {
    schema,
    schemas,
    named_schemas,
    number,
    count,
    text,
    texts,
    flag,
    types,
    any,
    note,
    refused
  };
  std::string_view name;
  Kind kind;
};
const std::vector<SchemaKeyword>& schema_keywords();

}  // namespace smelt
