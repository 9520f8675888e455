// How many tokens to guess for a pass: the number that promises most tokens a second, by what passes cost and how often
// guesses were right; none where guessing does not pay. Pure arithmetic: speculative.cc brings the measurements.
#pragma once

#include <cstdint>
#include <vector>

namespace smelt {

class DraftLength {
 public:
  explicit DraftLength(int64_t most);

  // Another text: what was learnt of guesses is forgotten, what passes cost is kept.
  void begin_text();
  // For the next pass. Now and then it is not the best one but one that teaches something.
  int64_t next();
  // By what is known now; 0: switched off.
  int64_t best() const;

  // A pass with so many guessed tokens, the guessing included, took so long.
  void measured(int64_t n_draft, double seconds);
  // So many guesses of a pass turned out right, and one wrong after them if `failed`.
  void tested(int64_t n_right, bool failed);

  double right_share() const { return right_ / tested_; }

 private:
  double seconds(int64_t n_draft) const;
  double rate(int64_t n_draft) const;
  int64_t longest_known() const;

  std::vector<double> seconds_;  // [n_draft]; 0: not measured yet
  double right_ = 0, tested_ = 0;
  int64_t on_passes_ = 0, off_passes_ = 0;  // since the last one that was for learning
  int64_t off_wait_ = 0;                    // passes without guesses until one is tried again
};

}  // namespace smelt
