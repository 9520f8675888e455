// AdamW (Loshchilov & Hutter, arXiv 1711.05101) over the flat buffers of Parameters: decay of the matrices alone, bias
// corrected moments, the gradient's norm cut off before.
#pragma once

#include <cmath>

#include "train/torch_api.h"

namespace smelt {

struct AdamWRates {
  double learning_rate = 0, weight_decay = 0, beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
};

class AdamW {
 public:
  // The first n_decaying values are those that decay.
  AdamW(const torch::Tensor& values, int64_t n_decaying)
      : first_(torch::zeros_like(values)), second_(torch::zeros_like(values)), n_decaying_(n_decaying) {}

  torch::Tensor& first_moments() { return first_; }
  torch::Tensor& second_moments() { return second_; }

  // n_done: updates before this one.
  void update(torch::Tensor& values, const torch::Tensor& gradients, int64_t n_done, const AdamWRates& rates) {
    const torch::NoGradGuard no_gradients;
    const double n = static_cast<double>(n_done) + 1;
    const double first_share = 1 - std::pow(rates.beta1, n), second_share = 1 - std::pow(rates.beta2, n);
    values.narrow(0, 0, n_decaying_).mul_(1 - rates.learning_rate * rates.weight_decay);
    first_.mul_(rates.beta1).add_(gradients, 1 - rates.beta1);
    second_.mul_(rates.beta2).addcmul_(gradients, gradients, 1 - rates.beta2);
    const torch::Tensor scale = second_.sqrt().div_(std::sqrt(second_share)).add_(rates.epsilon);
    values.addcdiv_(first_, scale, -rates.learning_rate / first_share);
  }

 private:
  torch::Tensor first_, second_;
  int64_t n_decaying_;
};

// Scales gradients to the norm `most` where theirs is larger (most 0: never); returns what it was.
inline double clip_gradients(torch::Tensor& gradients, double most) {
  const torch::NoGradGuard no_gradients;
  const auto norm = gradients.norm().item<double>();
  if (most > 0 && norm > most) gradients.mul_(most / (norm + 1e-6));
  return norm;
}

}  // namespace smelt
