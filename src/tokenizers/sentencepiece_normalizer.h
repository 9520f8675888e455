// What SentencePiece does to text before it is cut: character replacement by the model's own table, the space in front,
// removal of extra spaces, "▁" for space. Used by the sentencepiece_bpe and unigram engines.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tokenizers/vocab.h"

namespace smelt {

class SentencePieceNormalizer {
 public:
  // Reads the flags and the table of a vocabulary. keep_ill_formed: bytes that are no UTF-8 pass unchanged (for
  // vocabularies with byte tokens); otherwise each becomes U+FFFD.
  Status build(const Vocab& vocab, bool keep_ill_formed);
  // at_start: a space is put in front where the model wants one.
  std::string normalize(std::string_view text, bool at_start) const;

 private:
  struct Step {
    std::string_view text;  // what replaces …
    size_t consumed;        // … this many bytes
  };
  Status build_table(std::string_view bytes);
  Step next(std::string_view text) const;
  Step find_replacement(std::string_view text) const;
  void append(std::string_view text, std::string& out) const;

  std::vector<uint32_t> units_;  // a Darts double array; empty if the model replaces nothing
  std::string replacements_;     // texts, each ended by a zero byte
  bool add_space_prefix_ = false;
  bool single_prefix_ = false;
  bool remove_extra_ = false;
  bool escape_ = false;
  bool keep_ill_formed_ = false;
};

}  // namespace smelt
