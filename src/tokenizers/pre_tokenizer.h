// Cuts text into the words inside which byte-level BPE merges, by the regular expressions that a family of models was
// trained with (pre_tokenizers.inc).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace smelt {

class PreTokenizer {
 public:
  // family: a name of pre_tokenizers.inc; an unknown one is an error that names the nearest.
  static Result<PreTokenizer> make(const std::string& family);

  PreTokenizer(PreTokenizer&&) noexcept;
  PreTokenizer& operator=(PreTokenizer&&) noexcept;
  ~PreTokenizer();

  // The words in order; together they are the text, bytes that are no UTF-8 included (they count as symbols).
  std::vector<std::string_view> split(std::string_view text) const;

 private:
  class Regex;
  explicit PreTokenizer(std::vector<Regex> passes);

  std::vector<Regex> passes_;
};

// Every family name, for messages and documentation.
std::vector<std::string> pre_tokenizer_families();

}  // namespace smelt
