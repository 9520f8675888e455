// Sorted texts become nodes one after another: what a text shares with the one before it is there already.
#include "grammar/token_trie.h"

#include <algorithm>
#include <string>

#include "grammar/byte_kinds.h"

namespace smelt {
namespace {

constexpr size_t kMaxTokenBytes = 4096;  // longer ones are left out: no text needs them

bool is_text(const Token& token) {
  return token.type == TokenType::normal || token.type == TokenType::user_defined || token.type == TokenType::byte;
}

}  // namespace

Result<std::shared_ptr<const TokenTrie>> TokenTrie::build(std::shared_ptr<const Tokenizer> tokenizer) {
  if (tokenizer->vocab().model == TokenizerModel::wordpiece)
    return input_error("output cannot be constrained with a WordPiece vocabulary: its tokens do not spell their text");
  std::vector<std::pair<std::string, TokenId>> texts;
  for (TokenId id = 0; id < tokenizer->n_vocab(); ++id) {
    if (!is_text(tokenizer->vocab().tokens[static_cast<size_t>(id)]) || tokenizer->is_end(id)) continue;
    std::string bytes = tokenizer->token_bytes(id);
    if (!bytes.empty() && bytes.size() <= kMaxTokenBytes) texts.emplace_back(std::move(bytes), id);
  }
  std::sort(texts.begin(), texts.end());
  std::shared_ptr<TokenTrie> trie(new TokenTrie());
  trie->tokenizer_ = std::move(tokenizer);
  trie->add_nodes(texts);
  trie->sum_up();
  return std::shared_ptr<const TokenTrie>(std::move(trie));
}

// From the last node to the first, children come before their parents.
void TokenTrie::sum_up() {
  for (uint32_t i = static_cast<uint32_t>(nodes_.size()); i-- > 0;) {
    for (uint32_t child = i + 1; child < nodes_[i].end; child = nodes_[child].end) {
      below_[i].kinds |= below_[child].kinds;
      below_[i].height = std::max(below_[i].height, below_[child].height + 1);
    }
  }
  below_.push_back({0, static_cast<uint32_t>(in_order_.size()), 0});
}

void TokenTrie::add_nodes(const std::vector<std::pair<std::string, TokenId>>& sorted) {
  std::vector<uint32_t> path;  // the nodes of the text before
  std::string_view before;
  const auto close = [&](size_t depth) {
    for (; path.size() > depth; path.pop_back()) nodes_[path.back()].end = static_cast<uint32_t>(nodes_.size());
  };
  for (const auto& [text, id] : sorted) {
    const size_t common = static_cast<size_t>(
        std::mismatch(before.begin(), before.end(), text.begin(), text.end()).second - text.begin());
    if (common == text.size() && common == before.size()) {
      nodes_[path.back()].has_twins = true;
      in_order_.push_back(id);
      continue;
    }
    close(common);
    for (size_t i = common; i < text.size(); ++i) {
      if (!path.empty()) nodes_[path.back()].has_below = true;
      path.push_back(static_cast<uint32_t>(nodes_.size()));
      nodes_.push_back({.end = 0,
                        .token = i + 1 == text.size() ? id : -1,
                        .depth = static_cast<uint16_t>(i + 1),
                        .byte = static_cast<uint8_t>(text[i]),
                        .has_below = false,
                        .has_twins = false});
      below_.push_back(
          {uint32_t{1} << kByteKind[static_cast<uint8_t>(text[i])], static_cast<uint32_t>(in_order_.size()), 1});
    }
    in_order_.push_back(id);
    max_depth_ = std::max(max_depth_, static_cast<int>(text.size()));
    before = text;
  }
  close(0);
}

}  // namespace smelt
