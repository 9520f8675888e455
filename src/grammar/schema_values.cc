// A plain validator of values: what enum and const list is checked by it when the grammar is made.
#include "grammar/schema_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "grammar/code_dfa.h"
#include "grammar/regex.h"

namespace smelt {
namespace {

constexpr int kMaxDepth = 200;         // of references
constexpr int64_t kMaxSteps = 50'000;  // schemas looked at for one value

const JsonValue* find(const JsonValue& schema, std::string_view keyword) { return SchemaTree::find(schema, keyword); }

bool is_type(const std::string& name, const JsonValue& value) {
  const auto number = value.number();
  if (name == "null") return value.is_null();
  if (name == "boolean") return std::holds_alternative<bool>(value.value);
  if (name == "number") return number.has_value();
  if (name == "integer") return number && std::floor(*number) == *number;
  if (name == "string") return value.text() != nullptr;
  if (name == "array") return value.array() != nullptr;
  return value.object() != nullptr;
}

double number_or(const JsonValue* keyword, double otherwise) {
  return keyword == nullptr ? otherwise : *keyword->number();
}

bool in_bounds(const JsonValue& schema, const char* least, const char* most, size_t count) {
  const auto n = static_cast<double>(count);
  return n >= number_or(find(schema, least), 0) && n <= number_or(find(schema, most), INFINITY);
}

bool number_holds(const JsonValue& schema, double n) {
  const JsonValue* step = find(schema, "multipleOf");
  return n >= number_or(find(schema, "minimum"), -INFINITY) && n <= number_or(find(schema, "maximum"), INFINITY) &&
         n > number_or(find(schema, "exclusiveMinimum"), -INFINITY) &&
         n < number_or(find(schema, "exclusiveMaximum"), INFINITY) &&
         (step == nullptr || std::remainder(n, *step->number()) == 0);
}

Result<bool> text_holds(const SchemaTree& tree, const JsonValue& schema, const std::string& text) {
  if (find(schema, "format") != nullptr) return tree.error(schema, "format", "is not supported beside enum and const");
  const std::u32string codes = decode_utf8(text);
  if (!in_bounds(schema, "minLength", "maxLength", codes.size())) return false;
  const JsonValue* pattern = find(schema, "pattern");
  if (pattern == nullptr) return true;
  Grammar grammar;
  auto expr = add_regex(grammar, *pattern->text(), RegexMatch::search);
  if (!expr) return tree.error(schema, "pattern", expr.error().message);
  auto dfa = CodeDfa::from_expr(grammar, *expr);
  if (!dfa) return tree.error(schema, "pattern", dfa.error().message);
  return dfa->matches(codes);
}

class Checker {
 public:
  explicit Checker(const SchemaTree& tree) : tree_(tree) {}

  Result<bool> valid(const JsonValue& schema, const JsonValue& value) {
    if (depth_ > kMaxDepth || ++n_steps_ > kMaxSteps)
      return tree_.error(schema, "$ref", "refers to itself without end");
    if (const auto* flag = std::get_if<bool>(&schema.value)) return *flag;
    ++depth_;
    auto holds = all_hold(schema, value);
    --depth_;
    return holds;
  }

 private:
  Result<bool> all_hold(const JsonValue& schema, const JsonValue& value) {
    SMELT_TRY(tree_.check(schema));
    if (!listed(schema, value) || !typed(schema, value)) return false;
    if (value.number() && !number_holds(schema, *value.number())) return false;
    bool holds = true;
    if (value.text() != nullptr) {
      SMELT_ASSIGN(holds, text_holds(tree_, schema, *value.text()));
    }
    if (holds && value.object() != nullptr) {
      SMELT_ASSIGN(holds, object_holds(schema, value));
    }
    if (holds && value.array() != nullptr) {
      SMELT_ASSIGN(holds, array_holds(schema, value));
    }
    if (!holds) return false;
    return composed(schema, value);
  }

  // How many of the schemas hold.
  Result<size_t> count(const JsonValue& schemas, const JsonValue& value) {
    size_t n = 0;
    for (const JsonValue& each : *schemas.array()) {
      SMELT_ASSIGN(const bool holds, valid(each, value));
      n += holds ? 1 : 0;
    }
    return n;
  }

  Result<bool> composed(const JsonValue& schema, const JsonValue& value) {
    if (find(schema, "$ref") != nullptr) {
      SMELT_ASSIGN(const JsonValue* target, tree_.resolve(schema));
      SMELT_ASSIGN(const bool holds, valid(*target, value));
      if (!holds) return false;
    }
    if (const JsonValue* all = find(schema, "allOf")) {
      SMELT_ASSIGN(const size_t n, count(*all, value));
      if (n != all->array()->size()) return false;
    }
    if (const JsonValue* any = find(schema, "anyOf")) {
      SMELT_ASSIGN(const size_t n, count(*any, value));
      if (n == 0) return false;
    }
    if (const JsonValue* one = find(schema, "oneOf")) {
      SMELT_ASSIGN(const size_t n, count(*one, value));
      if (n != 1) return false;
    }
    return true;
  }

  static bool listed(const JsonValue& schema, const JsonValue& value) {
    const JsonValue* only = find(schema, "const");
    if (only != nullptr && !equal_values(*only, value)) return false;
    const JsonValue* list = find(schema, "enum");
    if (list == nullptr || list->array() == nullptr) return true;
    return std::any_of(list->array()->begin(), list->array()->end(),
                       [&](const JsonValue& each) { return equal_values(each, value); });
  }

  static bool typed(const JsonValue& schema, const JsonValue& value) {
    const JsonValue* type = find(schema, "type");
    if (type == nullptr) return true;
    if (type->text() != nullptr) return is_type(*type->text(), value);
    return std::any_of(type->array()->begin(), type->array()->end(),
                       [&](const JsonValue& each) { return is_type(*each.text(), value); });
  }

  Result<bool> object_holds(const JsonValue& schema, const JsonValue& value) {
    const JsonValue::Object& members = *value.object();
    if (!in_bounds(schema, "minProperties", "maxProperties", members.size())) return false;
    if (const JsonValue* required = find(schema, "required")) {
      for (const JsonValue& name : *required->array())
        if (find(value, *name.text()) == nullptr) return false;
    }
    const JsonValue* properties = find(schema, "properties");
    for (const JsonMember& member : members) {
      const JsonValue* wanted = properties == nullptr ? nullptr : find(*properties, member.key);
      if (wanted == nullptr) wanted = find(schema, "additionalProperties");
      if (wanted == nullptr) continue;
      SMELT_ASSIGN(const bool holds, valid(*wanted, member.value));
      if (!holds) return false;
    }
    return true;
  }

  Result<bool> array_holds(const JsonValue& schema, const JsonValue& value) {
    const JsonValue::Array& items = *value.array();
    if (!in_bounds(schema, "minItems", "maxItems", items.size())) return false;
    const JsonValue* unique = find(schema, "uniqueItems");
    if (unique != nullptr && std::get<bool>(unique->value)) {
      for (size_t i = 0; i < items.size(); ++i)
        for (size_t j = 0; j < i; ++j)
          if (equal_values(items[i], items[j])) return false;
    }
    const JsonValue* prefix = find(schema, "prefixItems");
    const size_t n_prefix = prefix == nullptr ? 0 : prefix->array()->size();
    const JsonValue* rest = find(schema, "items");
    for (size_t i = 0; i < items.size(); ++i) {
      const JsonValue* wanted = i < n_prefix ? &(*prefix->array())[i] : rest;
      if (wanted == nullptr) continue;
      SMELT_ASSIGN(const bool holds, valid(*wanted, items[i]));
      if (!holds) return false;
    }
    return true;
  }

  const SchemaTree& tree_;
  int depth_ = 0;
  int64_t n_steps_ = 0;
};

Status format_into(const JsonValue& value, std::string& out) {
  if (value.is_null()) {
    out += "null";
  } else if (const auto* flag = std::get_if<bool>(&value.value)) {
    out += *flag ? "true" : "false";
  } else if (const int64_t* integer = value.integer()) {
    out += std::to_string(*integer);
  } else if (const auto* number = std::get_if<double>(&value.value)) {
    if (std::abs(*number) >= 9e15 && std::floor(*number) == *number)
      return input_error("the number is too large to be written exactly");
    out += fmt::format("{}", *number);
  } else if (const std::string* text = value.text()) {
    out += quote_json(*text);
  } else if (const JsonValue::Array* list = value.array()) {
    out += '[';
    for (const JsonValue& each : *list) {
      if (&each != &list->front()) out += ',';
      SMELT_TRY(format_into(each, out));
    }
    out += ']';
  } else {
    out += '{';
    for (const JsonMember& member : *value.object()) {
      if (&member != &value.object()->front()) out += ',';
      out += quote_json(member.key) + ":";
      SMELT_TRY(format_into(member.value, out));
    }
    out += '}';
  }
  return {};
}

}  // namespace

std::string quote_json(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += std::string("\\") + c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

Result<std::string> format_json_value(const JsonValue& value) {
  std::string out;
  SMELT_TRY(format_into(value, out));
  return out;
}

bool equal_values(const JsonValue& a, const JsonValue& b) {
  if (a.integer() != nullptr && b.integer() != nullptr) return *a.integer() == *b.integer();
  if (a.number() && b.number()) return *a.number() == *b.number();
  if (a.value.index() != b.value.index()) return false;
  if (const JsonValue::Array* list = a.array()) {
    const JsonValue::Array& other = *b.array();
    return std::equal(list->begin(), list->end(), other.begin(), other.end(), equal_values);
  }
  if (const JsonValue::Object* members = a.object()) {
    if (members->size() != b.object()->size()) return false;
    return std::all_of(members->begin(), members->end(), [&](const JsonMember& member) {
      const JsonValue* other = SchemaTree::find(b, member.key);
      return other != nullptr && equal_values(member.value, *other);
    });
  }
  if (const auto* flag = std::get_if<bool>(&a.value)) return *flag == std::get<bool>(b.value);
  return a.is_null() || (a.text() != nullptr && *a.text() == *b.text());
}

Result<bool> is_valid(const SchemaTree& tree, const JsonValue& schema, const JsonValue& value) {
  return Checker(tree).valid(schema, value);
}

}  // namespace smelt
