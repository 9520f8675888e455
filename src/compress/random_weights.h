// Random weights N(0, 0.02) in any type, fast: encoders search long for the best scales, so a stock of blocks is
// encoded once for each type, and rows are put together from blocks drawn from it. Called by random_model.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "base/thread_pool.h"
#include "tensor/dtype.h"

namespace smelt {

// Value `index` of the stream `seed`: normal, mean 0, standard deviation 0.02.
float random_weight(uint64_t seed, uint64_t index);

class RandomWeights {
 public:
  explicit RandomWeights(uint64_t seed, ThreadPool& threads) : seed_(seed), threads_(threads) {}

  // Encodes the stock of this type, if it is not there: 2^18 values.
  void prepare(DType type);
  // Row `row` of tensor `tensor` in a type that was prepared, as stored in files. Depends on the seed, the type and
  // these numbers only; thread-safe.
  void row_into(DType type, uint64_t tensor, int64_t row, int64_t columns, std::byte* out) const;

 private:
  struct Stock {
    int64_t unit_values = 0;   // of what is drawn at a time: a block, or 32 values of a type without blocks
    uint64_t value_bytes = 0;  // of a type without blocks
    uint64_t unit_bytes = 0;
    uint64_t n_units = 0;
    std::vector<std::byte> bytes;
  };
  uint64_t seed_;
  ThreadPool& threads_;
  std::map<DType, Stock> stocks_;
};

}  // namespace smelt
