#include "tokenizers/text_automaton.h"

#include <algorithm>

namespace smelt {

int32_t TextAutomaton::find_child(int32_t node, uint8_t byte) const {
  if (node == 0) return first_[byte];
  const auto it = children_.find(static_cast<uint64_t>(node) << 8 | byte);
  return it == children_.end() ? 0 : it->second;
}

int32_t TextAutomaton::make_child(int32_t node, uint8_t byte) {
  const int32_t known = find_child(node, byte);
  if (known != 0) return known;
  const auto child = static_cast<int32_t>(nodes_.size());
  nodes_.push_back({.parent = node, .byte = byte});
  if (node == 0) {
    first_[byte] = child;
  } else {
    children_.emplace(static_cast<uint64_t>(node) << 8 | byte, child);
  }
  return child;
}

void TextAutomaton::mark_end(int32_t node, size_t size, TokenId id) {
  Node& end = nodes_[static_cast<size_t>(node)];
  if (node == 0 || end.id >= 0) return;
  end.id = id;
  end.size = static_cast<uint32_t>(size);
}

void TextAutomaton::add(std::string_view text, TokenId id) {
  int32_t node = 0;
  for (const char c : text) node = make_child(node, static_cast<uint8_t>(c));
  mark_end(node, text.size(), id);
}

void TextAutomaton::add_reversed(std::string_view text, TokenId id) {
  int32_t node = 0;
  for (size_t i = text.size(); i-- > 0;) node = make_child(node, static_cast<uint8_t>(text[i]));
  mark_end(node, text.size(), id);
}

// Failure links, shallow states first: those of a state's parent must be known.
void TextAutomaton::finish() {
  std::vector<uint32_t> depth(nodes_.size(), 0);
  for (size_t i = 1; i < nodes_.size(); ++i) depth[i] = depth[static_cast<size_t>(nodes_[i].parent)] + 1;
  std::vector<int32_t> order(nodes_.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int32_t>(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](int32_t a, int32_t b) { return depth[static_cast<size_t>(a)] < depth[static_cast<size_t>(b)]; });
  for (const int32_t state : order) {
    if (state == 0) continue;
    Node& node = nodes_[static_cast<size_t>(state)];
    node.failure = node.parent == 0 ? 0 : advance(at(node.parent).failure, node.byte);
    const Node& suffix = at(node.failure);
    node.shorter = suffix.id >= 0 ? node.failure : suffix.shorter;
  }
}

int32_t TextAutomaton::advance(int32_t state, uint8_t byte) const {
  while (true) {
    const int32_t child = find_child(state, byte);
    if (child != 0 || state == 0) return child;
    state = at(state).failure;
  }
}

}  // namespace smelt
