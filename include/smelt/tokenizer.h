// Text to token numbers and back, by the vocabulary that a model carries.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "smelt/result.h"

namespace smelt {

struct TextEncodeOptions {
  bool add_special = false;  // the tokens a text begins and ends with, as the vocabulary asks
  bool parse_special =
      false;  // text that spells a control token ("<|eot_id|>") becomes it: never for text of strangers
};

// A handle: copies share one immutable tokenizer. Any number of threads may use it at the same time.
class TextTokenizer {
 public:
  // Reads the vocabulary of a model file or folder without its weights being used.
  static Result<TextTokenizer> open(const std::string& path);

  int64_t n_vocab() const;  // tokens are 0 … n_vocab() - 1

  // Any bytes are accepted; time grows as n log n with their number.
  std::vector<int32_t> encode(std::string_view text, const TextEncodeOptions& options = {}) const;

  // The bytes that the tokens stand for; control tokens only with show_special. Numbers outside the vocabulary give
  // nothing. decode(encode(x)) is x, for vocabularies that have a token for every byte.
  std::string decode(const std::vector<int32_t>& ids, bool show_special = false) const;

  bool is_end(int32_t id) const;  // true for the tokens that end a text or an answer

  struct Impl;  // of the library's own sources
  explicit TextTokenizer(std::shared_ptr<const Impl> impl);

 private:
  std::shared_ptr<const Impl> impl_;
};

}  // namespace smelt
