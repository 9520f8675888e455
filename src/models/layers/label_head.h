// The head of an encoder that labels texts or tokens: an inner layer with an activation and a norm, where the model has
// these, and one row of weights for each label. Called by layers/encoder.cc.
#pragma once

#include <span>

#include "models/layers/norm.h"
#include "models/linear.h"
#include "models/weight_binder.h"

namespace smelt {

struct LabelHeadWeights {
  Linear inner;  // {d_model, d_model}, or none
  NormWeights norm;
  Linear labels;  // {n_labels, d_model}
};

// Nothing where the configuration has no head.
Status bind_label_head(const WeightBinder& binder, const ModelConfig& config, OwnedTensors& owned,
                       LabelHeadWeights& head);
// rows [m][d_model] to logits [m][n_labels], in f32.
void label_rows(const LabelHeadWeights& head, const EncoderConfig& config, std::span<const float> rows,
                std::span<float> logits, ThreadPool& threads);

}  // namespace smelt
