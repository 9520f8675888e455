// Lookup in the text so far: chains of equal pairs, of which the longest match wins.
#include "runtime/speculative_lookup.h"

#include <algorithm>
#include <bit>

namespace smelt {
namespace {

constexpr size_t kLongestMatch = 16;  // longer ones guess no better
constexpr int kMostTries = 64;        // places compared for one guess

// How many tokens before index `a`, it included, equal those before `b`.
size_t match_length(std::span<const TokenId> text, size_t a, size_t b) {
  const size_t most = std::min(kLongestMatch, a + 1);  // a < b
  size_t n = 0;
  while (n < most && text[a - n] == text[b - n]) ++n;
  return n;
}

}  // namespace

LookupDrafter::LookupDrafter(int64_t n_ctx)
    : newest_(std::bit_ceil(static_cast<size_t>(std::max<int64_t>(n_ctx, 256)))) {
  previous_.reserve(static_cast<size_t>(n_ctx) + 1);
}

int32_t& LookupDrafter::newest(TokenId first, TokenId second) {
  const uint64_t pair = static_cast<uint64_t>(static_cast<uint32_t>(first)) << 32 | static_cast<uint32_t>(second);
  const uint64_t hash = pair * 0x9e3779b97f4a7c15ULL;  // multiplicative hashing: the top bits are well mixed
  return newest_[(hash >> 32) & (newest_.size() - 1)];
}

// Takes in the pairs that end before `end`.
void LookupDrafter::index(std::span<const TokenId> text, size_t end) {
  for (size_t i = previous_.size(); i < end; ++i) {
    if (i == 0) {
      previous_.push_back(-1);
      continue;
    }
    int32_t& head = newest(text[i - 1], text[i]);
    previous_.push_back(head);
    head = static_cast<int32_t>(i);
  }
}

Status LookupDrafter::begin(std::span<const TokenId> text, const CancelToken* /*cancel*/) {
  std::fill(newest_.begin(), newest_.end(), -1);
  previous_.clear();
  index(text, text.size());
  return {};
}

// Where the longest match of the text's end ends; of several the newest. -1: nowhere.
int32_t LookupDrafter::find(std::span<const TokenId> text) {
  const size_t last = text.size() - 1;
  int32_t best = -1;
  size_t longest = 1;
  int32_t at = newest(text[last - 1], text[last]);
  for (int tries = 0; at >= 0 && tries < kMostTries && longest < kLongestMatch; ++tries) {
    const size_t length = match_length(text, static_cast<size_t>(at), last);
    if (length > longest) {
      longest = length;
      best = at;
    }
    at = previous_[static_cast<size_t>(at)];
  }
  return best;
}

int64_t LookupDrafter::propose(std::span<const TokenId> text, std::span<TokenId> draft) {
  if (text.size() < 2) return 0;
  index(text, text.size() - 1);  // the pair at the very end would find itself
  const int32_t found = find(text);
  if (found < 0) return 0;
  // A match near the end is a text that repeats itself: the guess goes on in itself.
  const size_t next = static_cast<size_t>(found) + 1;
  for (size_t i = 0; i < draft.size(); ++i) {
    draft[i] = next + i < text.size() ? text[next + i] : draft[next + i - text.size()];
  }
  return static_cast<int64_t>(draft.size());
}

}  // namespace smelt
