// Token text to id, for the tokens that plain text may become. Used by every engine.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tokenizers/vocab.h"

namespace smelt {

// True for the types that text can be cut into: control, unknown and byte tokens are reached by other ways.
bool is_text_token(TokenType type);

// An open-addressing table that keeps ids only; the texts stay in the vocabulary, which must outlive it and not move.
class TokenIndex {
 public:
  // Indexes the text tokens; empty ones are left out. Two with the same text are an error that names both ids.
  Status build(const std::vector<Token>& tokens);
  // The id, or -1.
  TokenId find(std::string_view text) const;
  size_t longest_bytes() const { return longest_bytes_; }

 private:
  struct Slot {
    uint32_t hash = 0;
    TokenId id = -1;
  };
  const Slot* find_slot(std::string_view text, uint32_t hash) const;

  const std::vector<Token>* tokens_ = nullptr;
  std::vector<Slot> slots_;  // a power of two, at most half full
  size_t longest_bytes_ = 0;
};

}  // namespace smelt
