// Expected tokens a second for each length, and when to try another.
#include "runtime/speculative_length.h"

#include <algorithm>

namespace smelt {
namespace {

constexpr double kDecay = 0.94;        // of what earlier guesses taught: some 16 of them count
constexpr double kGuessedSlope = 0.1;  // cost of a guess in passes, before anything longer was measured
constexpr double kWorthIt = 1.02;      // less gain than this is noise
constexpr int64_t kProbe = 2;          // guesses of a trial while switched off
constexpr int64_t kSoon = 2, kFirstWait = 16, kLongestWait = 512;
constexpr int64_t kNeighbourEvery = 16;  // passes between trials of the lengths beside the best
constexpr int64_t kNoneEvery = 64;       // … and of a pass without guesses

}  // namespace

DraftLength::DraftLength(int64_t most) : seconds_(static_cast<size_t>(most) + 1) { begin_text(); }

void DraftLength::begin_text() {
  right_ = 1;  // one right, one wrong
  tested_ = 2;
  on_passes_ = off_passes_ = 0;
  off_wait_ = kFirstWait;
}

// Between measured lengths a straight line, and beyond them the line from none to the longest.
double DraftLength::seconds(int64_t n_draft) const {
  const auto n = static_cast<size_t>(n_draft);
  if (seconds_[n] > 0) return seconds_[n];
  size_t below = n, above = n;
  while (below > 0 && seconds_[below] == 0) --below;
  while (above < seconds_.size() && seconds_[above] == 0) ++above;
  const double none = seconds_[0];
  double slope = none * kGuessedSlope;
  if (above < seconds_.size()) {
    slope = (seconds_[above] - seconds_[below]) / static_cast<double>(above - below);
  } else if (below > 0) {
    slope = std::max(seconds_[below] - none, 0.0) / static_cast<double>(below);
  }
  return seconds_[below] + slope * static_cast<double>(n - below);
}

// Tokens a second: a pass yields one token and every guess before the first wrong one.
double DraftLength::rate(int64_t n_draft) const {
  double tokens = 1, all_right = 1;
  for (int64_t i = 0; i < n_draft; ++i) tokens += all_right *= right_share();
  return tokens / seconds(n_draft);
}

// No leaps: what the longest measured length cost bounds the next one's surprise.
int64_t DraftLength::longest_known() const {
  auto n = static_cast<int64_t>(seconds_.size()) - 1;
  const int64_t most = n;
  while (n > 0 && seconds_[static_cast<size_t>(n)] == 0) --n;
  return std::min(n + 2, most);
}

int64_t DraftLength::best() const {
  if (seconds_[0] == 0) return 0;
  int64_t best = 0;
  double best_rate = rate(0) * kWorthIt;
  for (int64_t n = 1; n <= longest_known(); ++n) {
    const double r = rate(n);
    if (r > best_rate) {
      best_rate = r;
      best = n;
    }
  }
  return best;
}

int64_t DraftLength::next() {
  const auto most = static_cast<int64_t>(seconds_.size()) - 1;
  if (seconds_[0] == 0) return 0;
  const int64_t n = best();
  if (n == 0) {
    on_passes_ = 0;
    return ++off_passes_ > off_wait_ ? std::min(kProbe, most) : 0;
  }
  off_passes_ = 0;
  off_wait_ = kFirstWait;
  ++on_passes_;
  if (on_passes_ % kNoneEvery == 0) return 0;
  if (on_passes_ % kNeighbourEvery != 0) return n;
  const bool longer = on_passes_ / kNeighbourEvery % 2 == 1;
  return std::clamp<int64_t>(longer ? n + 1 : n - 1, 1, most);
}

// A pass that was disturbed takes longer, never less: what is faster than expected is believed sooner.
void DraftLength::measured(int64_t n_draft, double seconds) {
  double& known = seconds_[static_cast<size_t>(n_draft)];
  if (known == 0) {
    known = seconds;
  } else {
    known += (seconds < known ? 0.5 : 0.15) * (std::min(seconds, 2 * known) - known);
  }
}

void DraftLength::tested(int64_t n_right, bool failed) {
  for (int64_t i = 0; i < n_right; ++i) {
    right_ = right_ * kDecay + 1;
    tested_ = tested_ * kDecay + 1;
  }
  if (failed) {
    right_ *= kDecay;
    tested_ = tested_ * kDecay + 1;
  }
  if (off_passes_ <= off_wait_ || (n_right == 0 && !failed)) return;
  // A trial while switched off: the next one comes soon if it went well, and else after twice as long.
  off_wait_ = n_right > 0 ? kSoon : std::clamp(2 * off_wait_, kFirstWait, kLongestWait);
  off_passes_ = 0;
}

}  // namespace smelt
