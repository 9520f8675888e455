// Looks for stop texts in text that comes in pieces. Called by generate.cc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace smelt {

class StopMatcher {
 public:
  // Empty stop texts are left out.
  explicit StopMatcher(const std::vector<std::string>& stops);

  // Takes a piece and returns what can be shown now: all that cannot belong to a stop text any more. Once stopped(),
  // nothing more is returned; the text ends before the stop text that began first (of several there, the one named
  // first).
  std::string push(std::string_view piece);
  // What was held back, when no more pieces come.
  std::string finish();
  bool stopped() const { return stopped_; }

 private:
  size_t find_held() const;

  std::vector<std::string> stops_;
  std::string pending_;
  bool stopped_ = false;
};

}  // namespace smelt
