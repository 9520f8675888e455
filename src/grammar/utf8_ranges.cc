// Splits ranges of code points where the number of bytes changes, and where the bytes that follow do not run from 80 to
// BF over a whole range of first bytes.
#include "grammar/utf8_ranges.h"

#include <string>

#include "base/text.h"

namespace smelt {
namespace {

void add_range(char32_t first, char32_t last, std::vector<Utf8Range>& out) {
  constexpr char32_t kLengthEnds[] = {0x7f, 0x7ff, 0xffff};
  for (const char32_t end : kLengthEnds) {
    if (first <= end && end < last) {
      add_range(first, end, out);
      return add_range(end + 1, last, out);
    }
  }
  for (int bits = 6; bits <= 18 && last > 0x7f; bits += 6) {
    const char32_t low = (char32_t{1} << bits) - 1;
    if ((first & ~low) == (last & ~low)) break;  // they differ only below
    if ((first & low) != 0) {
      add_range(first, first | low, out);
      return add_range((first | low) + 1, last, out);
    }
    if ((last & low) != low) {
      add_range(first, (last & ~low) - 1, out);
      return add_range(last & ~low, last, out);
    }
  }
  std::string from, to;
  append_utf8(from, first);
  append_utf8(to, last);
  Utf8Range range{.length = static_cast<int>(from.size()), .bytes = {}};
  for (size_t i = 0; i < from.size(); ++i)
    range.bytes[i] = {static_cast<uint8_t>(from[i]), static_cast<uint8_t>(to[i])};
  out.push_back(range);
}

}  // namespace

std::vector<Utf8Range> utf8_ranges(const CodeSet& set) {
  std::vector<Utf8Range> out;
  for (const CodeRange& range : set) add_range(range.first, range.last, out);
  return out;
}

}  // namespace smelt
