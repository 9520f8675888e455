// Tensors that no file holds in the form in which they are used: weights packed by other tools (formats/packed/), which
// are decoded one at a time, when somebody wants their values, and may be dropped afterwards. Their views exist from
// the beginning and show addresses without memory behind them. Part of Checkpoint.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/reserved_memory.h"
#include "base/result.h"
#include "tensor/dtype.h"
#include "tensor/tensor_view.h"

namespace smelt {

inline constexpr int64_t kDecodedRows = 16;  // at once, which suits forms that are packed along columns

// Decodes rows of one matrix; everything that it reads was checked when it was made. Thread-safe.
class RowDecoder {
 public:
  RowDecoder() = default;
  RowDecoder(const RowDecoder&) = delete;
  RowDecoder& operator=(const RowDecoder&) = delete;
  virtual ~RowDecoder() = default;
  // out: [n][columns], n <= kDecodedRows.
  virtual void decode_rows_into(int64_t first, int64_t n, float* out) const = 0;
};

struct PackedTensor {
  std::string name;
  DType dtype = DType::f16;  // of the decoded values: F32, F16 or BF16
  Shape shape;               // of rank 2
  std::unique_ptr<const RowDecoder> decoder;
};

class DecodedTensors {
 public:
  static Result<std::shared_ptr<const DecodedTensors>> reserve(std::vector<PackedTensor> tensors);

  size_t size() const { return slots_.size(); }
  TensorView view(size_t i) const;
  const std::string& name(size_t i) const { return slots_[i].tensor.name; }
  // Both for the tensor whose view begins there; other addresses are left alone. Thread-safe.
  Status decode(const std::byte* begin) const;
  void drop(const std::byte* begin) const;
  bool contains(const std::byte* address) const;
  // A view of as many readable zeros. An error where the system has no addresses left.
  Result<TensorView> zeros_like(const TensorView& view) const;

 private:
  struct Slot {
    PackedTensor tensor;
    uint64_t offset = 0;
    uint64_t bytes = 0;
  };
  void decode_slot(const Slot& slot) const;

  std::vector<Slot> slots_;
  std::unordered_map<const std::byte*, size_t> index_;
  ReservedMemory memory_;
  mutable std::mutex mutex_;  // of the two below
  mutable std::vector<bool> is_decoded_;
  mutable ReservedMemory zeros_;
};

}  // namespace smelt
