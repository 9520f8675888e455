// Finds every occurrence of a set of texts in one pass: an Aho-Corasick automaton (CACM 18(6), 1975). Used by the
// special token splitter (over reversed texts) and by the unigram engine.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizers/vocab.h"

namespace smelt {

class TextAutomaton {
 public:
  struct Node {
    int32_t failure = 0;   // the state of the longest proper suffix
    TokenId id = -1;       // the text that ends here …
    uint32_t size = 0;     // … and its length in bytes
    int32_t shorter = -1;  // the nearest state on the failure path that ends a text
    int32_t parent = 0;
    uint8_t byte = 0;
  };

  // Empty texts are never found; of equal ones the first added is.
  void add(std::string_view text, TokenId id);
  void add_reversed(std::string_view text, TokenId id);
  void finish();  // after the last add, before the first search
  bool is_empty() const { return nodes_.size() == 1; }

  static constexpr int32_t kStart = 0;
  int32_t advance(int32_t state, uint8_t byte) const;
  // The longest text that ends at this state, or nullptr; then, through next_shorter, the others.
  const Node* longest(int32_t state) const {
    const Node& node = at(state);
    return node.id >= 0 ? &node : next_shorter(node);
  }
  const Node* next_shorter(const Node& node) const { return node.shorter < 0 ? nullptr : &at(node.shorter); }

 private:
  const Node& at(int32_t state) const { return nodes_[static_cast<size_t>(state)]; }
  int32_t find_child(int32_t node, uint8_t byte) const;
  int32_t make_child(int32_t node, uint8_t byte);
  void mark_end(int32_t node, size_t size, TokenId id);

  std::vector<Node> nodes_ = std::vector<Node>(1);
  std::unordered_map<uint64_t, int32_t> children_;  // node << 8 | byte
  std::array<int32_t, 256> first_ = {};             // the root's children, 0 for none
};

}  // namespace smelt
