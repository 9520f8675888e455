// Packing is bound by memory, so chunks of rows of all tensors are spread over threads.
#include "models/packed_weights.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/matmul/matmul.h"
#include "tensor/rows16.h"

namespace smelt {
namespace {

constexpr uint64_t kChunkBytes = uint64_t{1} << 21;
constexpr uint64_t kAlignment = 4096;  // each tensor begins on a page

// A matrix and where its packed copy goes.
struct Plan {
  TensorView from;
  uint64_t offset = 0;
  int64_t chunk_groups = 0;  // groups of 16 rows handed to a thread at once

  int64_t groups() const { return (from.rows() + kRows16 - 1) / kRows16; }
  int64_t chunks() const { return (groups() + chunk_groups - 1) / chunk_groups; }
};

bool wants_packing(const TensorView& view) {
  return view.layout == Layout::rows && has_rows16(view.dtype) && view.shape.rank == 2;
}

struct Plans {
  std::vector<Plan> tensors;
  uint64_t bytes = 0;
};

// Each distinct tensor once.
Plans plan_packing(std::span<TensorView* const> matrices, std::unordered_map<const std::byte*, size_t>& index) {
  Plans plans;
  for (const TensorView* view : matrices) {
    if (!wants_packing(*view) || !index.emplace(view->bytes.data(), plans.tensors.size()).second) continue;
    const uint64_t group_bytes = rows16_bytes(view->dtype, kRows16, view->columns());
    const auto chunk = static_cast<int64_t>(std::max<uint64_t>(1, kChunkBytes / group_bytes));
    plans.tensors.push_back({*view, plans.bytes, chunk});
    const uint64_t bytes = rows16_bytes(view->dtype, view->rows(), view->columns());
    plans.bytes += (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }
  return plans;
}

void pack_chunk(const Plan& plan, int64_t chunk, std::byte* to) {
  const TensorView& from = plan.from;
  const int64_t end = std::min(plan.groups(), (chunk + 1) * plan.chunk_groups);
  const uint64_t group_bytes = rows16_bytes(from.dtype, kRows16, from.columns());
  for (int64_t g = chunk * plan.chunk_groups; g < end; ++g) {
    const int64_t first = g * kRows16;
    pack_rows16(from.dtype, from.row(first), std::min(kRows16, from.rows() - first), from.columns(),
                to + static_cast<uint64_t>(g) * group_bytes);
  }
}

void release_chunk(const Plan& plan, int64_t chunk, const Checkpoint& checkpoint) {
  const int64_t first = chunk * plan.chunk_groups * kRows16;
  const int64_t last = std::min(plan.from.rows(), first + plan.chunk_groups * kRows16);
  for (const auto& file : checkpoint.files()) {
    file->release_range(plan.from.row(first), static_cast<uint64_t>(last - first) * plan.from.row_size());
  }
}

}  // namespace

Result<PackedWeights> PackedWeights::pack(std::span<TensorView* const> matrices, const Checkpoint& checkpoint) {
  std::unordered_map<const std::byte*, size_t> index;
  const Plans plans = plan_packing(matrices, index);
  SMELT_ASSIGN(LargeMemory memory, LargeMemory::allocate(plans.bytes).with_context(checkpoint.path()));
  ThreadPool threads;
  for (const Plan& plan : plans.tensors) {
    const auto run = [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        pack_chunk(plan, i, memory.data() + plan.offset);
        release_chunk(plan, i, checkpoint);
      }
    };
    threads.parallel_for(plan.chunks(), 1, run);
  }
  for (TensorView* view : matrices) {
    if (!wants_packing(*view)) continue;
    const Plan& plan = plans.tensors[index.at(view->bytes.data())];
    view->bytes = {memory.data() + plan.offset, rows16_bytes(view->dtype, view->rows(), view->columns())};
    view->layout = Layout::rows16;
  }
  return PackedWeights(std::move(memory));
}

void decode_matrix_row_into(const TensorView& matrix, int64_t r, std::byte* scratch, float* out) {
  const DecodeRow decode = find_row_decoder(matrix.dtype);
  if (matrix.layout == Layout::rows) return decode(matrix.row(r), out, matrix.columns());
  matrix.copy_row_into(r, scratch);
  decode(scratch, out, matrix.columns());
}

}  // namespace smelt
