#include "grammar/repeats.h"

#include <fmt/format.h>

#include <algorithm>

namespace smelt {
namespace {

constexpr int64_t kMaxRepeats = 1'000'000;  // beyond this no automaton is tried

}  // namespace

std::optional<Repeats> take_repeat_sign(TextCursor& in) {
  if (in.take("*")) return Repeats{};
  if (in.take("+")) return Repeats{1, -1};
  if (in.take("?")) return Repeats{0, 1};
  return {};
}

std::optional<std::string> find_fault(const Repeats& repeats) {
  const auto [min, max] = repeats;
  if (max >= 0 && max < min) return fmt::format("the repetition ends below its start: {} < {}", max, min);
  const int64_t most = std::max(min, max);
  if (most >= kMaxRepeats) {
    return fmt::format("{} repetitions are too many; at most {} are tried", most, kMaxRepeats - 1);
  }
  return {};
}

}  // namespace smelt
