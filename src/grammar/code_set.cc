// Arithmetic on sorted ranges.
#include "grammar/code_set.h"

#include <algorithm>

namespace smelt {
namespace {

constexpr char32_t kLast = 0x10ffff;
constexpr CodeRange kSurrogates = {0xd800, 0xdfff};

CodeSet complement(const CodeSet& set) {
  CodeSet out;
  char32_t next = 0;
  for (const CodeRange& range : set) {
    if (range.first > next) out.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kLast) out.push_back({next, kLast});
  return out;
}

CodeSet merged(std::vector<CodeRange> ranges) {
  std::erase_if(ranges, [](const CodeRange& r) { return r.first > r.last || r.first > kLast; });
  std::sort(ranges.begin(), ranges.end(), [](const CodeRange& a, const CodeRange& b) { return a.first < b.first; });
  CodeSet out;
  for (CodeRange range : ranges) {
    range.last = std::min(range.last, kLast);
    if (!out.empty() && range.first <= out.back().last + 1) {
      out.back().last = std::max(out.back().last, range.last);
    } else {
      out.push_back(range);
    }
  }
  return out;
}

}  // namespace

CodeSet intersected(const CodeSet& a, const CodeSet& b) {
  CodeSet out;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    const CodeRange both = {std::max(a[i].first, b[j].first), std::min(a[i].last, b[j].last)};
    if (both.first <= both.last) out.push_back(both);
    if (a[i].last < b[j].last) {
      ++i;
    } else {
      ++j;
    }
  }
  return out;
}

CodeSet all_codes() { return complement({kSurrogates}); }

CodeSet make_code_set(std::vector<CodeRange> ranges) { return intersected(merged(std::move(ranges)), all_codes()); }

CodeSet inverted(const CodeSet& set) { return intersected(complement(set), all_codes()); }

CodeSet united(const CodeSet& a, const CodeSet& b) {
  std::vector<CodeRange> both = a;
  both.insert(both.end(), b.begin(), b.end());
  return merged(std::move(both));
}

}  // namespace smelt
