// Parts of the caller's workspace, one after another, each on cache lines of its own. Called by the planners of
// workspaces in layers/.
#pragma once

#include <cstdint>

#include "kernels/kernels.h"

namespace smelt {

class Taker {
 public:
  explicit Taker(float* base) : base_(base) {
    const auto misaligned = static_cast<int64_t>(reinterpret_cast<uintptr_t>(base) / sizeof(float) % kLine);
    used_ = base == nullptr ? kLine : (kLine - misaligned) % kLine;
  }
  float* floats(int64_t n) {
    float* at = base_ == nullptr ? nullptr : base_ + used_;
    used_ += (n + kLine - 1) / kLine * kLine;
    return at;
  }
  QuantizedRows quantized(int64_t m, int64_t k) {
    float* at = floats(quantized_rows_floats(m, k));
    return at == nullptr ? QuantizedRows{} : place_quantized_rows(at, m, k);
  }
  template <class T>
  T* objects(int64_t n) {
    return reinterpret_cast<T*>(floats(n * static_cast<int64_t>((sizeof(T) + sizeof(float) - 1) / sizeof(float))));
  }
  int64_t used() const { return used_; }

 private:
  static constexpr int64_t kLine = 16;
  float* base_;  // null: only the size is wanted
  int64_t used_ = 0;
};

}  // namespace smelt
