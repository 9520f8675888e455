// Reading schemas: keywords, the types of their values, references within the document.
#include "grammar/schema_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/text.h"

namespace smelt {
namespace {

constexpr size_t kMaxBytes = 1 << 20;
constexpr size_t kMaxMembers = 2'000;  // of properties, required, anyOf, …
constexpr size_t kMaxValues = 10'000;  // of enum

using Kind = SchemaKeyword::Kind;

bool is_schema(const JsonValue& value) {
  return value.object() != nullptr || std::holds_alternative<bool>(value.value);
}

size_t size_of(const JsonValue& value) {
  if (value.array() != nullptr) return value.array()->size();
  return value.object() != nullptr ? value.object()->size() : 0;
}

bool is_type_name(const JsonValue& value) {
  constexpr std::string_view kNames[] = {"null", "boolean", "integer", "number", "string", "array", "object"};
  return value.text() != nullptr && std::find(std::begin(kNames), std::end(kNames), *value.text()) != std::end(kNames);
}

template <class Test>
bool all_of(const JsonValue& value, Test test) {
  const JsonValue::Array* list = value.array();
  return list != nullptr && std::all_of(list->begin(), list->end(), test);
}

// What the keyword wants, or nothing if the value is of this kind.
const char* wanted_instead(Kind kind, const JsonValue& value) {
  const auto number = value.number();
  switch (kind) {
    case Kind::schema:
      return is_schema(value) ? nullptr : "a schema (an object, true or false)";
    case Kind::schemas:
      return all_of(value, is_schema) && !value.array()->empty() ? nullptr : "a list of schemas";
    case Kind::named_schemas:
      if (value.object() != nullptr && std::all_of(value.object()->begin(), value.object()->end(),
                                                   [](const JsonMember& m) { return is_schema(m.value); }))
        return nullptr;
      return "an object of schemas";
    case Kind::number:
      return number && std::isfinite(*number) ? nullptr : "a number";
    case Kind::count:
      return number && *number >= 0 && *number <= 1e9 && std::floor(*number) == *number
                 ? nullptr
                 : "a whole number from 0 to 1000000000";
    case Kind::text:
      return value.text() != nullptr ? nullptr : "a string";
    case Kind::texts:
      return all_of(value, [](const JsonValue& v) { return v.text() != nullptr; }) ? nullptr : "a list of strings";
    case Kind::flag:
      return std::holds_alternative<bool>(value.value) ? nullptr : "true or false";
    case Kind::types:
      return is_type_name(value) || all_of(value, is_type_name)
                 ? nullptr
                 : "a type, or a list of types: null, boolean, integer, number, string, array, object";
    default:
      return nullptr;
  }
}

// "~1" is "/", "~0" is "~"; "%25" is "%".
std::string unescape(std::string_view token) {
  std::string out;
  for (size_t i = 0; i < token.size(); ++i) {
    unsigned code = 0;
    const char* hex = token.data() + i + 1;
    if (token[i] == '%' && i + 2 < token.size() && std::from_chars(hex, hex + 2, code, 16).ptr == hex + 2) {
      out += static_cast<char>(code);
      i += 2;
    } else {
      out += token[i];
    }
  }
  for (size_t at = out.find('~'); at != std::string::npos; at = out.find('~', at + 1)) {
    if (out.compare(at, 2, "~1") == 0) out.replace(at, 2, "/");
    if (out.compare(at, 2, "~0") == 0) out.replace(at, 2, "~");
  }
  return out;
}

std::string escape(std::string_view key) {
  std::string out;
  for (const char c : key) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return out;
}

const JsonValue* child(const JsonValue& value, const std::string& token) {
  if (const JsonValue::Array* list = value.array()) {
    size_t index = 0;
    const auto [end, code] = std::from_chars(token.data(), token.data() + token.size(), index);
    const bool whole = code == std::errc() && end == token.data() + token.size();
    return whole && index < list->size() ? &(*list)[index] : nullptr;
  }
  return SchemaTree::find(value, token);
}

bool find_path(const JsonValue& from, const JsonValue* to, std::string& path) {
  if (&from == to) return true;
  const size_t size = path.size();
  const auto try_child = [&](const JsonValue& value, const std::string& name) {
    path += "/" + name;
    if (find_path(value, to, path)) return true;
    path.resize(size);
    return false;
  };
  if (const JsonValue::Object* members = from.object()) {
    for (const JsonMember& member : *members)
      if (try_child(member.value, escape(member.key))) return true;
  }
  if (const JsonValue::Array* list = from.array()) {
    for (size_t i = 0; i < list->size(); ++i)
      if (try_child((*list)[i], std::to_string(i))) return true;
  }
  return false;
}

}  // namespace

const std::vector<SchemaKeyword>& schema_keywords() {
  static const std::vector<SchemaKeyword> keywords = {
#define SMELT_KEYWORD(name, kind) {name, Kind::kind},
#include "grammar/schema_keywords.inc"
#undef SMELT_KEYWORD
  };
  return keywords;
}

Result<SchemaTree> SchemaTree::parse(std::string_view json, const std::string& file_name) {
  const std::string shown = escape_for_display(file_name, 4096);
  if (json.size() > kMaxBytes) return input_error(fmt::format("{}: schemas may have {} bytes", shown, kMaxBytes));
  SchemaTree tree;
  SMELT_ASSIGN(tree.root_, parse_json_tree(json, file_name));
  if (!is_schema(tree.root_)) return input_error(shown + ": a schema is an object, true or false");
  return tree;
}

const JsonValue* SchemaTree::find(const JsonValue& schema, std::string_view keyword) {
  const JsonValue::Object* members = schema.object();
  if (members == nullptr) return nullptr;
  for (const JsonMember& member : *members)
    if (member.key == keyword) return &member.value;
  return nullptr;
}

std::string SchemaTree::pointer_of(const JsonValue& value) const {
  std::string path = "#";
  find_path(root_, &value, path);  // depth is limited by the reader of JSON
  return escape_for_display(path, 512);
}

Error SchemaTree::error(const JsonValue& schema, std::string_view keyword, const std::string& what) const {
  return input_error(fmt::format("{}: {}: {}", pointer_of(schema), escape_for_display(keyword), what));
}

Status SchemaTree::check(const JsonValue& schema) const {
  const JsonValue::Object* members = schema.object();
  if (members == nullptr) return {};
  for (const JsonMember& member : *members) SMELT_TRY(check_member(schema, member));
  return {};
}

Status SchemaTree::check_member(const JsonValue& schema, const JsonMember& member) const {
  const auto& keywords = schema_keywords();
  const auto keyword =
      std::find_if(keywords.begin(), keywords.end(), [&](const SchemaKeyword& k) { return k.name == member.key; });
  if (keyword == keywords.end()) {
    if (member.key.starts_with("x-")) return {};
    std::vector<std::string> names;
    for (const SchemaKeyword& each : keywords) names.emplace_back(each.name);
    const std::string nearest = find_nearest(member.key, names);
    return error(schema, member.key,
                 "this keyword is not known" + (nearest.empty() ? "" : "; did you mean '" + nearest + "'?"));
  }
  if (keyword->kind == Kind::refused) return error(schema, member.key, "this keyword is not supported");
  if (const char* wanted = wanted_instead(keyword->kind, member.value))
    return error(schema, member.key, fmt::format("must be {}", wanted));
  const bool defines = member.key == "$defs" || member.key == "definitions" || keyword->kind == Kind::note;
  const size_t most = keyword->kind == Kind::any ? kMaxValues : kMaxMembers;
  if (!defines && member.key != "const" && size_of(member.value) > most)
    return error(schema, member.key, fmt::format("has {} members; {} are supported", size_of(member.value), most));
  if (member.key == "$id" && &schema != &root_)
    return error(schema, member.key, "is supported at the root of the schema only");
  if (member.key != "$schema") return {};
  for (const char* known : {"2020-12", "2019-09", "draft-07", "draft-06"})
    if (member.value.text()->find(known) != std::string::npos) return {};
  return error(schema, member.key,
               "draft 2020-12 is supported, not '" + escape_for_display(*member.value.text()) + "'");
}

Result<const JsonValue*> SchemaTree::resolve(const JsonValue& schema) const {
  const JsonValue* at = &root_;
  std::string_view ref = *find(schema, "$ref")->text();
  const JsonValue* id = find(root_, "$id");
  if (id != nullptr && id->text() != nullptr && ref.starts_with(*id->text())) ref.remove_prefix(id->text()->size());
  const std::string shown = escape_for_display(*find(schema, "$ref")->text());
  if (ref.empty() || ref == "#") return at;
  if (!ref.starts_with("#/"))
    return error(schema, "$ref", fmt::format("'{}' is not supported: references are '#' or '#/…'", shown));
  for (ref.remove_prefix(1); !ref.empty();) {
    const size_t slash = ref.find('/', 1);
    const std::string token = unescape(ref.substr(1, slash == std::string_view::npos ? slash : slash - 1));
    ref = slash == std::string_view::npos ? "" : ref.substr(slash);
    at = child(*at, token);
    if (at == nullptr) return error(schema, "$ref", fmt::format("'{}' does not exist", shown));
  }
  if (!is_schema(*at)) return error(schema, "$ref", fmt::format("'{}' is not a schema", shown));
  return at;
}

}  // namespace smelt
