#include "templates/value.h"

#include <algorithm>

#include "base/text.h"

namespace smelt::jinja {

Value Value::text(std::string_view text, bool foreign) {
  std::string bytes(text);
  if (!is_valid_utf8(text)) {
    bytes.clear();
    for (const char32_t c : decode_utf8(text)) append_utf8(bytes, c);
  }
  return Value(Data(std::make_shared<const TextNode>(TextNode{Text(std::move(bytes), foreign), {}})));
}

Value Value::list(std::vector<Value> items) {
  ListNode node;
  for (const Value& item : items) node.depth = std::max(node.depth, item.depth() + 1);
  node.items = std::move(items);
  return Value(Data(std::make_shared<const ListNode>(std::move(node))));
}

Value Value::dict(std::vector<Entry> entries) {
  DictNode node;
  for (const Entry& entry : entries) node.depth = std::max(node.depth, entry.second.depth() + 1);
  node.entries = std::move(entries);
  return Value(Data(std::make_shared<const DictNode>(std::move(node))));
}

const Text* Value::find_text() const {
  const auto* node = get<std::shared_ptr<const TextNode>>();
  return node == nullptr ? nullptr : &(*node)->text;
}

const ListNode* Value::find_list() const {
  const auto* node = get<std::shared_ptr<const ListNode>>();
  return node == nullptr ? nullptr : node->get();
}

const DictNode* Value::find_dict() const {
  const auto* node = get<std::shared_ptr<const DictNode>>();
  return node == nullptr ? nullptr : node->get();
}

bool Value::is_callable() const {
  return holds<const Macro*>() || holds<const GlobalFunction*>() || holds<std::shared_ptr<const BoundMethod>>();
}

const char* Value::type_name() const {
  constexpr const char* kNames[] = {"Undefined", "NoneType",  "bool",        "int",   "float",    "str",   "list",
                                    "dict",      "Namespace", "LoopContext", "Macro", "function", "method"};
  if (const ListNode* node = find_list()) {
    if (node->shape == ListShape::tuple) return "tuple";
    if (node->shape == ListShape::generator) return "generator";
  }
  return kNames[data_.index()];
}

bool Value::is_true() const {
  if (is_undefined() || is_none()) return false;
  if (is_number()) return as_real() != 0;
  if (const Text* text = find_text()) return !text->empty();
  if (const ListNode* node = find_list()) return node->shape == ListShape::generator || !node->items.empty();
  if (const DictNode* node = find_dict()) return !node->entries.empty();
  return true;
}

int Value::depth() const {
  if (const ListNode* node = find_list()) return node->depth;
  if (const DictNode* node = find_dict()) return node->depth;
  if (const auto* method = get<std::shared_ptr<const BoundMethod>>()) return (*method)->receiver.depth() + 1;
  if (const auto* loop = get<std::shared_ptr<const Loop>>()) return (*loop)->items->depth + 1;
  return 0;
}

bool equal_scalars(const Value& a, const Value& b) {
  if (a.is_integer() && b.is_integer()) return a.as_integer() == b.as_integer();
  if (a.is_number() && b.is_number()) return a.as_real() == b.as_real();
  const Text* x = a.find_text();
  const Text* y = b.find_text();
  if (x != nullptr && y != nullptr) return x->bytes() == y->bytes();
  return (a.is_none() && b.is_none()) || (a.is_undefined() && b.is_undefined());
}

const Value* DictNode::find(const Value& key) const {
  for (const Entry& entry : entries) {
    if (equal_scalars(entry.first, key)) return &entry.second;
  }
  return nullptr;
}

const Value* DictNode::find(std::string_view key) const {
  for (const Entry& entry : entries) {
    const Text* text = entry.first.find_text();
    if (text != nullptr && text->bytes() == key) return &entry.second;
  }
  return nullptr;
}

Value* Namespace::find(std::string_view name) {
  for (auto& [key, value] : attributes) {
    if (key == name) return &value;
  }
  return nullptr;
}

}  // namespace smelt::jinja
