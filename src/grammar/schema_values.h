// Values of JSON: written compactly, compared, and checked against a schema. Internal to this folder.
#pragma once

#include <string>

#include "base/result.h"
#include "grammar/schema_tree.h"

namespace smelt {

// An error for a number that cannot be written exactly.
Result<std::string> format_json_value(const JsonValue& value);
bool equal_values(const JsonValue& a, const JsonValue& b);  // 1 and 1.0 are equal
std::string quote_json(std::string_view text);              // with quotes

// Whether a value is valid. An error where that cannot be said: "format", or unsupported keywords.
Result<bool> is_valid(const SchemaTree& tree, const JsonValue& schema, const JsonValue& value);

}  // namespace smelt
