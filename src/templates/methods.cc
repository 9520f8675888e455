// Methods of dictionaries and lists, and the table of all methods; those of strings are in methods_text.cc.
#include "templates/methods.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace smelt::jinja {
namespace {

constexpr std::string_view kUnsafe[] = {"append", "clear",   "extend",     "insert", "pop",   "popitem",
                                        "remove", "reverse", "setdefault", "sort",   "update"};

const MethodEntry kDictMethods[] = {{"get", method_get},
                                    {"items", method_items},
                                    {"keys", method_keys},
                                    {"values", method_values},
                                    {"copy", method_copy}};
const MethodEntry kListMethods[] = {{"index", method_list_index}, {"count", method_list_count}, {"copy", method_copy}};

std::span<const MethodEntry> methods_of(const Value& receiver) {
  if (receiver.find_text() != nullptr) return text_methods();
  if (receiver.find_dict() != nullptr) return kDictMethods;
  if (receiver.find_list() != nullptr) return kListMethods;
  return {};
}

const MethodEntry* find_method(const Value& receiver, std::string_view name) {
  for (const MethodEntry& entry : methods_of(receiver)) {
    if (name == entry.name) return &entry;
  }
  return nullptr;
}

}  // namespace

bool has_method(const Value& receiver, std::string_view name) { return find_method(receiver, name) != nullptr; }

bool is_unsafe_attribute(const Value& receiver, std::string_view name) {
  if (name.starts_with("__")) return receiver.find_dict() == nullptr || receiver.find_dict()->find(name) == nullptr;
  const bool changes = std::find(std::begin(kUnsafe), std::end(kUnsafe), name) != std::end(kUnsafe);
  if (const DictNode* dict = receiver.find_dict())
    return changes && dict->find(name) == nullptr && name != "append" && name != "extend" && name != "insert" &&
           name != "remove" && name != "reverse" && name != "sort";
  return changes && receiver.find_list() != nullptr;
}

Result<Value> Runtime::method(const Value& receiver, const std::string& name, const Arguments& arguments) {
  SMELT_TRY(budget_.step());
  const MethodEntry* found = find_method(receiver, name);
  if (found == nullptr)
    return input_error(fmt::format("{} has no method '{}'", receiver.type_name(), escape_for_display(name)));
  return found->call(*this, receiver, arguments).with_context(name);
}

Result<Value> method_get(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  SMELT_ASSIGN(const auto given, bind(arguments, {"key", "default"}, 1));
  const DictNode& dict = *receiver.find_dict();
  SMELT_TRY(runtime.budget().step(dict.entries.size() / 8));
  if (const Value* found = dict.find(given[0])) return *found;
  return arguments.positional.size() + arguments.named.size() > 1 ? given[1] : Value::none();
}

Result<Value> method_items(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  SMELT_TRY(bind(arguments, {}));
  std::vector<Value> out;
  for (const auto& [key, value] : receiver.find_dict()->entries) {
    SMELT_ASSIGN(Value pair, runtime.list({key, value}, ListShape::tuple));
    out.push_back(std::move(pair));
  }
  return runtime.list(std::move(out));
}

Result<Value> method_keys(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  SMELT_TRY(bind(arguments, {}));
  SMELT_ASSIGN(auto keys, runtime.iterate(receiver));
  return runtime.list(std::move(keys));
}

Result<Value> method_values(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  SMELT_TRY(bind(arguments, {}));
  std::vector<Value> out;
  for (const Entry& entry : receiver.find_dict()->entries) out.push_back(entry.second);
  return runtime.list(std::move(out));
}

// Nothing changes a value, so a copy is the value.
Result<Value> method_copy(Runtime&, const Value& receiver, const Arguments&) { return receiver; }

Result<Value> method_list_index(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  SMELT_ASSIGN(const auto given, bind(arguments, {"value"}, 1));
  const std::vector<Value>& items = receiver.find_list()->items;
  for (size_t i = 0; i < items.size(); ++i) {
    SMELT_ASSIGN(const bool same, runtime.equal(items[i], given[0]));
    if (same) return Value::integer(static_cast<int64_t>(i));
  }
  return input_error("the value is not in the list");
}

Result<Value> method_list_count(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  SMELT_ASSIGN(const auto given, bind(arguments, {"value"}, 1));
  int64_t n = 0;
  for (const Value& item : receiver.find_list()->items) {
    SMELT_ASSIGN(const bool same, runtime.equal(item, given[0]));
    n += same ? 1 : 0;
  }
  return Value::integer(n);
}

}  // namespace smelt::jinja
