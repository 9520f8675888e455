// Python's operators: arithmetic, attributes, items and slices.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/checked.h"
#include "base/text.h"
#include "templates/characters.h"
#include "templates/runtime.h"

namespace smelt::jinja {
namespace {

Error unsupported(const std::string& op, const Value& a, const Value& b) {
  if (a.is_undefined()) return undefined_error(a);
  if (b.is_undefined()) return undefined_error(b);
  return input_error(fmt::format("'{}' is not possible between {} and {}", op, a.type_name(), b.type_name()));
}

Error too_large() { return input_error("an integer is out of range"); }

Result<Value> integer_or_error(std::optional<int64_t> value) {
  if (!value) return too_large();
  return Value::integer(*value);
}

Result<Value> integer_power(int64_t base, int64_t exponent) {
  int64_t out = 1;
  if (base == 0 || base == 1) return Value::integer(exponent == 0 ? 1 : base);
  if (base == -1) return Value::integer(exponent % 2 == 0 ? 1 : -1);
  for (; exponent > 0; --exponent) {
    if (__builtin_mul_overflow(out, base, &out)) return too_large();  // after 63 rounds at most
  }
  return Value::integer(out);
}

Result<Value> integer_arithmetic(const std::string& op, int64_t a, int64_t b) {
  int64_t out = 0;
  if (op == "-") return __builtin_sub_overflow(a, b, &out) ? Result<Value>(too_large()) : Value::integer(out);
  if (op == "**" && b >= 0) return integer_power(a, b);
  if (op == "**") return Value::real(std::pow(static_cast<double>(a), static_cast<double>(b)));
  if (b == 0) return input_error("division by zero");
  if (op == "/") return Value::real(static_cast<double>(a) / static_cast<double>(b));
  if (b == -1) return op == "%" ? Value::integer(0) : integer_or_error(checked_mul(a, int64_t{-1}));
  const bool rounds_down = a % b != 0 && (a < 0) != (b < 0);
  if (op == "//") return Value::integer(a / b - (rounds_down ? 1 : 0));
  return Value::integer(a % b + (rounds_down ? b : 0));
}

Result<Value> real_arithmetic(const std::string& op, double a, double b) {
  if (op == "-") return Value::real(a - b);
  if (op == "**") return Value::real(std::pow(a, b));
  if (b == 0) return input_error("division by zero");
  if (op == "/") return Value::real(a / b);
  if (op == "//") return Value::real(std::floor(a / b));
  const double rest = std::fmod(a, b);
  return Value::real(rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest);
}

struct Bounds {
  int64_t begin, end, step;
};

Result<int64_t> clamp_index(const Value* given, int64_t standard, int64_t low, int64_t high) {
  if (given == nullptr || given->is_none()) return standard;
  SMELT_ASSIGN(int64_t index, to_integer(*given, "a slice's bound"));
  if (index < 0) index += high + (low < 0 ? 1 : 0);
  return std::clamp(index, low, high);
}

// As Python's slice.indices(n).
Result<Bounds> find_bounds(int64_t n, const Value* begin, const Value* end, const Value* step) {
  Bounds out = {0, n, 1};
  if (step != nullptr && !step->is_none()) {
    SMELT_ASSIGN(out.step, to_integer(*step, "a slice's step"));
  }
  if (out.step == 0) return input_error("a slice's step is 0");
  out.step = std::clamp(out.step, -n - 1, n + 1);
  const bool back = out.step < 0;
  const int64_t low = back ? -1 : 0;
  const int64_t high = back ? n - 1 : n;
  SMELT_ASSIGN(out.begin, clamp_index(begin, back ? high : low, low, high));
  SMELT_ASSIGN(out.end, clamp_index(end, back ? low : high, low, high));
  return out;
}

bool goes_on(const Bounds& bounds, int64_t i) { return bounds.step > 0 ? i < bounds.end : i > bounds.end; }

Result<Value> slice_text(Runtime& runtime, const Text& text, const Bounds& bounds) {
  const std::string_view bytes = text.bytes();
  SMELT_TRY(runtime.budget().step(bytes.size() / 16));
  if (bounds.step == 1) {
    const size_t begin = find_character(bytes, static_cast<size_t>(bounds.begin));
    const auto n = static_cast<size_t>(std::max<int64_t>(bounds.end - bounds.begin, 0));
    return runtime.text(text, begin, find_character(bytes.substr(begin), n));
  }
  std::vector<size_t> starts;
  SMELT_TRY(runtime.budget().hold(bytes.size() * sizeof(size_t)));
  const Charge for_now(&runtime.budget(), bytes.size() * sizeof(size_t));
  for (size_t i = 0; i < bytes.size(); i += character_at(bytes, i).size) starts.push_back(i);
  TextBuilder out(runtime.budget());
  for (int64_t i = bounds.begin; goes_on(bounds, i); i += bounds.step) {
    const size_t at = starts[static_cast<size_t>(i)];
    SMELT_TRY(runtime.budget().step());
    SMELT_TRY(out.append(text, at, character_at(bytes, at).size));
  }
  return out.finish();
}

Value or_undefined(const Value* found, const std::string* name) {
  return found != nullptr ? *found : Value(Value::Data(Undefined{name}));
}

Value loop_attribute(const Loop& loop, const std::string& name) {
  const auto n = static_cast<int64_t>(loop.items->items.size());
  const auto neighbour = [&](int64_t at) {
    return at >= 0 && at < n ? loop.items->items[static_cast<size_t>(at)] : Value(Value::Data(Undefined{&name}));
  };
  if (name == "index") return Value::integer(loop.index0 + 1);
  if (name == "index0") return Value::integer(loop.index0);
  if (name == "revindex") return Value::integer(n - loop.index0);
  if (name == "revindex0") return Value::integer(n - loop.index0 - 1);
  if (name == "first") return Value::boolean(loop.index0 == 0);
  if (name == "last") return Value::boolean(loop.index0 == n - 1);
  if (name == "length") return Value::integer(n);
  if (name == "depth") return Value::integer(1);
  if (name == "depth0") return Value::integer(0);
  if (name == "previtem") return neighbour(loop.index0 - 1);
  if (name == "nextitem") return neighbour(loop.index0 + 1);
  return Value(Value::Data(Undefined{&name}));
}

}  // namespace

Result<Value> Runtime::add(const Value& a, const Value& b) {
  if (a.find_text() != nullptr && b.find_text() != nullptr) {
    TextBuilder out(budget_);
    SMELT_TRY(out.append(*a.find_text()));
    SMELT_TRY(out.append(*b.find_text()));
    return out.finish();
  }
  const ListNode* x = a.find_list();
  const ListNode* y = b.find_list();
  if (x != nullptr && y != nullptr && x->shape == y->shape && x->shape != ListShape::generator) {
    SMELT_TRY(budget_.step((x->items.size() + y->items.size()) / 4));
    std::vector<Value> items = x->items;
    items.insert(items.end(), y->items.begin(), y->items.end());
    return list(std::move(items), x->shape);
  }
  if (a.is_integer() && b.is_integer()) return integer_or_error(checked_add(a.as_integer(), b.as_integer()));
  if (a.is_number() && b.is_number()) return Value::real(a.as_real() + b.as_real());
  return unsupported("+", a, b);
}

Result<Value> Runtime::repeat(const Value& value, int64_t times) {
  const auto n = static_cast<uint64_t>(std::max<int64_t>(times, 0));
  if (const Text* text = value.find_text()) {
    TextBuilder out(budget_);
    for (uint64_t i = 0; i < n && !text->empty(); ++i) {
      SMELT_TRY(budget_.step());
      SMELT_TRY(out.append(*text));
    }
    return out.finish();
  }
  const ListNode& node = *value.find_list();
  const auto total = checked_mul(n, static_cast<uint64_t>(node.items.size()));
  const auto bytes = total ? checked_mul(*total, uint64_t{sizeof(Value)}) : std::nullopt;
  SMELT_TRY(budget_.hold(bytes.value_or(UINT64_MAX)));
  const Charge for_now(&budget_, *bytes);
  std::vector<Value> items;
  items.reserve(*total);
  for (uint64_t i = 0; i < n && !node.items.empty(); ++i) {
    items.insert(items.end(), node.items.begin(), node.items.end());
  }
  return list(std::move(items), node.shape);
}

Result<Value> Runtime::multiply(const Value& a, const Value& b) {
  const auto repeats = [](const Value& value) { return value.find_text() != nullptr || value.find_list() != nullptr; };
  if (repeats(a) && b.is_integer()) return repeat(a, b.as_integer());
  if (repeats(b) && a.is_integer()) return repeat(b, a.as_integer());
  if (a.is_integer() && b.is_integer()) return integer_or_error(checked_mul(a.as_integer(), b.as_integer()));
  if (a.is_number() && b.is_number()) return Value::real(a.as_real() * b.as_real());
  return unsupported("*", a, b);
}

Result<Value> Runtime::binary(const std::string& op, const Value& a, const Value& b) {
  if (op == "+") return add(a, b);
  if (op == "*") return multiply(a, b);
  if (op == "%" && a.find_text() != nullptr) return format_percent(*this, *a.find_text(), b);
  if (a.is_integer() && b.is_integer()) return integer_arithmetic(op, a.as_integer(), b.as_integer());
  if (a.is_number() && b.is_number()) return real_arithmetic(op, a.as_real(), b.as_real());
  return unsupported(op, a, b);
}

Result<Value> Runtime::negate(const Value& value) {
  if (value.is_integer()) return integer_or_error(checked_mul(value.as_integer(), int64_t{-1}));
  if (value.is_number()) return Value::real(-value.as_real());
  return type_error("'-' wants a number", value);
}

Result<Value> Runtime::item(const Value& container, const Value& key) {
  if (container.is_undefined()) return undefined_error(container);
  const Text* name = key.find_text();
  if (const DictNode* dict = container.find_dict()) {
    SMELT_TRY(budget_.step(dict->entries.size() / 8));
    if (const Value* found = dict->find(key)) return *found;
  }
  if (name != nullptr) {
    if (is_unsafe_attribute(container, name->bytes()) || has_method(container, name->bytes()) ||
        container.holds<Namespace*>() || container.holds<std::shared_ptr<const Loop>>()) {
      SMELT_ASSIGN(Value found, attribute(container, name->bytes()));
      return found.is_undefined() ? Value() : found;  // its name is the key's text, which may go
    }
    return Value();
  }
  if (!key.is_integer()) return Value();
  int64_t index = key.as_integer();
  if (const ListNode* list = container.find_list()) {
    const auto n = static_cast<int64_t>(list->items.size());
    index += index < 0 ? n : 0;
    return index >= 0 && index < n ? list->items[static_cast<size_t>(index)] : Value();
  }
  const Text* characters = container.find_text();
  if (characters == nullptr) return Value();
  SMELT_TRY(budget_.step(characters->size() / 16));
  const auto n = static_cast<int64_t>(count_characters(characters->bytes()));
  index += index < 0 ? n : 0;
  if (index < 0 || index >= n) return Value();
  const size_t at = find_character(characters->bytes(), static_cast<size_t>(index));
  return text(*characters, at, character_at(characters->bytes(), at).size);
}

// `name` lives as long as the template, or the value is used at once.
Result<Value> Runtime::attribute(const Value& container, const std::string& name) {
  if (container.is_undefined()) return undefined_error(container);
  if (is_unsafe_attribute(container, name))
    return input_error(
        fmt::format("access to '{}' of {} is not allowed", escape_for_display(name), container.type_name()));
  if (has_method(container, name)) {
    SMELT_TRY(budget_.hold(sizeof(BoundMethod)));  // until the end
    return Value(Value::Data(std::make_shared<const BoundMethod>(BoundMethod{container, name})));
  }
  if (const DictNode* dict = container.find_dict()) {
    SMELT_TRY(budget_.step(dict->entries.size() / 8));
    return or_undefined(dict->find(name), &name);
  }
  if (container.holds<Namespace*>()) return or_undefined((*container.get<Namespace*>())->find(name), &name);
  if (const auto* loop = container.get<std::shared_ptr<const Loop>>()) return loop_attribute(**loop, name);
  return Value(Value::Data(Undefined{&name}));
}

Result<Value> Runtime::slice(const Value& sequence, const Value* begin, const Value* end, const Value* step) {
  if (const Text* text = sequence.find_text()) {
    SMELT_ASSIGN(const Bounds bounds,
                 find_bounds(static_cast<int64_t>(count_characters(text->bytes())), begin, end, step));
    return slice_text(*this, *text, bounds);
  }
  const ListNode* node = sequence.find_list();
  if (node == nullptr) return type_error("only lists and strings can be sliced", sequence);
  SMELT_ASSIGN(const Bounds bounds, find_bounds(static_cast<int64_t>(node->items.size()), begin, end, step));
  std::vector<Value> items;
  for (int64_t i = bounds.begin; goes_on(bounds, i); i += bounds.step)
    items.push_back(node->items[static_cast<size_t>(i)]);
  return list(std::move(items), node->shape);
}

Result<Value> Runtime::follow_path(const Value& value, const Value& path) {
  if (path.is_integer()) return item(value, path);
  SMELT_ASSIGN(const Text* text, to_string_argument(path, "attribute"));
  Value at = value;
  const std::string& whole = text->bytes();
  for (size_t begin = 0; begin <= whole.size();) {
    const size_t end = std::min(whole.find('.', begin), whole.size());
    const std::string part = whole.substr(begin, end - begin);
    int64_t index = 0;
    const auto read = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool number = !part.empty() && read.ec == std::errc() && read.ptr == part.data() + part.size();
    if (at.is_undefined()) return undefined_error(at);
    SMELT_ASSIGN(const Value key, number ? Result<Value>(Value::integer(index)) : this->text(part));
    SMELT_ASSIGN(Value next, item(at, key));
    at = std::move(next);
    begin = end + 1;
  }
  return at;
}

}  // namespace smelt::jinja
