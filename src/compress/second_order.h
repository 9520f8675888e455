// Rounding the weights of a layer so that its outputs, not its weights, change least: error feedback on the grids of
// GGUF's block types, then coordinate descent. The scales of a block are searched by the block's own encoder on weights
// that make up for the errors of the columns before it, and then stay; codes are decided column by column (GPTQ:
// Frantar et al., arXiv 2210.17323; the blocks of a type are its groups). The result is an ordinary tensor of that
// type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/thread_pool.h"
#include "compress/hessian.h"
#include "tensor/dtype.h"

namespace smelt {

enum class RoundingMethod : uint8_t {
  diagonal,  // the encoder alone, errors weighted by the diagonal of H'
  feedback,  // with the errors fed forward
  polished,  // and single codes changed afterwards while the loss falls
};

struct RoundingOptions {
  RoundingMethod method = RoundingMethod::polished;
  int sweeps = 4;  // of the coordinate descent, at most
};

// sum over the rows of e H' e^T: what the layer's outputs lose, per token.
struct RoundingLoss {
  double diagonal = 0;  // of the diagonal method
  double chosen = 0;    // of what was written; no row is worse than by the diagonal method
};

// w: [rows][hessian.n()] finite values, rows of whole blocks of `type`; out: rows * row_bytes. Same bytes for any
// number of threads. Types that are not taken apart (tensor/block_codes.h) are rounded by the diagonal method.
RoundingLoss round_rows(DType type, std::span<const float> w, const Hessian& hessian, const RoundingOptions& options,
                        std::byte* out, ThreadPool& threads);

}  // namespace smelt
