// Cuts a text at the tokens that are recognised before any tokenizer model looks at it.
#pragma once

#include <string_view>
#include <vector>

#include "tokenizers/text_automaton.h"
#include "tokenizers/vocab.h"

namespace smelt {

// A token (id >= 0) or a piece of plain text (id < 0).
struct TextFragment {
  std::string_view text;
  TokenId id = -1;
};

// Finds a set of texts by leftmost-longest match in time linear in the length of the text, whatever the texts are: an
// automaton over the reversed texts reads the input backwards; its state at a byte then knows the longest text that
// begins there, so that one pass forwards cuts the input.
class SpecialSplitter {
 public:
  // Empty texts are never found; of equal ones the first added is.
  void add(std::string_view text, TokenId id) { automaton_.add_reversed(text, id); }
  void finish() { automaton_.finish(); }  // after the last add, before the first split
  std::vector<TextFragment> split(std::string_view text) const;

 private:
  TextAutomaton automaton_;
};

}  // namespace smelt
