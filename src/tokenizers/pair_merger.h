// Byte-pair merging of one piece of text, the heart of both BPE models: the best adjacent pair is joined until none is
// left. A queue holds the candidates, so that n symbols take O(n log n); a simple scan for the best would take O(n²).
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizers/vocab.h"

namespace smelt {

class PairMerger {
 public:
  struct Symbol {
    const char* begin = nullptr;
    uint32_t size = 0;  // bytes; 0 once it was joined to its left neighbour
    TokenId id = -1;    // -1: no token has this text
    int32_t previous = -1, next = -1;
    std::string_view text() const { return {begin, size}; }
  };
  // What joining two neighbours would give. Lower costs go first, of equal ones the leftmost.
  struct Merge {
    double cost = 0;
    TokenId id = -1;  // -1: the pair is never joined
  };

  void clear() {
    symbols_.clear();
    queue_.clear();
  }
  void add_symbol(std::string_view text, TokenId id) {
    const auto n = static_cast<int32_t>(symbols_.size());
    if (n > 0) symbols_.back().next = n;
    symbols_.push_back({text.data(), static_cast<uint32_t>(text.size()), id, n - 1, -1});
  }

  // find_merge(left, right) → Merge. note_merge(left, right, id) is told of each join before it is done.
  template <class FindMerge, class NoteMerge>
  void run(const FindMerge& find_merge, const NoteMerge& note_merge) {
    const auto consider = [&](int32_t left, int32_t right) {
      if (left < 0 || right < 0) return;
      const Merge merge = find_merge(at(left), at(right));
      if (merge.id < 0) return;
      queue_.push_back({merge.cost, left, right, at(left).size + at(right).size, merge.id});
      std::push_heap(queue_.begin(), queue_.end());
    };
    for (int32_t i = 1; i < static_cast<int32_t>(symbols_.size()); ++i) consider(i - 1, i);
    while (!queue_.empty()) {
      const Candidate best = queue_.front();
      std::pop_heap(queue_.begin(), queue_.end());
      queue_.pop_back();
      Symbol& left = at(best.left);
      Symbol& right = at(best.right);
      // One of the two has changed since.
      if (left.size == 0 || right.size == 0 || left.size + right.size != best.size) continue;
      note_merge(left, right, best.id);
      left.size += right.size;
      left.id = best.id;
      left.next = right.next;
      right.size = 0;
      if (left.next >= 0) at(left.next).previous = best.left;
      consider(left.previous, best.left);
      consider(best.left, left.next);
    }
  }

  template <class Visit>
  void for_each(const Visit& visit) const {
    for (int32_t i = symbols_.empty() ? -1 : 0; i >= 0; i = symbols_[static_cast<size_t>(i)].next) {
      visit(symbols_[static_cast<size_t>(i)]);
    }
  }

 private:
  struct Candidate {
    double cost;
    int32_t left, right;
    uint32_t size;
    TokenId id;
    // std's heaps have the greatest in front.
    bool operator<(const Candidate& other) const { return cost != other.cost ? cost > other.cost : left > other.left; }
  };
  Symbol& at(int32_t i) { return symbols_[static_cast<size_t>(i)]; }

  std::vector<Symbol> symbols_;
  std::vector<Candidate> queue_;
};

}  // namespace smelt
