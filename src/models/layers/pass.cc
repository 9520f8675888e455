#include "models/layers/pass.h"

#include "base/check.h"
#include "kernels/kernels.h"

namespace smelt {

LinearContext pass_context(const ForwardArgs& args, int64_t rows, const PassScratch& scratch, ThreadPool& threads) {
  const bool is_long = args.kind == PassKind::prefill && rows > kFewAttentionTokens;
  return {.threads = threads,
          .arithmetic = is_long ? QArithmetic::prefill : QArithmetic::exact,
          .f32_scratch = scratch.matmul,
          .q_scratch = scratch.qmatmul,
          .sum_scratch = scratch.rows};
}

void embed_tokens_into(const TensorView& embedding, std::span<const TokenId> tokens, std::byte* stock_rows, float* x,
                       ThreadPool& threads) {
  const int64_t d_model = embedding.columns();
  for_rows(threads, static_cast<int64_t>(tokens.size()), d_model, [&](int64_t i) {
    const TokenId id = tokens[static_cast<size_t>(i)];
    SMELT_CHECK(id >= 0 && id < embedding.rows());
    decode_matrix_row_into(embedding, id, stock_rows + 4 * i * d_model, x + i * d_model);
  });
}

int64_t count_logits(const ForwardArgs& args) {
  int64_t n = 0;
  for (const SequenceSlice& slice : args.slices) n += slice.n_logits;
  return n;
}

int64_t logits_into(const Head& head, const float* x, const LinearInput& h, const ForwardArgs& args,
                    const LinearContext& context) {
  int64_t end = 0;  // of the slice's tokens
  int64_t n = 0;    // rows so far
  for (const SequenceSlice& slice : args.slices) {
    end += slice.n_tokens;
    const float* last = x + (end - slice.n_logits) * head.d_model;
    // h [n_logits][d_model]
    float* hidden = args.hidden == nullptr ? nullptr : args.hidden + n * head.d_model;
    const LinearInput out = hidden == nullptr ? rows_from(h, n, head.d_model)
                                              : LinearInput{.values = hidden, .quantized = {}, .wants_values = true};
    norm_rows_into(last, head.d_model, head.norm, out, slice.n_logits, context);
    n += slice.n_logits;
  }
  if (args.hidden == nullptr) linear_into(h, n, {{head.linear, args.logits}}, context);
  return n;
}

Result<PackedWeights> pack_linears(std::span<Linear* const> linears, TensorView* embedding,
                                   const Checkpoint& checkpoint) {
  std::vector<TensorView*> matrices;
  for (Linear* layer : linears) matrices.push_back(&layer->w);
  if (embedding != nullptr) matrices.push_back(embedding);
  SMELT_ASSIGN(PackedWeights packed, PackedWeights::pack(matrices, checkpoint));
  for (Linear* layer : linears) {
    layer->is_int8 = layer->w.layout == Layout::rows16;
    layer->is_bf16 = layer->w.dtype == DType::bf16;
  }
  return packed;
}

}  // namespace smelt
