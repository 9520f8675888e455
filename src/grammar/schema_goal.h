// What a value must satisfy at one place of a schema: several schemas at once, since $ref, allOf, anyOf and properties
// of merged objects all add schemas that hold together. Internal to this folder; schema_compiler.cc turns goals into
// rules.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "grammar/schema_tree.h"

namespace smelt {

struct GoalPart {
  enum class Kind : uint8_t { whole, plain, any_of, one_of };  // plain: its keywords but the composing ones
  const JsonValue* schema;
  Kind kind;
  auto operator<=>(const GoalPart&) const = default;
};

// Sorted, no part twice. The empty goal: any value.
using Goal = std::vector<GoalPart>;
Goal make_goal(std::vector<GoalPart> parts);

// Bits; a whole number is of both number types.
enum SchemaType : uint8_t {
  kNull = 1,
  kBoolean = 2,
  kWhole = 4,     // numbers without a fraction
  kFraction = 8,  // other numbers
  kString = 16,
  kArray = 32,
  kObject = 64,
  kAnyType = 127,
};

// What is left of a goal when $ref and allOf are resolved.
struct FlatGoal {
  std::vector<const JsonValue*> plain;  // schemas whose plain keywords all hold
  std::vector<GoalPart> choices;        // anyOf and oneOf still to be decided
  bool impossible = false;              // the schema false is among them
};

class GoalReader {
 public:
  explicit GoalReader(const SchemaTree& tree) : tree_(tree) {}

  Result<FlatGoal> flatten(const Goal& goal) const;
  // The types that all schemas allow.
  static uint8_t allowed_types(const std::vector<const JsonValue*>& plain);
  // … that are written: where no "type" is given, those that the other keywords speak of.
  static uint8_t written_types(const std::vector<const JsonValue*>& plain);

  static std::vector<std::string> property_names(const std::vector<const JsonValue*>& plain);
  static bool is_required(const std::vector<const JsonValue*>& plain, const std::string& name);
  static Goal property(const std::vector<const JsonValue*>& plain, const std::string& name);
  // Of keys that are in no "properties"; nothing if no such keys are written.
  static std::optional<Goal> further_properties(const std::vector<const JsonValue*>& plain);
  static size_t n_prefix_items(const std::vector<const JsonValue*>& plain);
  static Goal item(const std::vector<const JsonValue*>& plain, size_t index);
  // The strictest of a keyword over all schemas.
  static int64_t greatest_count(const std::vector<const JsonValue*>& plain, const char* keyword);
  static int64_t least_count(const std::vector<const JsonValue*>& plain, const char* keyword);  // -1: none

  // The values listed by enum or const that all schemas take; nothing if none lists any.
  Result<std::optional<std::vector<const JsonValue*>>> listed_values(const std::vector<const JsonValue*>& plain) const;

  // Whether no value written for the first goal is valid for the second: what oneOf needs. False: not known.
  Result<bool> excludes(const Goal& written, const Goal& other, int depth = 0) const;

 private:
  Status expand(const JsonValue& schema, std::vector<const JsonValue*>& path, FlatGoal& out) const;
  Result<bool> objects_exclude(const FlatGoal& written, const FlatGoal& other, int depth) const;

  Result<bool> none_valid(const std::vector<const JsonValue*>& values, const Goal& goal, const FlatGoal& flat) const;

  const SchemaTree& tree_;
  mutable int64_t comparisons_left_ = 100'000;  // for excludes: beyond them, nothing more is known
};

}  // namespace smelt
