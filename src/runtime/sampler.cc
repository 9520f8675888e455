// The sampler chain. Filters shorten candidates_; the ones that need probabilities compute them over what is left.
#include "runtime/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace smelt {
namespace {

// Spreads a seed over the generator's state (Vigna's SplitMix64).
uint64_t split_mix(uint64_t& seed) {
  uint64_t z = (seed += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

uint64_t rotate_left(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

struct Range {
  const char* name;
  float value, min, max;
  bool min_allowed;
};

Status check_range(const Range& r) {
  const bool above = r.min_allowed ? r.value >= r.min : r.value > r.min;
  if (above && r.value <= r.max) return {};  // NaN fails both
  const std::string upper = r.max == std::numeric_limits<float>::max() ? "" : fmt::format(" and at most {}", r.max);
  return usage_error(
      fmt::format("{} is {}, allowed {} {}{}", r.name, r.value, r.min_allowed ? "at least" : "above", r.min, upper));
}

}  // namespace

Status check_sampler_options(const SamplerOptions& o) {
  constexpr float kHuge = std::numeric_limits<float>::max();
  const Range ranges[] = {{"temperature", o.temperature, 0, kHuge, true},
                          {"top-p", o.top_p, 0, 1, false},
                          {"min-p", o.min_p, 0, 1, true},
                          {"typical", o.typical_p, 0, 1, false},
                          {"repeat penalty", o.repeat_penalty, 0, kHuge, false},
                          {"presence penalty", o.presence_penalty, -kHuge, kHuge, true},
                          {"frequency penalty", o.frequency_penalty, -kHuge, kHuge, true}};
  for (const Range& range : ranges) SMELT_TRY(check_range(range));
  if (o.top_k < 0) return usage_error(fmt::format("top-k is {}, allowed at least 0", o.top_k));
  if (o.penalty_last_n < -1) {
    return usage_error(fmt::format("penalty length is {}, allowed at least -1 (all)", o.penalty_last_n));
  }
  return {};
}

Sampler::Sampler(const SamplerOptions& options, int64_t n_vocab) : options_(options) {
  uint64_t seed = options.seed;
  for (uint64_t& word : state_) word = split_mix(seed);
  candidates_.reserve(static_cast<size_t>(n_vocab));
  if (penalizes()) counts_.resize(static_cast<size_t>(n_vocab));
}

bool Sampler::penalizes() const {
  return options_.penalty_last_n != 0 &&
         (options_.repeat_penalty != 1.0F || options_.presence_penalty != 0.0F || options_.frequency_penalty != 0.0F);
}

void Sampler::accept(TokenId id) {
  if (id < 0 || static_cast<size_t>(id) >= counts_.size()) return;
  ++counts_[static_cast<size_t>(id)];
  if (options_.penalty_last_n < 0 || recent_.size() < static_cast<size_t>(options_.penalty_last_n)) {
    recent_.push_back(id);
    return;
  }
  --counts_[static_cast<size_t>(recent_[oldest_])];
  recent_[oldest_] = id;
  oldest_ = (oldest_ + 1) % recent_.size();
}

TokenId Sampler::sample(std::span<const float> logits) {
  SMELT_CHECK(!logits.empty());
  candidates_.clear();
  for (size_t i = 0; i < logits.size(); ++i) candidates_.push_back({static_cast<TokenId>(i), logits[i], 0});
  return choose();
}

TokenId Sampler::sample(std::span<const float> logits, std::span<const uint64_t> mask) {
  candidates_.clear();
  for (size_t word = 0; word < mask.size(); ++word) {
    for (uint64_t bits = mask[word]; bits != 0; bits &= bits - 1) {
      const size_t id = word * 64 + static_cast<size_t>(std::countr_zero(bits));
      SMELT_CHECK(id < logits.size());
      candidates_.push_back({static_cast<TokenId>(id), logits[id], 0});
    }
  }
  SMELT_CHECK(!candidates_.empty());
  return choose();
}

TokenId Sampler::choose() {
  sorted_ = false;
  if (penalizes()) penalize();
  const auto lower_logit = [](const Candidate& a, const Candidate& b) { return a.logit < b.logit; };
  if (options_.temperature == 0) return std::max_element(candidates_.begin(), candidates_.end(), lower_logit)->id;
  keep_top_k();
  keep_typical();
  keep_top_p();
  keep_min_p();
  sort_by_logit();
  set_probabilities(options_.temperature);
  double left = next_uniform();
  for (const Candidate& candidate : candidates_) {
    left -= candidate.p;
    if (left < 0) return candidate.id;
  }
  return candidates_.front().id;  // rounding left a sum just below 1
}

void Sampler::penalize() {
  for (Candidate& candidate : candidates_) {
    const int32_t count = counts_[static_cast<size_t>(candidate.id)];
    if (count == 0) continue;
    float& logit = candidate.logit;
    logit = logit > 0 ? logit / options_.repeat_penalty : logit * options_.repeat_penalty;
    logit -= options_.presence_penalty + static_cast<float>(count) * options_.frequency_penalty;
  }
}

void Sampler::sort_by_logit() {
  if (sorted_) return;
  std::sort(candidates_.begin(), candidates_.end(), [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
  });
  sorted_ = true;
}

void Sampler::set_probabilities(double temperature) {
  double best = -std::numeric_limits<double>::infinity();
  for (const Candidate& candidate : candidates_) best = std::max(best, static_cast<double>(candidate.logit));
  double sum = 0;
  for (Candidate& candidate : candidates_) {
    candidate.p = std::exp((candidate.logit - best) / temperature);
    sum += candidate.p;
  }
  for (Candidate& candidate : candidates_) candidate.p /= sum;
}

void Sampler::keep_top_k() {
  const auto k = static_cast<size_t>(options_.top_k);
  if (k == 0 || k >= candidates_.size()) return;
  const auto better = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
  };
  std::partial_sort(candidates_.begin(), candidates_.begin() + options_.top_k, candidates_.end(), better);
  candidates_.resize(k);
  sorted_ = true;
}

// Keeps the tokens whose surprise -log p is nearest to the expected one, until they hold the share wanted.
void Sampler::keep_typical() {
  if (options_.typical_p >= 1) return;
  set_probabilities(1);
  double entropy = 0;
  for (const Candidate& c : candidates_) entropy -= c.p > 0 ? c.p * std::log(c.p) : 0;
  const auto distance = [entropy](const Candidate& c) { return std::abs(-std::log(c.p) - entropy); };
  std::sort(candidates_.begin(), candidates_.end(), [&](const Candidate& a, const Candidate& b) {
    const double da = distance(a), db = distance(b);
    return da != db ? da < db : a.id < b.id;
  });
  double sum = 0;
  size_t kept = 0;
  while (kept < candidates_.size() && sum < options_.typical_p) sum += candidates_[kept++].p;
  candidates_.resize(kept);
  sorted_ = false;
}

void Sampler::keep_top_p() {
  if (options_.top_p >= 1) return;
  sort_by_logit();
  set_probabilities(1);
  double sum = 0;
  size_t kept = 0;
  while (kept < candidates_.size() && sum < options_.top_p) sum += candidates_[kept++].p;
  candidates_.resize(kept);
}

// p >= min_p * best p, said in logits.
void Sampler::keep_min_p() {
  if (options_.min_p <= 0) return;
  float best = -std::numeric_limits<float>::infinity();
  for (const Candidate& candidate : candidates_) best = std::max(best, candidate.logit);
  const double least = best + std::log(static_cast<double>(options_.min_p));
  // The order is kept, and so is what sorted_ says.
  std::erase_if(candidates_, [least](const Candidate& c) { return c.logit < least; });
}

// xoshiro256++ (Blackman and Vigna), its top 53 bits.
double Sampler::next_uniform() {
  auto& s = state_;
  const uint64_t result = rotate_left(s[0] + s[3], 23) + s[0];
  const uint64_t t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotate_left(s[3], 45);
  return static_cast<double>(result >> 11) * 0x1.0p-53;
}

}  // namespace smelt
