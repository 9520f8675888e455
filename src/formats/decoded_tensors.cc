// Decoding over threads, 16 rows at a time; the values do not depend on the number of threads.
#include "formats/decoded_tensors.h"

#include <algorithm>

#include "base/checked.h"
#include "base/thread_pool.h"

namespace smelt {
namespace {

constexpr int64_t kGrainValues = 1 << 16;  // below this a thread's start costs more than its work

}  // namespace

Result<std::shared_ptr<const DecodedTensors>> DecodedTensors::reserve(std::vector<PackedTensor> tensors) {
  auto out = std::make_shared<DecodedTensors>();
  uint64_t end = 0;
  for (PackedTensor& tensor : tensors) {
    const uint64_t value_bytes = dtype_info(tensor.dtype).block_bytes;
    const auto bytes = checked_mul(static_cast<uint64_t>(tensor.shape.values()), value_bytes);
    const auto room = bytes ? checked_round_up(*bytes, ReservedMemory::page_bytes()) : std::nullopt;
    const auto sum = room ? checked_add(end, *room) : std::nullopt;
    if (!sum) return input_error("the decoded tensors' sizes overflow 64 bits");
    out->slots_.push_back({std::move(tensor), end, *bytes});
    end = *sum;
  }
  SMELT_ASSIGN(out->memory_, ReservedMemory::reserve(end));
  for (size_t i = 0; i < out->slots_.size(); ++i) out->index_.emplace(out->memory_.data() + out->slots_[i].offset, i);
  out->is_decoded_.resize(out->slots_.size());
  return std::shared_ptr<const DecodedTensors>(std::move(out));
}

TensorView DecodedTensors::view(size_t i) const {
  const Slot& slot = slots_[i];
  return {.dtype = slot.tensor.dtype,
          .shape = slot.tensor.shape,
          .bytes = {memory_.data() + slot.offset, static_cast<size_t>(slot.bytes)}};
}

bool DecodedTensors::contains(const std::byte* address) const {
  return std::less_equal<>()(memory_.data(), address) && std::less<>()(address, memory_.data() + memory_.size());
}

Status DecodedTensors::decode(const std::byte* begin) const {
  const auto found = index_.find(begin);
  if (found == index_.end()) return {};
  const std::lock_guard lock(mutex_);
  if (is_decoded_[found->second]) return {};
  const Slot& slot = slots_[found->second];
  SMELT_TRY(memory_.open_range(slot.offset, slot.bytes).with_context("tensor '" + slot.tensor.name + "'"));
  decode_slot(slot);
  is_decoded_[found->second] = true;
  return {};
}

void DecodedTensors::decode_slot(const Slot& slot) const {
  const int64_t rows = slot.tensor.shape.rows();
  const int64_t columns = slot.tensor.shape.columns();
  const DTypeInfo& info = dtype_info(slot.tensor.dtype);
  const uint64_t row_size = static_cast<uint64_t>(columns) * info.block_bytes;
  const int64_t n_chunks = (rows + kDecodedRows - 1) / kDecodedRows;
  const auto run = [&](int64_t begin, int64_t end, int) {
    std::vector<float> values(static_cast<size_t>(kDecodedRows * columns));
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      const int64_t first = chunk * kDecodedRows;
      const int64_t n = std::min(kDecodedRows, rows - first);
      slot.tensor.decoder->decode_rows_into(first, n, values.data());
      std::byte* out = memory_.data() + slot.offset + static_cast<uint64_t>(first) * row_size;
      info.encode(values.data(), out, n * columns, nullptr);
    }
  };
  const int64_t grain = std::max<int64_t>(1, kGrainValues / (kDecodedRows * columns));
  if (n_chunks <= grain) return run(0, n_chunks, 0);
  ThreadPool threads;
  threads.parallel_for(n_chunks, grain, run);
}

void DecodedTensors::drop(const std::byte* begin) const {
  const auto found = index_.find(begin);
  if (found == index_.end()) return;
  const std::lock_guard lock(mutex_);
  if (!is_decoded_[found->second]) return;
  const Slot& slot = slots_[found->second];
  memory_.close_range(slot.offset, slot.bytes);
  is_decoded_[found->second] = false;
}

Result<TensorView> DecodedTensors::zeros_like(const TensorView& view) const {
  const std::lock_guard lock(mutex_);
  if (zeros_.size() == 0) {
    SMELT_ASSIGN(zeros_, ReservedMemory::zeros(memory_.size()));
  }
  TensorView out = view;
  out.bytes = {zeros_.data() + (view.bytes.data() - memory_.data()), view.bytes.size()};
  return out;
}

}  // namespace smelt
