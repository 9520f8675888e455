#include "tokenizers/token_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <functional>

#include "base/text.h"

namespace smelt {
namespace {

uint32_t hash_text(std::string_view text) { return static_cast<uint32_t>(std::hash<std::string_view>()(text)); }

}  // namespace

bool is_text_token(TokenType type) {
  return type == TokenType::normal || type == TokenType::user_defined || type == TokenType::unused;
}

Status TokenIndex::build(const std::vector<Token>& tokens) {
  tokens_ = &tokens;
  slots_.assign(std::bit_ceil(2 * tokens.size() + 2), Slot());
  for (size_t i = 0; i < tokens.size(); ++i) {
    const Token& token = tokens[i];
    if (token.text.empty() || !is_text_token(token.type)) continue;
    const uint32_t hash = hash_text(token.text);
    const Slot* slot = find_slot(token.text, hash);
    if (slot->id >= 0) {
      return input_error(fmt::format("tokens {} and {} have the same text '{}'; the vocabulary is damaged", slot->id, i,
                                     escape_for_display(token.text)));
    }
    slots_[static_cast<size_t>(slot - slots_.data())] = {hash, static_cast<TokenId>(i)};
    longest_bytes_ = std::max(longest_bytes_, token.text.size());
  }
  return {};
}

// The slot that holds text, or the empty one where it would go.
const TokenIndex::Slot* TokenIndex::find_slot(std::string_view text, uint32_t hash) const {
  const size_t mask = slots_.size() - 1;
  for (size_t at = hash & mask;; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.id < 0) return &slot;
    if (slot.hash == hash && (*tokens_)[static_cast<size_t>(slot.id)].text == text) return &slot;
  }
}

TokenId TokenIndex::find(std::string_view text) const {
  if (text.size() > longest_bytes_) return -1;
  return find_slot(text, hash_text(text))->id;
}

}  // namespace smelt
