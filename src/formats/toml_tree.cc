// toml++ without exceptions, turned into our own tree.
#include "formats/toml_tree.h"

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>

#include "base/text.h"

namespace smelt {
namespace {

constexpr int kMaxDepth = 16;

Error error_at(const std::string& file, int64_t line, const std::string& what) {
  return input_error(fmt::format("{}:{}: {}", escape_for_display(file, 4096), line, what));
}

class TreeMaker {
 public:
  explicit TreeMaker(const std::string& file) : file_(file) {}

  Result<TomlNode> make(const toml::node& node, int depth) const {
    const int64_t line = node.source().begin.line;
    if (depth > kMaxDepth) return error_at(file_, line, fmt::format("nested deeper than {} levels", kMaxDepth));
    if (const auto* table = node.as_table()) return make_table(*table, depth);
    if (const auto* array = node.as_array()) return make_array(*array, depth);
    if (const auto* text = node.as_string()) return TomlNode{text->get(), line};
    if (const auto* integer = node.as_integer()) return TomlNode{integer->get(), line};
    if (const auto* real = node.as_floating_point()) return TomlNode{real->get(), line};
    if (const auto* boolean = node.as_boolean()) return TomlNode{boolean->get(), line};
    return error_at(file_, line, "a date or time; write it as a text, in quotes");
  }

 private:
  Result<TomlNode> make_table(const toml::table& table, int depth) const {
    TomlNode::Table out;
    for (const auto& [key, node] : table) {
      SMELT_ASSIGN(TomlNode value, make(node, depth + 1));
      out.push_back({std::string(key.str()), std::move(value)});
    }
    return TomlNode{std::move(out), table.source().begin.line};
  }

  Result<TomlNode> make_array(const toml::array& array, int depth) const {
    TomlNode::Array out;
    for (const auto& node : array) {
      SMELT_ASSIGN(TomlNode value, make(node, depth + 1));
      out.push_back(std::move(value));
    }
    return TomlNode{std::move(out), array.source().begin.line};
  }

  const std::string& file_;
};

template <class T>
Result<T> typed(const TomlFields& fields, const std::string& key, const TomlNode& node, const char* wanted) {
  if (const T* value = std::get_if<T>(&node.value)) return *value;
  return fields.error(key, fmt::format("not {}", wanted));
}

}  // namespace

Result<TomlNode> parse_toml(std::string_view text, const std::string& file_name) {
  const toml::parse_result parsed = toml::parse(text, std::string_view(file_name));
  if (!parsed) {
    const auto& error = parsed.error();
    return error_at(file_name, error.source().begin.line,
                    fmt::format("not TOML: {}", escape_for_display(error.description(), 300)));
  }
  return TreeMaker(file_name).make(parsed.table(), 0);
}

Error TomlFields::error(const std::string& key, const std::string& what) const {
  const TomlNode* node = look(key);
  return error_at(file_, node != nullptr ? node->line : node_.line,
                  fmt::format("field '{}': {}", escape_for_display(name_of(key)), what));
}

const TomlNode* TomlFields::look(const std::string& key) const {
  const auto* table = std::get_if<TomlNode::Table>(&node_.value);
  if (table == nullptr) return nullptr;
  const auto found = std::find_if(table->begin(), table->end(), [&](const auto& entry) { return entry.key == key; });
  return found == table->end() ? nullptr : &found->node;
}

const TomlNode* TomlFields::find(const std::string& key) {
  asked_.insert(key);
  return look(key);
}

Result<const TomlNode*> TomlFields::get(const std::string& key) {
  const TomlNode* node = find(key);
  if (node == nullptr) return error(key, "missing");
  return node;
}

Result<std::string> TomlFields::text(const std::string& key) {
  SMELT_ASSIGN(const TomlNode* node, get(key));
  return typed<std::string>(*this, key, *node, "a text");
}

Result<std::string> TomlFields::text(const std::string& key, std::string otherwise) {
  if (!has(key)) return otherwise;
  return text(key);
}

Result<int64_t> TomlFields::integer(const std::string& key, int64_t otherwise, int64_t min, int64_t max) {
  const TomlNode* node = find(key);
  if (node == nullptr) return otherwise;
  SMELT_ASSIGN(const int64_t value, typed<int64_t>(*this, key, *node, "a whole number"));
  if (value < min || value > max) return error(key, fmt::format("{} is not from {} to {}", value, min, max));
  return value;
}

Result<double> TomlFields::number(const std::string& key, double otherwise, double min, double max) {
  const TomlNode* node = find(key);
  if (node == nullptr) return otherwise;
  const auto* integer = std::get_if<int64_t>(&node->value);
  const auto* real = std::get_if<double>(&node->value);
  if (integer == nullptr && real == nullptr) return error(key, "not a number");
  const double value = real != nullptr ? *real : static_cast<double>(*integer);
  if (!(value >= min && value <= max)) return error(key, fmt::format("{} is not from {} to {}", value, min, max));
  return value;
}

Result<bool> TomlFields::boolean(const std::string& key, bool otherwise) {
  const TomlNode* node = find(key);
  if (node == nullptr) return otherwise;
  return typed<bool>(*this, key, *node, "true or false");
}

Result<std::vector<std::string>> TomlFields::texts(const std::string& key) {
  std::vector<std::string> out;
  const TomlNode* node = find(key);
  if (node == nullptr) return out;
  const auto* array = std::get_if<TomlNode::Array>(&node->value);
  if (array == nullptr) return error(key, "not a list of texts");
  for (const TomlNode& each : *array) {
    SMELT_ASSIGN(std::string text, typed<std::string>(*this, key, each, "a list of texts"));
    out.push_back(std::move(text));
  }
  return out;
}

Result<size_t> TomlFields::choice(const std::string& key, const std::vector<std::string>& names, size_t otherwise) {
  if (!has(key)) return otherwise;
  SMELT_ASSIGN(const std::string name, text(key));
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<size_t>(found - names.begin());
  return error(key, fmt::format("'{}' is none of {}", escape_for_display(name), fmt::join(names, ", ")));
}

Status TomlFields::finish() const {
  const auto* table = std::get_if<TomlNode::Table>(&node_.value);
  if (table == nullptr) return error_at(file_, node_.line, fmt::format("field '{}': not a table", path_));
  for (const auto& [key, node] : *table) {
    if (asked_.contains(key)) continue;
    const std::string nearest = find_nearest(key, {asked_.begin(), asked_.end()});
    const std::string advice = nearest.empty() ? "" : fmt::format("; did you mean '{}'?", name_of(nearest));
    return error(key, "unknown" + advice);
  }
  return {};
}

}  // namespace smelt
