// Cuts a text at the tokens that are recognised before any tokenizer model looks at it.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizers/vocab.h"

namespace smelt {

// A token (id >= 0) or a piece of plain text (id < 0).
struct TextFragment {
  std::string_view text;
  TokenId id = -1;
};

// Finds a set of texts by leftmost-longest match in time linear in the length of the text, whatever the texts are.
//
// Method: an Aho-Corasick automaton (CACM 18(6), 1975) over the reversed texts reads the input backwards; its state at
// a byte then knows the longest text that begins there, so that one pass forwards cuts the input.
class SpecialSplitter {
 public:
  // Empty texts are never found; of equal ones the first added is.
  void add(std::string_view text, TokenId id);
  void finish();  // after the last add, before the first split
  std::vector<TextFragment> split(std::string_view text) const;

 private:
  struct Node {
    int32_t failure = 0;   // the state of the longest proper suffix
    TokenId id = -1;       // the text that ends here …
    uint32_t size = 0;     // … and its length
    int32_t shorter = -1;  // the nearest state on the failure path that ends a text
    uint8_t byte = 0;
    int32_t parent = 0;
  };
  int32_t find_child(int32_t node, uint8_t byte) const;
  int32_t advance(int32_t state, uint8_t byte) const;

  std::vector<Node> nodes_ = std::vector<Node>(1);
  std::unordered_map<uint64_t, int32_t> children_;  // node << 8 | byte
  std::array<int32_t, 256> first_ = {};             // the root's children, 0 for none
};

}  // namespace smelt
