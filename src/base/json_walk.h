// JSON as a stream of events, for headers, configurations, tokenizers, schemas and the data of templates: no tree is
// built and nothing recurses, so that depth and size of a hostile file cost nothing. Wraps nlohmann::json's parser.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"

namespace smelt {

using JsonScalar = std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string>;  // monostate: null

// Receives the events. An error's message is put behind file and position by walk_json, and ends the walk.
class JsonVisitor {
 public:
  virtual ~JsonVisitor() = default;
  virtual Status begin_object() = 0;
  virtual Status end_object() = 0;
  virtual Status begin_array() = 0;
  virtual Status end_array() = 0;
  virtual Status key(std::string name, uint64_t offset) = 0;  // of the name's end in the text
  virtual Status scalar(JsonScalar value) = 0;
};

struct JsonSource {
  std::string_view text;
  std::string file_name;
  // Where the text begins in a binary file: errors then give byte offsets; otherwise line and column.
  std::optional<uint64_t> byte_offset{};
  int max_depth = 64;
};

// Refuses ill-formed JSON or UTF-8, numbers out of range, text after the end, depth above max_depth, and keys that
// occur twice in one object (also when spelled with different escapes).
Status walk_json(const JsonSource& source, JsonVisitor& visitor);

}  // namespace smelt
