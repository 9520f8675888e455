#include "tokenizers/special_splitter.h"

#include <algorithm>
#include <utility>

namespace smelt {

int32_t SpecialSplitter::find_child(int32_t node, uint8_t byte) const {
  if (node == 0) return first_[byte];
  const auto it = children_.find(static_cast<uint64_t>(node) << 8 | byte);
  return it == children_.end() ? 0 : it->second;
}

void SpecialSplitter::add(std::string_view text, TokenId id) {
  if (text.empty()) return;
  int32_t node = 0;
  for (size_t i = text.size(); i-- > 0;) {
    const auto byte = static_cast<uint8_t>(text[i]);
    int32_t child = find_child(node, byte);
    if (child == 0) {
      child = static_cast<int32_t>(nodes_.size());
      nodes_.push_back({.byte = byte, .parent = node});
      if (node == 0) {
        first_[byte] = child;
      } else {
        children_.emplace(static_cast<uint64_t>(node) << 8 | byte, child);
      }
    }
    node = child;
  }
  Node& end = nodes_[static_cast<size_t>(node)];
  if (end.id < 0) {
    end.id = id;
    end.size = static_cast<uint32_t>(text.size());
  }
}

// Failure links, shallow states first: those of a state's parent must be known.
void SpecialSplitter::finish() {
  std::vector<uint32_t> depth(nodes_.size(), 0);
  for (size_t i = 1; i < nodes_.size(); ++i) depth[i] = depth[static_cast<size_t>(nodes_[i].parent)] + 1;
  std::vector<int32_t> order(nodes_.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int32_t>(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](int32_t a, int32_t b) { return depth[static_cast<size_t>(a)] < depth[static_cast<size_t>(b)]; });
  for (const int32_t state : order) {
    if (state == 0) continue;
    Node& node = nodes_[static_cast<size_t>(state)];
    node.failure = node.parent == 0 ? 0 : advance(nodes_[static_cast<size_t>(node.parent)].failure, node.byte);
    const Node& suffix = nodes_[static_cast<size_t>(node.failure)];
    node.shorter = suffix.id >= 0 ? node.failure : suffix.shorter;
  }
}

int32_t SpecialSplitter::advance(int32_t state, uint8_t byte) const {
  while (true) {
    const int32_t child = find_child(state, byte);
    if (child != 0 || state == 0) return child;
    state = nodes_[static_cast<size_t>(state)].failure;
  }
}

std::vector<TextFragment> SpecialSplitter::split(std::string_view text) const {
  std::vector<std::pair<size_t, const Node*>> found;  // where a text begins and its end state; right to left
  int32_t state = 0;
  for (size_t i = nodes_.size() > 1 ? text.size() : 0; i-- > 0;) {
    state = advance(state, static_cast<uint8_t>(text[i]));
    const Node* node = &nodes_[static_cast<size_t>(state)];
    if (node->id < 0 && node->shorter >= 0) node = &nodes_[static_cast<size_t>(node->shorter)];
    if (node->id >= 0) found.emplace_back(i, node);
  }
  std::vector<TextFragment> fragments;
  size_t done = 0;
  for (auto it = found.rbegin(); it != found.rend(); ++it) {
    const auto [begin, node] = *it;
    if (begin < done) continue;
    if (begin > done) fragments.push_back({text.substr(done, begin - done)});
    fragments.push_back({text.substr(begin, node->size), node->id});
    done = begin + node->size;
  }
  if (done < text.size()) fragments.push_back({text.substr(done)});
  return fragments;
}

}  // namespace smelt
