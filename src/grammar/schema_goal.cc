// Reading goals: references resolved, keywords of several schemas brought together.
#include "grammar/schema_goal.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <type_traits>

#include "grammar/schema_values.h"

namespace smelt {
namespace {

using Plain = std::vector<const JsonValue*>;

constexpr size_t kMaxPath = 500;  // of references within references

const JsonValue* find(const JsonValue& schema, std::string_view keyword) { return SchemaTree::find(schema, keyword); }

uint8_t type_bits(const std::string& name) {
  if (name == "null") return kNull;
  if (name == "boolean") return kBoolean;
  if (name == "integer") return kWhole;
  if (name == "number") return kWhole | kFraction;
  if (name == "string") return kString;
  return name == "array" ? kArray : kObject;
}

uint8_t type_of(const JsonValue& value) {
  if (value.is_null()) return kNull;
  if (std::holds_alternative<bool>(value.value)) return kBoolean;
  if (const auto number = value.number()) return std::floor(*number) == *number ? kWhole : kFraction;
  if (value.text() != nullptr) return kString;
  return value.array() != nullptr ? kArray : kObject;
}

uint8_t keyword_type(std::string_view key) {
  constexpr std::string_view kObjects[] = {"properties", "required", "additionalProperties", "minProperties",
                                           "maxProperties"};
  constexpr std::string_view kArrays[] = {"items", "prefixItems", "minItems", "maxItems", "uniqueItems"};
  constexpr std::string_view kNumbers[] = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"};
  constexpr std::string_view kStrings[] = {"minLength", "maxLength", "pattern", "format"};
  const auto in = [key](const auto& names) {
    return std::find(std::begin(names), std::end(names), key) != std::end(names);
  };
  return in(kObjects) ? kObject : in(kArrays) ? kArray : in(kNumbers) ? kWhole | kFraction : in(kStrings) ? kString : 0;
}

uint8_t named_types(const JsonValue& type) {
  if (type.text() != nullptr) return type_bits(*type.text());
  uint8_t bits = 0;
  for (const JsonValue& each : *type.array()) bits |= type_bits(*each.text());
  return bits;
}

// The numbers of one side lie under those of the other.
bool below(const Plain& under, const Plain& above) {
  const auto bound = [](const Plain& plain, const char* keyword, bool least) {
    double out = least ? -INFINITY : INFINITY;
    for (const JsonValue* schema : plain) {
      const JsonValue* number = find(*schema, keyword);
      if (number != nullptr) out = least ? std::max(out, *number->number()) : std::min(out, *number->number());
    }
    return out;
  };
  const double most = bound(under, "maximum", false), below_most = bound(under, "exclusiveMaximum", false);
  const double least = bound(above, "minimum", true), above_least = bound(above, "exclusiveMinimum", true);
  return most < least || below_most <= least || most <= above_least || below_most <= above_least;
}

// One side has fewer items or characters at most than the other at least.
bool counts_exclude(const Plain& a, const Plain& b, const char* least, const char* most) {
  const int64_t most_a = GoalReader::least_count(a, most), most_b = GoalReader::least_count(b, most);
  return (most_a >= 0 && most_a < GoalReader::greatest_count(b, least)) ||
         (most_b >= 0 && most_b < GoalReader::greatest_count(a, least));
}

}  // namespace

Goal make_goal(std::vector<GoalPart> parts) {
  std::sort(parts.begin(), parts.end());
  parts.erase(std::unique(parts.begin(), parts.end()), parts.end());
  return parts;
}

Result<FlatGoal> GoalReader::flatten(const Goal& goal) const {
  FlatGoal out;
  std::vector<const JsonValue*> path;
  for (const GoalPart& part : goal) {
    if (part.kind == GoalPart::Kind::whole) {
      SMELT_TRY(expand(*part.schema, path, out));
    } else if (part.kind == GoalPart::Kind::plain) {
      out.plain.push_back(part.schema);
    } else {
      out.choices.push_back(part);
    }
  }
  // Each once, in the order met.
  const auto unique = [](auto& list) {
    std::set<std::decay_t<decltype(list.front())>> seen;
    std::erase_if(list, [&](const auto& each) { return !seen.insert(each).second; });
  };
  unique(out.plain);
  unique(out.choices);
  return out;
}

Status GoalReader::expand(const JsonValue& schema, std::vector<const JsonValue*>& path, FlatGoal& out) const {
  if (const auto* flag = std::get_if<bool>(&schema.value)) {
    out.impossible |= !*flag;
    return {};
  }
  if (path.size() > kMaxPath || std::find(path.begin(), path.end(), &schema) != path.end())
    return tree_.error(schema, find(schema, "$ref") != nullptr ? "$ref" : "allOf", "refers to itself without end");
  SMELT_TRY(tree_.check(schema));
  path.push_back(&schema);
  out.plain.push_back(&schema);
  if (find(schema, "anyOf") != nullptr) out.choices.push_back({&schema, GoalPart::Kind::any_of});
  if (find(schema, "oneOf") != nullptr) out.choices.push_back({&schema, GoalPart::Kind::one_of});
  if (find(schema, "$ref") != nullptr) {
    SMELT_ASSIGN(const JsonValue* target, tree_.resolve(schema));
    SMELT_TRY(expand(*target, path, out));
  }
  if (const JsonValue* all = find(schema, "allOf"))
    for (const JsonValue& each : *all->array()) SMELT_TRY(expand(each, path, out));
  path.pop_back();
  return {};
}

uint8_t GoalReader::allowed_types(const Plain& plain) {
  uint8_t bits = kAnyType;
  for (const JsonValue* schema : plain)
    if (const JsonValue* type = find(*schema, "type")) bits &= named_types(*type);
  return bits;
}

uint8_t GoalReader::written_types(const Plain& plain) {
  uint8_t spoken_of = 0;
  for (const JsonValue* schema : plain) {
    if (find(*schema, "type") != nullptr) return allowed_types(plain);
    for (const JsonMember& member : *schema->object()) spoken_of |= keyword_type(member.key);
  }
  return spoken_of == 0 ? uint8_t{kAnyType} : spoken_of;
}

std::vector<std::string> GoalReader::property_names(const Plain& plain) {
  std::vector<std::string> names;
  const auto add = [&](const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  for (const JsonValue* schema : plain)
    if (const JsonValue* properties = find(*schema, "properties"))
      for (const JsonMember& member : *properties->object()) add(member.key);
  for (const JsonValue* schema : plain)
    if (const JsonValue* required = find(*schema, "required"))
      for (const JsonValue& name : *required->array()) add(*name.text());
  return names;
}

bool GoalReader::is_required(const Plain& plain, const std::string& name) {
  for (const JsonValue* schema : plain) {
    const JsonValue* required = find(*schema, "required");
    if (required == nullptr) continue;
    for (const JsonValue& each : *required->array())
      if (*each.text() == name) return true;
  }
  return false;
}

Goal GoalReader::property(const Plain& plain, const std::string& name) {
  std::vector<GoalPart> parts;
  for (const JsonValue* schema : plain) {
    const JsonValue* properties = find(*schema, "properties");
    const JsonValue* wanted = properties == nullptr ? nullptr : find(*properties, name);
    if (wanted == nullptr) wanted = find(*schema, "additionalProperties");
    if (wanted != nullptr) parts.push_back({wanted, GoalPart::Kind::whole});
  }
  return make_goal(std::move(parts));
}

std::optional<Goal> GoalReader::further_properties(const Plain& plain) {
  std::vector<GoalPart> parts;
  bool asked_for = property_names(plain).empty();
  for (const JsonValue* schema : plain) {
    const JsonValue* more = find(*schema, "additionalProperties");
    if (more == nullptr) continue;
    const auto* flag = std::get_if<bool>(&more->value);
    if (flag != nullptr && !*flag) return std::nullopt;
    if (flag != nullptr) continue;
    asked_for = true;
    parts.push_back({more, GoalPart::Kind::whole});
  }
  if (!asked_for) return std::nullopt;
  return make_goal(std::move(parts));
}

size_t GoalReader::n_prefix_items(const Plain& plain) {
  size_t n = 0;
  for (const JsonValue* schema : plain)
    if (const JsonValue* prefix = find(*schema, "prefixItems")) n = std::max(n, prefix->array()->size());
  return n;
}

Goal GoalReader::item(const Plain& plain, size_t index) {
  std::vector<GoalPart> parts;
  for (const JsonValue* schema : plain) {
    const JsonValue* prefix = find(*schema, "prefixItems");
    const bool has_own = prefix != nullptr && index < prefix->array()->size();
    const JsonValue* wanted = has_own ? &(*prefix->array())[index] : find(*schema, "items");
    if (wanted != nullptr) parts.push_back({wanted, GoalPart::Kind::whole});
  }
  return make_goal(std::move(parts));
}

int64_t GoalReader::greatest_count(const Plain& plain, const char* keyword) {
  int64_t out = 0;
  for (const JsonValue* schema : plain)
    if (const JsonValue* count = find(*schema, keyword)) out = std::max(out, static_cast<int64_t>(*count->number()));
  return out;
}

int64_t GoalReader::least_count(const Plain& plain, const char* keyword) {
  int64_t out = -1;
  for (const JsonValue* schema : plain) {
    const JsonValue* count = find(*schema, keyword);
    if (count == nullptr) continue;
    const auto number = static_cast<int64_t>(*count->number());
    out = out < 0 ? number : std::min(out, number);
  }
  return out;
}

Result<std::optional<Plain>> GoalReader::listed_values(const Plain& plain) const {
  const JsonValue* source = nullptr;
  Plain candidates;
  for (const JsonValue* schema : plain) {
    if (const JsonValue* only = find(*schema, "const")) {
      source = schema;
      candidates = {only};
      break;
    }
    const JsonValue* list = find(*schema, "enum");
    if (list == nullptr || source != nullptr) continue;
    if (list->array() == nullptr) return tree_.error(*schema, "enum", "must be a list of values");
    source = schema;
    for (const JsonValue& each : *list->array()) candidates.push_back(&each);
  }
  if (source == nullptr) return std::optional<Plain>();
  Plain out;
  for (const JsonValue* value : candidates) {
    bool holds = true;
    for (size_t i = 0; i < plain.size() && holds; ++i) {
      SMELT_ASSIGN(holds, is_valid(tree_, *plain[i], *value));
    }
    if (holds) out.push_back(value);
  }
  return std::optional(std::move(out));
}

// Keys are looked at from both sides; for other types, their bounds.
Result<bool> GoalReader::objects_exclude(const FlatGoal& written, const FlatGoal& other, int depth) const {
  constexpr int kMaxDepth = 6;
  const std::vector<std::string> names = property_names(written.plain);
  // What anyOf and oneOf may add is not known here.
  const bool writes_others = !written.choices.empty() || further_properties(written.plain).has_value();
  for (const std::string& name : property_names(other.plain)) {
    const bool writes = writes_others || std::find(names.begin(), names.end(), name) != names.end();
    if (is_required(other.plain, name) && !writes) return true;
  }
  for (const std::string& name : names) {
    if (depth > kMaxDepth || !is_required(written.plain, name)) continue;
    SMELT_ASSIGN(const bool excluded, excludes(property(written.plain, name), property(other.plain, name), depth + 1));
    if (excluded) return true;
  }
  return false;
}

// For all of the goal: what it is composed of as well.
Result<bool> GoalReader::none_valid(const Plain& values, const Goal& goal, const FlatGoal& flat) const {
  Plain schemas = flat.plain;
  for (const GoalPart& part : goal)
    if (part.kind == GoalPart::Kind::whole) schemas.push_back(part.schema);
  for (const JsonValue* value : values) {
    bool holds = true;
    for (size_t i = 0; i < schemas.size() && holds; ++i) {
      SMELT_ASSIGN(holds, is_valid(tree_, *schemas[i], *value));
    }
    if (holds) return false;
  }
  return true;
}

Result<bool> GoalReader::excludes(const Goal& written, const Goal& other, int depth) const {
  if (--comparisons_left_ < 0) return false;
  SMELT_ASSIGN(const FlatGoal a, flatten(written));
  SMELT_ASSIGN(const FlatGoal b, flatten(other));
  if (a.impossible || b.impossible) return true;
  SMELT_ASSIGN(const auto values, listed_values(a.plain));
  if (values) return none_valid(*values, other, b);
  SMELT_ASSIGN(const auto other_values, listed_values(b.plain));
  uint8_t types_b = allowed_types(b.plain);
  if (other_values) {
    uint8_t listed = 0;
    for (const JsonValue* value : *other_values) listed |= type_of(*value);
    types_b &= listed;
  }
  const uint8_t types_a = a.choices.empty() ? written_types(a.plain) : allowed_types(a.plain);
  const uint8_t common = types_a & types_b;
  if (common == 0) return true;
  if (common == kObject) return objects_exclude(a, b, depth);
  if (common == kArray) return counts_exclude(a.plain, b.plain, "minItems", "maxItems");
  if (common == kString) return counts_exclude(a.plain, b.plain, "minLength", "maxLength");
  if ((common & ~(kWhole | kFraction)) != 0) return false;
  return below(a.plain, b.plain) || below(b.plain, a.plain);
}

}  // namespace smelt
