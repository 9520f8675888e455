// Merges by rank, for look-up by the two tokens: an open-addressing table, which a word is merged with some twenty
// times.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "tokenizers/vocab.h"

namespace smelt {

class MergeTable {
 public:
  struct Merge {
    int32_t rank = 0;
    TokenId id = -1;  // what the two become; -1: they are not merged
  };

  void reserve(size_t n_merges) { slots_.assign(std::bit_ceil(2 * n_merges + 2), Slot()); }
  // At most as many as were reserved; of equal pairs the first counts.
  void add(TokenId left, TokenId right, Merge merge) {
    Slot& slot = slots_[find_slot(left, right)];
    if (slot.merge.id < 0) slot = {left, right, merge};
  }
  Merge find(TokenId left, TokenId right) const { return slots_[find_slot(left, right)].merge; }

 private:
  struct Slot {
    TokenId left = -1, right = -1;
    Merge merge;
  };
  size_t find_slot(TokenId left, TokenId right) const {
    const size_t mask = slots_.size() - 1;
    uint64_t hash = (static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right)) * 0x9E3779B97F4A7C15;
    hash ^= hash >> 32;
    size_t at = hash & mask;
    while (slots_[at].merge.id >= 0 && (slots_[at].left != left || slots_[at].right != right)) at = (at + 1) & mask;
    return at;
  }

  std::vector<Slot> slots_ = std::vector<Slot>(1);
};

}  // namespace smelt
