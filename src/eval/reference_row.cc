// Rows of a reference file: encoding and comparison.
#include "eval/reference_row.h"

#include <algorithm>
#include <cmath>

namespace smelt {
namespace {

constexpr uint32_t kNeverKept = 65535;
constexpr uint32_t kCodesPerBin = 64;
constexpr double kSmallest = 1e-300;  // stands for a probability that underflowed, whose logarithm is asked

uint16_t encode_log_p(double log_p) {
  const double code = std::round(-log_p * kCodesPerNat);
  return static_cast<uint16_t>(std::clamp(code, 0.0, static_cast<double>(kNeverKept)));
}

double decode_log_p(uint16_t code) { return -static_cast<double>(code) / kCodesPerNat; }

double kept_mass(const ReferenceRow& row) {
  double sum = 0;
  for (const uint16_t code : row.codes) sum += std::exp(decode_log_p(code));
  return sum;
}

}  // namespace

// The first code that is not kept, a multiple of kCodesPerBin.
uint32_t ReferenceRowEncoder::find_cutoff() {
  double left = 0;
  for (const double mass : mass_) left += mass;
  uint32_t bin = 0;
  while (bin < mass_.size() && left > kTailMass) left -= mass_[bin++];
  return std::min(bin * kCodesPerBin, kNeverKept);
}

std::optional<ReferenceRow> ReferenceRowEncoder::encode(std::span<const float> logits, TokenId truth) {
  const auto summary = summarize_row(logits);
  if (!summary) return std::nullopt;
  mass_.assign((kNeverKept + 1) / kCodesPerBin, 0.0);
  codes_of_all_.resize(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) {
    const double log_p = static_cast<double>(logits[i]) - summary->log_sum_exp;
    codes_of_all_[i] = encode_log_p(log_p);
    mass_[codes_of_all_[i] / kCodesPerBin] += std::exp(log_p);
  }
  const uint32_t cutoff = find_cutoff();
  ids_.clear();
  codes_.clear();
  double tail = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (codes_of_all_[i] < cutoff) {
      ids_.push_back(static_cast<TokenId>(i));
      codes_.push_back(codes_of_all_[i]);
    } else {
      tail += std::exp(static_cast<double>(logits[i]) - summary->log_sum_exp);
    }
  }
  const double true_log_p = -negative_log_likelihood(logits, *summary, truth);
  return ReferenceRow{summary->top, static_cast<float>(std::min(true_log_p, 0.0)), static_cast<float>(tail), ids_,
                      codes_};
}

bool is_distribution(const ReferenceRow& row) {
  return row.tail >= 0 && std::abs(kept_mass(row) + static_cast<double>(row.tail) - 1) < 1 / kCodesPerNat;
}

// Both distributions are over the kept tokens and "any other"; the reference's is made to add up to exactly one again.
std::optional<TokenComparison> compare_with_reference_row(const ReferenceRow& reference, std::span<const float> model,
                                                          TokenId truth) {
  const auto summary = summarize_row(model);
  if (!summary) return std::nullopt;
  const double total = kept_mass(reference) + static_cast<double>(reference.tail);
  const double log_total = std::log(total);
  double kl = 0;
  double other = 0;  // the model's probability of what is not kept; summed, since 1 - kept would cancel
  size_t next = 0;
  for (size_t k = 0; k < reference.ids.size(); ++k, ++next) {
    const auto id = static_cast<size_t>(reference.ids[k]);
    for (; next < id; ++next) other += std::exp(static_cast<double>(model[next]) - summary->log_sum_exp);
    const double log_p = decode_log_p(reference.codes[k]) - log_total;
    kl += std::exp(log_p) * (log_p - (static_cast<double>(model[id]) - summary->log_sum_exp));
  }
  for (; next < model.size(); ++next) other += std::exp(static_cast<double>(model[next]) - summary->log_sum_exp);
  const double tail = static_cast<double>(reference.tail) / total;
  if (tail > 0) kl += tail * (std::log(tail) - std::log(std::max(other, kSmallest)));
  return TokenComparison{.kl = std::max(kl, 0.0),
                         .nll_model = negative_log_likelihood(model, *summary, truth),
                         .nll_reference = -static_cast<double>(reference.true_log_p),
                         .same_top = reference.top == summary->top};
}

}  // namespace smelt
