// JSON to values, and values to JSON as Python's json.dumps(ensure_ascii=False) writes them.
#include "templates/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/json_walk.h"
#include "templates/runtime.h"

namespace smelt::jinja {
namespace {

constexpr int kMaxJsonDepth = 64;

class TreeMaker : public JsonVisitor {
 public:
  Status begin_object() override { return begin(true); }
  Status end_object() override { return end(); }
  Status begin_array() override { return begin(false); }
  Status end_array() override { return end(); }
  Status key(std::string name, uint64_t) override {
    open_.back().key = Value::text(name, true);
    return {};
  }
  Status scalar(JsonScalar value) override {
    return add(std::visit([](const auto& each) { return make(each); }, value));
  }
  Value take() { return std::move(whole_); }

 private:
  struct Level {
    bool object;
    Value key{};
    std::vector<Value> items{};
    std::vector<Entry> entries{};
  };
  static Value make(std::monostate) { return Value::none(); }
  static Value make(bool value) { return Value::boolean(value); }
  static Value make(int64_t value) { return Value::integer(value); }
  static Value make(uint64_t value) {
    return value <= INT64_MAX ? Value::integer(static_cast<int64_t>(value)) : Value::real(static_cast<double>(value));
  }
  static Value make(double value) { return Value::real(value); }
  static Value make(const std::string& value) { return Value::text(value, true); }

  Status begin(bool object) {
    open_.push_back({object});
    return {};
  }
  Status end() {
    Level level = std::move(open_.back());
    open_.pop_back();
    return add(level.object ? Value::dict(std::move(level.entries)) : Value::list(std::move(level.items)));
  }
  Status add(Value value) {
    if (open_.empty()) {
      whole_ = std::move(value);
    } else if (open_.back().object) {
      open_.back().entries.emplace_back(std::move(open_.back().key), std::move(value));
    } else {
      open_.back().items.push_back(std::move(value));
    }
    return {};
  }

  std::vector<Level> open_;
  Value whole_;
};

struct Style {
  bool pretty = false;
  std::string indent{};
  std::string between = ", ";
  std::string behind_key = ": ";
  bool sort_keys = false;
  bool ascii = false;
};

class JsonWriter {
 public:
  JsonWriter(Runtime& runtime, const Style& style) : runtime_(runtime), style_(style), out_(runtime.budget()) {}
  Status write(const Value& value);
  Value finish() { return out_.finish(); }

 private:
  Status write_string(const Text& text);
  Status write_key(const Value& key);
  Status write_list(const ListNode& node);
  Status write_dict(const DictNode& node);
  Status new_line();
  Result<std::vector<Entry>> sorted(const DictNode& node);

  Runtime& runtime_;
  const Style& style_;
  TextBuilder out_;
  int depth_ = 0;
};

std::string json_escape(char32_t c, bool ascii) {
  constexpr std::string_view kFrom = "\"\\\n\r\t\b\f";
  constexpr std::string_view kTo = "\"\\nrtbf";
  const size_t known = c < 0x80 ? kFrom.find(static_cast<char>(c)) : std::string_view::npos;
  if (known != std::string_view::npos) return std::string("\\") + kTo[known];
  const auto code = static_cast<uint32_t>(c);
  if (code < 0x20) return fmt::format("\\u{:04x}", code);
  if (!ascii || code < 0x80) return "";
  if (code < 0x10000) return fmt::format("\\u{:04x}", code);
  return fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + ((code - 0x10000) >> 10), 0xDC00 + ((code - 0x10000) & 0x3FF));
}

size_t character_size(unsigned char first) { return first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4; }

char32_t decode_character(std::string_view bytes) {
  if (bytes.size() == 1) return static_cast<unsigned char>(bytes[0]);
  char32_t code = static_cast<unsigned char>(bytes[0]) & (0xFFU >> (bytes.size() + 1));
  for (const char c : bytes.substr(1)) code = (code << 6) | (static_cast<unsigned char>(c) & 0x3FU);
  return code;
}

Status JsonWriter::write_string(const Text& text) {
  SMELT_TRY(out_.append("\""));
  const std::string_view bytes = text.bytes();
  for (size_t i = 0; i < bytes.size();) {
    const size_t size = std::min(character_size(static_cast<unsigned char>(bytes[i])), bytes.size() - i);
    const std::string escape = json_escape(decode_character(bytes.substr(i, size)), style_.ascii);
    SMELT_TRY(escape.empty() ? out_.append(text, i, size) : out_.append(escape, text.foreign_at(i)));
    i += size;
  }
  SMELT_TRY(runtime_.budget().step(bytes.size() / 8));
  return out_.append("\"");
}

Status JsonWriter::new_line() {
  if (!style_.pretty) return {};
  SMELT_TRY(out_.append("\n"));
  for (int i = 0; i < depth_; ++i) SMELT_TRY(out_.append(style_.indent));
  return {};
}

Status JsonWriter::write_list(const ListNode& node) {
  if (node.items.empty()) return out_.append("[]");
  SMELT_TRY(out_.append("["));
  ++depth_;
  for (size_t i = 0; i < node.items.size(); ++i) {
    if (i > 0) SMELT_TRY(out_.append(style_.between));
    SMELT_TRY(new_line());
    SMELT_TRY(write(node.items[i]));
  }
  --depth_;
  SMELT_TRY(new_line());
  return out_.append("]");
}

// Keys are strings in JSON; Python turns numbers, booleans and None into them.
Status JsonWriter::write_key(const Value& key) {
  if (const Text* text = key.find_text()) return write_string(*text);
  if (!key.is_number() && !key.is_none()) return type_error("keys must be strings, numbers, booleans or None", key);
  SMELT_TRY(out_.append("\""));
  SMELT_TRY(write(key));
  return out_.append("\"");
}

Result<std::vector<Entry>> JsonWriter::sorted(const DictNode& node) {
  std::vector<Entry> entries = node.entries;
  Status failed;
  std::stable_sort(entries.begin(), entries.end(), [&](const Entry& a, const Entry& b) {
    if (!failed) return false;
    const auto order = runtime_.compare(a.first, b.first, "<");
    if (!order) failed = order.error();
    return order && *order < 0;
  });
  SMELT_TRY(failed);
  return entries;
}

Status JsonWriter::write_dict(const DictNode& node) {
  if (node.entries.empty()) return out_.append("{}");
  std::vector<Entry> in_order;
  if (style_.sort_keys) {
    SMELT_ASSIGN(in_order, sorted(node));
  }
  const std::vector<Entry>& entries = style_.sort_keys ? in_order : node.entries;
  SMELT_TRY(out_.append("{"));
  ++depth_;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i > 0) SMELT_TRY(out_.append(style_.between));
    SMELT_TRY(new_line());
    SMELT_TRY(write_key(entries[i].first));
    SMELT_TRY(out_.append(style_.behind_key));
    SMELT_TRY(write(entries[i].second));
  }
  --depth_;
  SMELT_TRY(new_line());
  return out_.append("}");
}

Status JsonWriter::write(const Value& value) {
  SMELT_TRY(runtime_.budget().step());
  if (const Text* text = value.find_text()) return write_string(*text);
  if (value.is_none()) return out_.append("null");
  if (const bool* truth = value.get<bool>()) return out_.append(*truth ? "true" : "false");
  if (value.is_integer()) return out_.append(std::to_string(value.as_integer()));
  if (value.holds<double>()) {
    const double real = value.as_real();
    if (std::isnan(real)) return out_.append("NaN");
    if (std::isinf(real)) return out_.append(real < 0 ? "-Infinity" : "Infinity");
    return out_.append(format_real(real));
  }
  const ListNode* list = value.find_list();
  if (list != nullptr && list->shape != ListShape::generator) return write_list(*list);
  if (const DictNode* dict = value.find_dict()) return write_dict(*dict);
  return type_error("only plain values become JSON", value);
}

Status read_separators(const Value& given, Style& style) {
  const ListNode* list = given.find_list();
  if (list == nullptr) return {};
  if (list->items.size() != 2) return input_error("separators must be two strings");
  SMELT_ASSIGN(const Text* between, to_string_argument(list->items[0], "a separator"));
  SMELT_ASSIGN(const Text* behind_key, to_string_argument(list->items[1], "a separator"));
  style.between = between->bytes();
  style.behind_key = behind_key->bytes();
  return {};
}

}  // namespace

Result<Value> parse_json(std::string_view json, const std::string& name) {
  TreeMaker maker;
  SMELT_TRY(walk_json({.text = json, .file_name = name, .max_depth = kMaxJsonDepth}, maker));
  return maker.take();
}

Result<Value> format_json(Runtime& runtime, const Value& value, const Arguments& arguments) {
  SMELT_ASSIGN(const auto given, bind(arguments, {"ensure_ascii", "indent", "separators", "sort_keys"}));
  Style style;
  style.ascii = given[0].is_true();
  style.sort_keys = given[3].is_true();
  style.pretty = !given[1].is_undefined() && !given[1].is_none();
  if (style.pretty) style.between = ",";
  if (const Text* indent = given[1].find_text()) {
    style.indent = indent->bytes();
  } else if (style.pretty) {
    SMELT_ASSIGN(const int64_t n, to_integer(given[1], "indent"));
    if (n > 1000) return input_error("indent is too large");
    style.indent = std::string(static_cast<size_t>(std::max<int64_t>(n, 0)), ' ');
  }
  SMELT_TRY(read_separators(given[2], style));
  JsonWriter writer(runtime, style);
  SMELT_TRY(writer.write(value));
  return writer.finish();
}

}  // namespace smelt::jinja
