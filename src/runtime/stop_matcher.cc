#include "runtime/stop_matcher.h"

#include <algorithm>

namespace smelt {

StopMatcher::StopMatcher(const std::vector<std::string>& stops) {
  for (const std::string& stop : stops) {
    if (!stop.empty()) stops_.push_back(stop);
  }
}

std::string StopMatcher::push(std::string_view piece) {
  if (stopped_) return "";
  pending_ += piece;
  size_t begin = std::string::npos;
  for (const std::string& stop : stops_) begin = std::min(begin, pending_.find(stop));
  stopped_ = begin != std::string::npos;
  // An earlier place may still become a stop text that is longer than the one found; then that one began first.
  const size_t shown = std::min(stopped_ ? begin : pending_.size(), find_held());
  if (stopped_ && shown < begin) stopped_ = false;
  std::string text = pending_.substr(0, shown);
  pending_.erase(0, stopped_ ? std::string::npos : shown);
  return text;
}

// The first place from which all that follows begins a stop text and does not complete it; the end if there is none.
size_t StopMatcher::find_held() const {
  size_t held = pending_.size();
  for (const std::string& stop : stops_) {
    const size_t most = std::min(stop.size() - 1, pending_.size());
    for (size_t n = most; n > 0; --n) {
      if (!std::string_view(pending_).ends_with(std::string_view(stop).substr(0, n))) continue;
      held = std::min(held, pending_.size() - n);
      break;
    }
  }
  return held;
}

std::string StopMatcher::finish() {
  // A stop text may be complete inside of what was held back for a longer one.
  size_t end = pending_.size();
  for (const std::string& stop : stops_) {
    const size_t at = pending_.find(stop);
    if (at == std::string::npos) continue;
    stopped_ = true;
    end = std::min(end, at);
  }
  std::string text = pending_.substr(0, end);
  pending_.clear();
  return text;
}

}  // namespace smelt
