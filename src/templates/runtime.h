// What filters, tests, methods and functions work with while a template is rendered: making values within the budget,
// and Python's operations on them. The evaluator owns the one Runtime of a rendering.
#pragma once

#include <cstdint>
#include <ctime>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "templates/value.h"

namespace smelt::jinja {

// Text in the making; each byte is paid before it is added.
class TextBuilder {
 public:
  explicit TextBuilder(Budget& budget) : budget_(budget) {}
  TextBuilder(const TextBuilder&) = delete;
  TextBuilder& operator=(const TextBuilder&) = delete;
  ~TextBuilder() { budget_.release(held_); }

  Status append(std::string_view bytes, bool foreign = false);
  Status append(const Text& text) { return append(text, 0, text.size()); }
  Status append(const Text& text, size_t begin, size_t count);
  Status append(char c, uint64_t times);
  size_t size() const { return text_.size(); }
  Text take() { return std::move(text_); }
  Value finish();

 private:
  Status pay(uint64_t bytes);

  Budget& budget_;
  Text text_;
  uint64_t held_ = 0;
};

class Runtime {
 public:
  Runtime(Budget& budget, std::time_t now) : budget_(budget), now_(now) {}
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  Budget& budget() { return budget_; }
  std::time_t now() const { return now_; }

  Result<Value> text(std::string_view bytes, bool foreign = false);
  Result<Value> text(const Text& text, size_t begin, size_t count);
  Result<Value> list(std::vector<Value> items, ListShape shape = ListShape::list);
  Result<Value> dict(std::vector<Entry> entries);  // keys differ
  Result<Value> new_namespace(std::vector<std::pair<std::string, Value>> attributes);

  // str(value), as {{ value }} prints it; repr(value), as within lists.
  Status print(const Value& value, TextBuilder& out) { return print(value, out, false); }
  Status print_repr(const Value& value, TextBuilder& out) { return print(value, out, true); }
  Result<Value> to_text(const Value& value);  // str(value)

  Result<bool> equal(const Value& a, const Value& b);
  Result<int> compare(const Value& a, const Value& b, const char* op);  // < 0, 0, > 0
  Result<bool> contains(const Value& container, const Value& item);
  Result<Value> binary(const std::string& op, const Value& a, const Value& b);
  Result<Value> negate(const Value& value);
  // What a loop over the value gives: items, keys of a dictionary, characters. Undefined gives none.
  Result<std::vector<Value>> iterate(const Value& value);
  Result<Value> item(const Value& container, const Value& key);
  Result<Value> attribute(const Value& container, const std::string& name);
  Result<Value> slice(const Value& sequence, const Value* begin, const Value* end, const Value* step);
  // "a.b.0": attributes and items along a path, as the filters map and sort take it.
  Result<Value> follow_path(const Value& value, const Value& path);

  Result<Value> filter(const std::string& name, const Value& input, const Arguments& arguments);
  Result<bool> test(const std::string& name, const Value& input, const Arguments& arguments);
  Result<Value> method(const Value& receiver, const std::string& name, const Arguments& arguments);

 private:
  Status print(const Value& value, TextBuilder& out, bool quoted);
  Status print_list(const ListNode& node, TextBuilder& out);
  Status print_dict(const DictNode& node, TextBuilder& out);
  Status print_quoted(const Text& text, TextBuilder& out);
  Result<Value> add(const Value& a, const Value& b);
  Result<Value> multiply(const Value& a, const Value& b);
  Result<Value> repeat(const Value& value, int64_t times);

  Budget& budget_;
  std::time_t now_;
  std::vector<std::unique_ptr<Namespace>> namespaces_;
};

// A method that Python has and the sandbox allows: of str, dict or list.
bool has_method(const Value& receiver, std::string_view name);
// One that changes its object or leads to its class.
bool is_unsafe_attribute(const Value& receiver, std::string_view name);

// As repr(float).
std::string format_real(double value);
// text % values and format(text, …).
Result<Value> format_percent(Runtime& runtime, const Text& text, const Value& values);
Result<Value> format_braces(Runtime& runtime, const Text& text, const Arguments& arguments);
// As json.dumps(ensure_ascii=False), with its arguments indent, separators, sort_keys.
Result<Value> format_json(Runtime& runtime, const Value& value, const Arguments& arguments);
const GlobalFunction* find_global(std::string_view name);

// "'name' is undefined", for what cannot be done with it.
Error undefined_error(const Value& value);
Error type_error(const std::string& what, const Value& value);

// Sorts arguments into the named places; missing ones stay undefined. The first n_required must be there.
Result<std::vector<Value>> bind(const Arguments& given, std::initializer_list<const char*> names,
                                size_t n_required = 0);
Result<int64_t> to_integer(const Value& value, const char* what);
Result<const Text*> to_string_argument(const Value& value, const char* what);

}  // namespace smelt::jinja
