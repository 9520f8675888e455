// A drafter with no second model: the text so far is searched for its own last tokens, and what followed them then is
// the guess. Pays where texts repeat themselves: code, quotations, summaries, answers about a document (Saxena,
// "Prompt Lookup Decoding", 2023).
#pragma once

#include "runtime/speculative.h"

namespace smelt {

class LookupDrafter final : public Drafter {
 public:
  explicit LookupDrafter(int64_t n_ctx);  // texts have at most n_ctx + 1 tokens

  Status begin(std::span<const TokenId> text, const CancelToken* cancel) override;
  int64_t propose(std::span<const TokenId> text, std::span<TokenId> draft) override;

 private:
  int32_t& newest(TokenId first, TokenId second);
  void index(std::span<const TokenId> text, size_t end);
  int32_t find(std::span<const TokenId> text);

  // Pairs of tokens by where they end: the newest of each hash, and from each place the one before. Hashes collide, so
  // tokens are compared.
  std::vector<int32_t> newest_;    // [hash] index in text of a pair's second token; -1: none
  std::vector<int32_t> previous_;  // [index in text]
};

}  // namespace smelt
