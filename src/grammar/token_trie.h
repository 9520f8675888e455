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
    bool has_below;
  };

  // Tokens that stand for no text (control tokens, unused ones, empty texts) are left out: a constraint allows the end
  // tokens by itself, and none of the others.
  static Result<std::shared_ptr<const TokenTrie>> build(std::shared_ptr<const Tokenizer> tokenizer);

  const std::vector<Node>& nodes() const { return nodes_; }
  // Another token of the same text, or -1.
  TokenId twin(TokenId token) const { return twins_[static_cast<size_t>(token)]; }
  int max_depth() const { return max_depth_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  int64_t n_vocab() const { return static_cast<int64_t>(twins_.size()); }

 private:
  TokenTrie() = default;
  void add_nodes(const std::vector<std::pair<std::string, TokenId>>& sorted);

  std::shared_ptr<const Tokenizer> tokenizer_;
  std::vector<Node> nodes_;
  std::vector<TokenId> twins_;
  int max_depth_ = 0;
};

}  // namespace smelt
