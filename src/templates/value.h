// The values of templates: Python's as far as chat templates use them, and nothing of the host: no files, no objects
// with code. Lists and dictionaries never change once made, as in the sandbox that transformers uses; only namespaces
// do, and these belong to the interpreter. Strings are UTF-8 and know their origin (text.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "templates/budget.h"
#include "templates/text.h"

namespace smelt::jinja {

class Value;
struct Arguments;
class Runtime;

struct TextNode {
  Text text;
  Charge charge;
};
enum class ListShape : uint8_t { list, tuple, generator };
struct ListNode;
struct DictNode;
struct Namespace;
struct Loop;
struct Macro;
struct BoundMethod;
struct Undefined {
  const std::string* name = nullptr;  // of the variable or attribute, for messages; lives in the template
};
struct None {};
using Function = Result<Value> (*)(Runtime& runtime, const Arguments& arguments);
struct GlobalFunction {
  const char* name;
  Function call;
};

using Entry = std::pair<Value, Value>;

class Value {
 public:
  using Data = std::variant<Undefined, None, bool, int64_t, double, std::shared_ptr<const TextNode>,
                            std::shared_ptr<const ListNode>, std::shared_ptr<const DictNode>, Namespace*,
                            std::shared_ptr<const Loop>, const Macro*, const GlobalFunction*,
                            std::shared_ptr<const BoundMethod>>;
  Value() = default;                            // undefined
  Value(Data data) : data_(std::move(data)) {}  // NOLINT(google-explicit-constructor)

  // Values of the caller, outside of any budget. Text is made well-formed UTF-8.
  static Value none() { return Value(Data(None{})); }
  static Value boolean(bool value) { return Value(Data(value)); }
  static Value integer(int64_t value) { return Value(Data(value)); }
  static Value real(double value) { return Value(Data(value)); }
  static Value text(std::string_view text, bool foreign);
  static Value list(std::vector<Value> items);
  static Value dict(std::vector<Entry> entries);

  bool is_undefined() const { return holds<Undefined>(); }
  bool is_none() const { return holds<None>(); }
  bool is_number() const { return holds<bool>() || holds<int64_t>() || holds<double>(); }
  bool is_integer() const { return holds<bool>() || holds<int64_t>(); }  // True is 1
  bool is_callable() const;
  int64_t as_integer() const { return holds<bool>() ? int64_t{*get<bool>()} : *get<int64_t>(); }
  double as_real() const { return holds<double>() ? *get<double>() : static_cast<double>(as_integer()); }
  const Text* find_text() const;
  const ListNode* find_list() const;
  const DictNode* find_dict() const;
  template <class T>
  const T* get() const {
    return std::get_if<T>(&data_);
  }
  template <class T>
  bool holds() const {
    return std::holds_alternative<T>(data_);
  }
  // What Python calls the type: "str", "int", "dict", …
  const char* type_name() const;
  bool is_true() const;
  int depth() const;  // of nested lists and dictionaries

 private:
  Data data_;
};

struct ListNode {
  std::vector<Value> items;
  ListShape shape = ListShape::list;
  int depth = 1;
  Charge charge;
};

struct DictNode {
  std::vector<Entry> entries;  // in the order they were added; keys differ
  int depth = 1;
  Charge charge;
  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;
};

struct Namespace {
  std::vector<std::pair<std::string, Value>> attributes;
  Value* find(std::string_view name);
};

struct Loop {
  std::shared_ptr<const ListNode> items;
  int64_t index0 = 0;
};

struct BoundMethod {
  Value receiver;
  std::string name;
};

// What a call was given.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

// Numbers are equal across types; lists and dictionaries by what they hold.
bool equal_scalars(const Value& a, const Value& b);

}  // namespace smelt::jinja
