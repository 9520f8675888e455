// parse_json_tree: nlohmann's event parser building JsonValue. The only file of this folder that sees its parser.
#include "tokenizers/json_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/text.h"

namespace smelt {
namespace {

constexpr size_t kMaxDepth = 64;

std::string describe_position(std::string_view text, size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  return fmt::format("line {}, column {}", line, offset - line_start + 1);
}

// "[json.exception.parse_error.101] parse error at line 1, column 5: syntax error …" → "syntax error …".
std::string shorten(const std::string& message) {
  size_t from = message.find("] ");
  from = from == std::string::npos ? 0 : from + 2;
  const size_t colon = message.find(": ", from);
  if (message.compare(from, 14, "parse error at") == 0 && colon != std::string::npos) from = colon + 2;
  return escape_for_display(std::string_view(message).substr(from), 240);
}

class TreeBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit TreeBuilder(std::string_view text) : text_(text) {}

  bool null() override { return put({}); }
  bool boolean(bool value) override { return put({value}); }
  bool number_integer(number_integer_t value) override { return put({int64_t{value}}); }
  bool number_unsigned(number_unsigned_t value) override {
    return value <= uint64_t{INT64_MAX} ? put({static_cast<int64_t>(value)}) : put({static_cast<double>(value)});
  }
  bool number_float(number_float_t value, const string_t& /*text*/) override { return put({value}); }
  bool string(string_t& value) override { return put({std::move(value)}); }
  bool binary(binary_t& /*value*/) override { return fail("binary data cannot be in JSON"); }
  bool start_object(std::size_t /*elements*/) override { return open({JsonValue::Object()}); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t /*elements*/) override { return open({JsonValue::Array()}); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (!open_.back().keys.insert(name).second) {
      return fail(fmt::format("key '{}' is given twice; remove one of them", escape_for_display(name)));
    }
    open_.back().key = std::move(name);
    return true;
  }
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::json::exception& error) override {
    const size_t offset = position == 0 ? 0 : std::min(position - 1, text_.size());
    return fail(fmt::format("{}: not valid JSON: {}", describe_position(text_, offset), shorten(error.what())));
  }

  JsonValue take_root() { return std::move(root_); }
  const std::string& problem() const { return problem_; }

 private:
  struct Level {
    JsonValue value;
    std::string key;  // under which the next value goes
    std::unordered_set<std::string> keys{};
  };

  bool fail(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }
  bool put(JsonValue value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (auto* list = std::get_if<JsonValue::Array>(&open_.back().value.value)) {
      list->push_back(std::move(value));
    } else {
      std::get<JsonValue::Object>(open_.back().value.value).push_back({std::move(open_.back().key), std::move(value)});
    }
    return true;
  }
  bool open(JsonValue container) {
    if (open_.size() == kMaxDepth) return fail(fmt::format("nested deeper than {} levels", kMaxDepth));
    open_.push_back({std::move(container), ""});
    return true;
  }
  bool close() {
    JsonValue done = std::move(open_.back().value);
    open_.pop_back();
    return put(std::move(done));
  }

  std::string_view text_;
  std::vector<Level> open_;
  JsonValue root_;
  std::string problem_;
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
  const std::string name = escape_for_display(file_name, 4096);
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) {
    return input_error(name + ": not valid JSON: it is UTF-16 text; save it as UTF-8");
  }
  // The parser takes a NUL for the end and would ignore what follows.
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return input_error(
        fmt::format("{}: {}: not valid JSON: it contains a NUL character", name, describe_position(text, nul)));
  }
  TreeBuilder builder(text);
  try {
    if (nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) return builder.take_root();
  } catch (const std::bad_alloc&) {
    return input_error(name + ": not enough memory to read it");
  } catch (const std::exception& error) {
    return input_error(fmt::format("{}: cannot be read as JSON: {}", name, shorten(error.what())));
  }
  return input_error(fmt::format("{}: {}", name, builder.problem()));
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
