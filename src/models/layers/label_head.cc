#include "models/layers/label_head.h"

#include <cmath>
#include <string>
#include <vector>

#include "models/layers/activation.h"

namespace smelt {
namespace {

Status bind_linear(const WeightBinder& binder, const std::string& name, const Shape& shape, OwnedTensors& owned,
                   Linear& out) {
  SMELT_TRY(binder.bind((name + ".weight").c_str(), -1, shape, out.w, Presence::required, owned));
  const std::string bias = name + ".bias";
  return binder.bind(bias.c_str(), -1, shape[0], out.bias, binder.presence(bias.c_str()));
}

void activate(HeadActivation activation, std::vector<float>& x) {
  if (activation == HeadActivation::gelu_erf) {
    std::vector<float> factors(x.size(), 1.0F);
    activate_in_place(Activation::gelu_erf, x.data(), factors.data(), static_cast<int64_t>(x.size()));
    return;
  }
  const bool is_tanh = activation == HeadActivation::tanh;
  for (float& value : x) value = is_tanh ? std::tanh(value) : value < 0 ? 0 : value;
}

void multiply(const Linear& linear, std::span<const float> in, std::span<float> out, ThreadPool& threads) {
  const int64_t k = linear.w.columns();
  const int64_t m = static_cast<int64_t>(in.size()) / k;
  std::vector<float> scratch(static_cast<size_t>(matmul_scratch_floats(m, k, threads.size())));
  matmul_into({.x = in.data(),
               .m = m,
               .w = linear.w,
               .bias = linear.bias.empty() ? nullptr : linear.bias.data(),
               .out = out.data()},
              scratch.data(), threads);
}

}  // namespace

Status bind_label_head(const WeightBinder& binder, const ModelConfig& c, OwnedTensors& owned, LabelHeadWeights& head) {
  const LabelHead kind = c.encoder->head;
  if (kind == LabelHead::none) return {};
  const auto n_labels = static_cast<int64_t>(c.encoder->labels.size());
  SMELT_TRY(bind_linear(binder, "cls.output", {n_labels, c.d_model}, owned, head.labels));
  const bool is_deep = kind == LabelHead::text || binder.knows("cls.norm.weight");
  if (!is_deep) return {};
  SMELT_TRY(bind_linear(binder, "cls", {c.d_model, c.d_model}, owned, head.inner));
  head.norm.kind = c.norm;
  head.norm.eps = c.norm_eps;
  SMELT_TRY(binder.bind("cls.norm.weight", -1, c.d_model, head.norm.weight,
                        binder.knows("cls.norm.weight") ? Presence::required : Presence::optional));
  return binder.bind("cls.norm.bias", -1, c.d_model, head.norm.bias, Presence::optional);
}

void label_rows(const LabelHeadWeights& head, const EncoderConfig& config, std::span<const float> rows,
                std::span<float> logits, ThreadPool& threads) {
  if (head.inner.w.shape.rank == 0) return multiply(head.labels, rows, logits, threads);
  std::vector<float> inner(rows.size());
  multiply(head.inner, rows, inner, threads);
  activate(config.head_activation, inner);
  const int64_t m = static_cast<int64_t>(inner.size()) / head.labels.w.columns();
  if (head.norm.exists()) norm_rows_in_place(inner.data(), m, head.norm, threads);
  multiply(head.labels, inner, logits, threads);
}

}  // namespace smelt
