// Cuts a text at the tokens that are recognised before any tokenizer model looks at it.
#pragma once

#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizers/text_automaton.h"
#include "tokenizers/vocab.h"

namespace smelt {

// A token (id >= 0), with the blanks that it strips, or a piece of plain text (id < 0).
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
  void add(const Token& token, TokenId id);
  void finish();  // after the last add, before the first split
  std::vector<TextFragment> split(std::string_view text) const;

 private:
  struct Flags {
    bool strips_left, strips_right, single_word;
  };
  Flags flags_of(TokenId id) const;
  void split_by(const TextAutomaton& automaton, std::string_view text, std::vector<TextFragment>& fragments) const;

  TextAutomaton first_, second_;              // normalized ones are looked for in what the others leave
  std::unordered_map<TokenId, Flags> flags_;  // of the few tokens that have any
};

}  // namespace smelt
