// Both ends of a forward pass, as all models have them: rows of the embedding in, logits out. Called by the Models in
// layers/.
#pragma once

#include "models/layers/norm.h"
#include "models/linear.h"
#include "models/model.h"
#include "models/packed_weights.h"

namespace smelt {

// The scratch memory of linear layers in a pass.
struct PassScratch {
  float *matmul, *qmatmul;
  float* rows;  // [m][widest output that is added]
};
// For products of so many rows.
LinearContext pass_context(const ForwardArgs& args, int64_t rows, const PassScratch& scratch, ThreadPool& threads);

// x [m][d_model]; stock_rows: 4 bytes for each value of x.
void embed_tokens_into(const TensorView& embedding, std::span<const TokenId> tokens, std::byte* stock_rows, float* x,
                       ThreadPool& threads);

struct Head {
  const NormWeights& norm;
  const Linear& linear;
  int64_t d_model;
};
// The logits that the slices want, from x [m][d_model], by way of h (as many rows); where args.hidden is given,
// the rows after the norm in place of them. Returns how many rows they are.
int64_t logits_into(const Head& head, const float* x, const LinearInput& h, const ForwardArgs& args,
                    const LinearContext& context);
int64_t count_logits(const ForwardArgs& args);

// Matrices in the layout of the int8 kernels; the views of all are then of the result. embedding: null where the head
// is a matrix of its own.
Result<PackedWeights> pack_linears(std::span<Linear* const> linears, TensorView* embedding,
                                   const Checkpoint& checkpoint);

}  // namespace smelt
