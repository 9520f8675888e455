// Making values, printing them as Python does, comparing them.
#include "templates/runtime.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/text.h"
#include "templates/characters.h"

namespace smelt::jinja {
namespace {

constexpr uint64_t kNodeBytes = 128;
constexpr uint64_t kBytesAStep = 64;
constexpr int kMaxValueDepth = 100;

// How repr() writes a character of a string, or "" for as it is.
std::string repr_escape(char32_t c, char quote) {
  if (c == '\\' || c == static_cast<char32_t>(quote)) return {'\\', static_cast<char>(c)};
  if (c == '\n') return "\\n";
  if (c == '\r') return "\\r";
  if (c == '\t') return "\\t";
  if (is_printable(c)) return "";
  const auto code = static_cast<uint32_t>(c);
  if (code < 0x100) return fmt::format("\\x{:02x}", code);
  return code < 0x10000 ? fmt::format("\\u{:04x}", code) : fmt::format("\\U{:08x}", code);
}

}  // namespace

Status TextBuilder::pay(uint64_t bytes) {
  SMELT_TRY(budget_.step(bytes / kBytesAStep));
  SMELT_TRY(budget_.hold(2 * bytes));
  held_ += 2 * bytes;
  return {};
}

Status TextBuilder::append(std::string_view bytes, bool foreign) {
  SMELT_TRY(pay(bytes.size()));
  text_.append(bytes, foreign);
  return {};
}

Status TextBuilder::append(const Text& text, size_t begin, size_t count) {
  begin = std::min(begin, text.size());
  count = std::min(count, text.size() - begin);
  SMELT_TRY(pay(count));
  text_.append(text, begin, count);
  return {};
}

Status TextBuilder::append(char c, uint64_t times) {
  SMELT_TRY(pay(std::min(times, uint64_t{1} << 40)));
  text_.append(std::string(times, c), false);
  return {};
}

Value TextBuilder::finish() {
  TextNode node;
  node.text = std::move(text_);
  node.charge = Charge(&budget_, std::exchange(held_, 0));
  return Value(Value::Data(std::make_shared<const TextNode>(std::move(node))));
}

Result<Value> Runtime::text(std::string_view bytes, bool foreign) {
  TextBuilder out(budget_);
  SMELT_TRY(out.append(bytes, foreign));
  return out.finish();
}

Result<Value> Runtime::text(const Text& text, size_t begin, size_t count) {
  TextBuilder out(budget_);
  SMELT_TRY(out.append(text, begin, count));
  return out.finish();
}

Result<Value> Runtime::list(std::vector<Value> items, ListShape shape) {
  ListNode node;
  for (const Value& item : items) node.depth = std::max(node.depth, item.depth() + 1);
  if (node.depth > kMaxValueDepth) return input_error("lists nest too deep (depth limit)");
  const uint64_t bytes = kNodeBytes + items.size() * sizeof(Value);
  SMELT_TRY(budget_.step(1 + items.size()));
  SMELT_TRY(budget_.hold(bytes));
  node.items = std::move(items);
  node.shape = shape;
  node.charge = Charge(&budget_, bytes);
  return Value(Value::Data(std::make_shared<const ListNode>(std::move(node))));
}

Result<Value> Runtime::dict(std::vector<Entry> entries) {
  DictNode node;
  for (const Entry& entry : entries) node.depth = std::max(node.depth, entry.second.depth() + 1);
  if (node.depth > kMaxValueDepth) return input_error("dictionaries nest too deep (depth limit)");
  const uint64_t bytes = kNodeBytes + entries.size() * sizeof(Entry);
  SMELT_TRY(budget_.step(1 + entries.size()));
  SMELT_TRY(budget_.hold(bytes));
  node.entries = std::move(entries);
  node.charge = Charge(&budget_, bytes);
  return Value(Value::Data(std::make_shared<const DictNode>(std::move(node))));
}

Result<Value> Runtime::new_namespace(std::vector<std::pair<std::string, Value>> attributes) {
  SMELT_TRY(budget_.hold(kNodeBytes + attributes.size() * sizeof(attributes.front())));  // until the end
  namespaces_.push_back(std::make_unique<Namespace>());
  namespaces_.back()->attributes = std::move(attributes);
  return Value(Value::Data(namespaces_.back().get()));
}

std::string format_real(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[64];
  const auto written = std::to_chars(std::begin(buffer), std::end(buffer), value, std::chars_format::scientific);
  const std::string_view text(buffer, static_cast<size_t>(written.ptr - buffer));
  const size_t e = text.find('e');
  int exponent = 0;
  const char* first = text.data() + e + (text[e + 1] == '+' ? 2 : 1);
  std::from_chars(first, text.data() + text.size(), exponent);
  const bool negative = text.front() == '-';
  std::string digits;
  for (const char c : text.substr(0, e)) digits += c >= '0' && c <= '9' ? std::string(1, c) : "";
  std::string out = negative ? "-" : "";
  if (exponent < -4 || exponent >= 16) {
    out += digits.substr(0, 1);
    if (digits.size() > 1) out += "." + digits.substr(1);
    return out + fmt::format("e{}{:02}", exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  if (exponent < 0) return out + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  const auto whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= whole) return out + digits + std::string(whole - digits.size(), '0') + ".0";
  return out + digits.substr(0, whole) + "." + digits.substr(whole);
}

Status Runtime::print_quoted(const Text& text, TextBuilder& out) {
  const std::string_view bytes = text.bytes();
  const bool has_single = bytes.find('\'') != std::string_view::npos;
  const char quote = has_single && bytes.find('"') == std::string_view::npos ? '"' : '\'';
  SMELT_TRY(out.append(quote, 1));
  for (size_t i = 0; i < bytes.size();) {
    const Character c = character_at(bytes, i);
    const std::string escape = repr_escape(c.code, quote);
    if (escape.empty()) {
      SMELT_TRY(out.append(text, i, c.size));
    } else {
      SMELT_TRY(out.append(escape, text.foreign_at(i)));
    }
    i += c.size;
  }
  return out.append(quote, 1);
}

Status Runtime::print_list(const ListNode& node, TextBuilder& out) {
  const bool tuple = node.shape == ListShape::tuple;
  SMELT_TRY(out.append(tuple ? "(" : "["));
  for (size_t i = 0; i < node.items.size(); ++i) {
    if (i > 0) SMELT_TRY(out.append(", "));
    SMELT_TRY(print_repr(node.items[i], out));
  }
  if (tuple && node.items.size() == 1) SMELT_TRY(out.append(","));
  return out.append(tuple ? ")" : "]");
}

Status Runtime::print_dict(const DictNode& node, TextBuilder& out) {
  SMELT_TRY(out.append("{"));
  for (size_t i = 0; i < node.entries.size(); ++i) {
    if (i > 0) SMELT_TRY(out.append(", "));
    SMELT_TRY(print_repr(node.entries[i].first, out));
    SMELT_TRY(out.append(": "));
    SMELT_TRY(print_repr(node.entries[i].second, out));
  }
  return out.append("}");
}

Status Runtime::print(const Value& value, TextBuilder& out, bool quoted) {
  SMELT_TRY(budget_.step());
  if (const Text* text = value.find_text()) return quoted ? print_quoted(*text, out) : out.append(*text);
  if (value.is_undefined()) return out.append(quoted ? "Undefined" : "");
  if (value.is_none()) return out.append("None");
  if (const bool* truth = value.get<bool>()) return out.append(*truth ? "True" : "False");
  if (value.is_integer()) return out.append(std::to_string(value.as_integer()));
  if (value.holds<double>()) return out.append(format_real(value.as_real()));
  if (const DictNode* node = value.find_dict()) return print_dict(*node, out);
  const ListNode* node = value.find_list();
  if (node != nullptr && node->shape != ListShape::generator) return print_list(*node, out);
  return input_error(fmt::format("a {} cannot be printed{}", value.type_name(), node != nullptr ? "; add |list" : ""));
}

Result<Value> Runtime::to_text(const Value& value) {
  if (value.find_text() != nullptr) return value;
  TextBuilder out(budget_);
  SMELT_TRY(print(value, out));
  return out.finish();
}

Error undefined_error(const Value& value) {
  const auto* undefined = value.get<Undefined>();
  if (undefined == nullptr || undefined->name == nullptr) return input_error("the value is undefined");
  return input_error(fmt::format("'{}' is undefined", escape_for_display(*undefined->name)));
}

Error type_error(const std::string& what, const Value& value) {
  if (value.is_undefined()) return undefined_error(value);
  return input_error(fmt::format("{}, not {}", what, value.type_name()));
}

Result<bool> Runtime::equal(const Value& a, const Value& b) {
  SMELT_TRY(budget_.step());
  const ListNode* x = a.find_list();
  const ListNode* y = b.find_list();
  if (x != nullptr && y != nullptr) {
    if (x->shape != y->shape || x->items.size() != y->items.size()) return x == y;
    for (size_t i = 0; i < x->items.size(); ++i) {
      SMELT_ASSIGN(const bool same, equal(x->items[i], y->items[i]));
      if (!same) return false;
    }
    return true;
  }
  const DictNode* p = a.find_dict();
  const DictNode* q = b.find_dict();
  if (p == nullptr || q == nullptr) {
    if (a.holds<Namespace*>() && b.holds<Namespace*>()) return *a.get<Namespace*>() == *b.get<Namespace*>();
    return equal_scalars(a, b);
  }
  if (p->entries.size() != q->entries.size()) return false;
  for (const auto& [key, value] : p->entries) {
    SMELT_TRY(budget_.step(q->entries.size() / 8));
    const Value* other = q->find(key);
    if (other == nullptr) return false;
    SMELT_ASSIGN(const bool same, equal(value, *other));
    if (!same) return false;
  }
  return true;
}

Result<int> Runtime::compare(const Value& a, const Value& b, const char* op) {
  SMELT_TRY(budget_.step());
  if (a.is_undefined()) return undefined_error(a);
  if (b.is_undefined()) return undefined_error(b);
  if (a.is_integer() && b.is_integer()) return a.as_integer() < b.as_integer() ? -1 : a.as_integer() > b.as_integer();
  if (a.is_number() && b.is_number()) return a.as_real() < b.as_real() ? -1 : a.as_real() > b.as_real();
  const Text* x = a.find_text();
  const Text* y = b.find_text();
  if (x != nullptr && y != nullptr) return x->bytes().compare(y->bytes());
  const ListNode* p = a.find_list();
  const ListNode* q = b.find_list();
  if (p == nullptr || q == nullptr)
    return input_error(fmt::format("'{}' not supported between {} and {}", op, a.type_name(), b.type_name()));
  for (size_t i = 0; i < std::min(p->items.size(), q->items.size()); ++i) {
    SMELT_ASSIGN(const bool same, equal(p->items[i], q->items[i]));
    if (!same) return compare(p->items[i], q->items[i], op);
  }
  return p->items.size() < q->items.size() ? -1 : p->items.size() > q->items.size();
}

Result<bool> Runtime::contains(const Value& container, const Value& item) {
  if (container.is_undefined()) return false;
  if (const Text* text = container.find_text()) {
    const Text* part = item.find_text();
    if (part == nullptr) return type_error("'in <string>' wants a string on its left", item);
    SMELT_TRY(budget_.step(text->size() / kBytesAStep));
    return text->bytes().find(part->bytes()) != std::string::npos;
  }
  if (const DictNode* dict = container.find_dict()) {
    SMELT_TRY(budget_.step(dict->entries.size() / 8));
    return dict->find(item) != nullptr;
  }
  const ListNode* list = container.find_list();
  if (list == nullptr) return type_error("'in' wants something that holds values", container);
  for (const Value& each : list->items) {
    SMELT_ASSIGN(const bool same, equal(each, item));
    if (same) return true;
  }
  return false;
}

Result<std::vector<Value>> Runtime::iterate(const Value& value) {
  std::vector<Value> out;
  if (value.is_undefined()) return out;
  if (const ListNode* list = value.find_list()) {
    SMELT_TRY(budget_.step(list->items.size() / 8));
    return list->items;
  }
  if (const DictNode* dict = value.find_dict()) {
    SMELT_TRY(budget_.step(dict->entries.size()));
    for (const Entry& entry : dict->entries) out.push_back(entry.first);
    return out;
  }
  const Text* characters = value.find_text();
  if (characters == nullptr) return type_error("only lists, dictionaries and strings can be looped over", value);
  SMELT_TRY(budget_.hold(characters->size() * sizeof(Value)));
  const Charge for_now(&budget_, characters->size() * sizeof(Value));
  for (size_t i = 0; i < characters->size();) {
    const size_t size = character_at(characters->bytes(), i).size;
    SMELT_ASSIGN(Value one, text(*characters, i, size));
    out.push_back(std::move(one));
    i += size;
  }
  return out;
}

Result<std::vector<Value>> bind(const Arguments& given, std::initializer_list<const char*> names, size_t n_required) {
  if (given.positional.size() > names.size())
    return input_error(fmt::format("takes at most {} arguments, {} are given", names.size(), given.positional.size()));
  std::vector<Value> out = given.positional;
  out.resize(names.size());
  std::vector<bool> set(names.size(), false);
  std::fill(set.begin(), set.begin() + static_cast<ptrdiff_t>(given.positional.size()), true);
  for (const auto& [name, value] : given.named) {
    const auto* found = std::find_if(names.begin(), names.end(), [&](const char* each) { return name == each; });
    if (found == names.end()) return input_error(fmt::format("has no argument '{}'", escape_for_display(name)));
    const auto at = static_cast<size_t>(found - names.begin());
    if (set[at]) return input_error(fmt::format("argument '{}' is given twice", name));
    out[at] = value;
    set[at] = true;
  }
  for (size_t i = 0; i < n_required; ++i) {
    if (!set[i]) return input_error(fmt::format("argument '{}' is missing", *(names.begin() + i)));
  }
  return out;
}

Result<int64_t> to_integer(const Value& value, const char* what) {
  if (value.is_integer()) return value.as_integer();
  return type_error(fmt::format("{} must be an integer", what), value);
}

Result<const Text*> to_string_argument(const Value& value, const char* what) {
  if (const Text* text = value.find_text()) return text;
  return type_error(fmt::format("{} must be a string", what), value);
}

}  // namespace smelt::jinja
