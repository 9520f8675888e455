// The texts of a vocabulary's tokens as a tree over their bytes, laid out so that a walk in order reads memory in
// order. Made once for a tokenizer and shared; constraint.h walks it.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tokenizers/tokenizer.h"

namespace smelt {

class TokenTrie {
 public:
  struct Node {
    uint32_t end;    // the first node behind those below this one
    TokenId token;   // that ends here, or -1
    uint16_t depth;  // bytes from the root, which is no node
    uint8_t byte;
    bool has_below : 1;
    bool has_twins : 1;  // more tokens of the same text
  };

  struct Below {
    uint32_t kinds;        // of the node's byte and of all below it: bits of byte_kinds.h
    uint32_t first_token;  // of in_order() from here on; those below end where the node's end has its first
    uint32_t height;       // bytes down to the deepest node, its own counted
  };

  // Tokens that stand for no text (control tokens, unused ones, empty texts) are left out: a constraint allows the end
  // tokens by itself, and none of the others.
  static Result<std::shared_ptr<const TokenTrie>> build(std::shared_ptr<const Tokenizer> tokenizer);

  const std::vector<Node>& nodes() const { return nodes_; }
  const Below& below(uint32_t node) const { return below_[node]; }
  // All tokens as their nodes come, those of one text together.
  const std::vector<TokenId>& in_order() const { return in_order_; }
  int max_depth() const { return max_depth_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  int64_t n_vocab() const { return tokenizer_->n_vocab(); }

 private:
  TokenTrie() = default;
  void sum_up();
  void add_nodes(const std::vector<std::pair<std::string, TokenId>>& sorted);

  std::shared_ptr<const Tokenizer> tokenizer_;
  std::vector<Node> nodes_;
  std::vector<Below> below_;  // of each node, and one behind the last
  std::vector<TokenId> in_order_;
  int max_depth_ = 0;
};

}  // namespace smelt
