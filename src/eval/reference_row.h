// A reference's prediction for one token, made small: its likely tokens with 16-bit log-probabilities, the rest as one
// sum. reference_file.h stores rows of them.
//
// Kept are the most likely tokens until what is left has at most kTailMass. A log-probability is a whole number of
// 1/2048 nats, so it is at most 1/4096 nats off; kept ones lie above ln(kTailMass / n_vocab) - 1/32 > -32, the range of
// 16 bits. The KL divergence of a model is then computed over the kept tokens and the rest as one event. By the data
// processing inequality that is never more than the true one, but for the rounding, and it misses only what happens
// inside the rest: kTailMass times the divergence there.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "eval/logit_row.h"

namespace smelt {

constexpr double kTailMass = 0x1p-10;      // 0.1 %
constexpr double kCodesPerNat = 2048;      // code = round(-ln p * kCodesPerNat)
constexpr int64_t kMaxRowVocab = 1 << 24;  // ln(kTailMass / kMaxRowVocab) = -23.6

struct ReferenceRow {
  TokenId top = 0;                  // the most likely token
  float true_log_p = 0;             // of the token that came, at f32's precision
  float tail = 0;                   // probability of all tokens not kept
  std::span<const TokenId> ids;     // kept, ascending
  std::span<const uint16_t> codes;  // of the kept
};

// Makes rows; the spans of a row are valid until the next.
class ReferenceRowEncoder {
 public:
  // Nothing if a logit is NaN or infinite.
  std::optional<ReferenceRow> encode(std::span<const float> logits, TokenId truth);

 private:
  uint32_t find_cutoff();
  std::vector<double> mass_ = {};  // probability by code / 64
  std::vector<uint16_t> codes_of_all_;
  std::vector<TokenId> ids_;
  std::vector<uint16_t> codes_;
};

// True if the probabilities add up to one as closely as rounding allows.
bool is_distribution(const ReferenceRow& row);

// Ids of the row must be inside the model's vocabulary. Nothing if a logit is NaN or infinite.
std::optional<TokenComparison> compare_with_reference_row(const ReferenceRow& reference, std::span<const float> model,
                                                          TokenId truth);

}  // namespace smelt
