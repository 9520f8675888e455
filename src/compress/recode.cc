// Recoder: slabs of rows, one parallel loop a slab. Output bytes do not depend on the number of threads.
#include "compress/recode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <mutex>

#include "base/check.h"
#include "base/text.h"

namespace smelt {
namespace {

constexpr int64_t kSlabValues = 2 << 20;   // well under a second's work, so that an interruption is heard soon
constexpr int64_t kGrainValues = 1 << 15;  // below this a thread's start costs more than its work
// The first magnitude that rounds to infinity in an f16, which is also the scale type of the quantized formats.
constexpr float kF16Overflow = 65520.0F;
// Likewise for bf16: half a unit in the last place above its largest value, 0x7f7f.
constexpr float kBf16Overflow = 3.3961775e38F;

int64_t rows_per_slab(const Shape& shape) {
  const int64_t fit = std::max<int64_t>(1, kSlabValues / std::max<int64_t>(1, shape.columns()));
  return std::min(fit, std::max<int64_t>(1, shape.rows()));
}

uint64_t target_row_size(const Shape& shape, DType to) {
  return row_bytes(to, static_cast<uint64_t>(shape.columns())).value_or(0);
}

float overflow_limit(DType to) {
  if (to == DType::f32) return std::numeric_limits<float>::infinity();
  return to == DType::bf16 ? kBf16Overflow : kF16Overflow;
}

}  // namespace

struct Recoder::Fault {
  int64_t row = -1;  // -1: none
  int64_t column = 0;
  float value = 0;
};

uint64_t recode_buffer_bytes(const Shape& shape, DType to, int n_threads) {
  return static_cast<uint64_t>(rows_per_slab(shape)) * target_row_size(shape, to) +
         2 * static_cast<uint64_t>(n_threads) * static_cast<uint64_t>(shape.columns()) * sizeof(float);
}

Recoder::Recoder(const Checkpoint& checkpoint, int n_threads, const JobControl& job, std::string label,
                 uint64_t total_source_bytes)
    : checkpoint_(checkpoint),
      pool_(n_threads),
      job_(job),
      label_(std::move(label)),
      total_bytes_(total_source_bytes) {}

Status Recoder::recode(const CanonicalTensor& tensor, DType to, const ByteSink& sink) {
  const TensorView& source = tensor.source->view;
  const int64_t rows = tensor.shape.rows(), columns = tensor.shape.columns();
  const auto n_parts = static_cast<int64_t>(tensor.more.size() + 1);
  SMELT_CHECK(rows == source.rows() * n_parts && columns == source.columns());
  SMELT_TRY(checkpoint_.prepare(*tensor.source));
  for (const TensorEntry* part : tensor.more) SMELT_TRY(checkpoint_.prepare(*part));
  const uint64_t row_size = target_row_size(tensor.shape, to);
  const int64_t slab_rows = rows_per_slab(tensor.shape);
  slab_.resize(static_cast<uint64_t>(slab_rows) * row_size);
  scratch_.resize(2 * static_cast<size_t>(pool_.size()) * static_cast<size_t>(columns));
  for (int64_t begin = 0; begin < rows; begin += slab_rows) {
    if (job_.cancelled()) return cancelled_error();
    const int64_t end = std::min(rows, begin + slab_rows);
    SMELT_TRY(recode_rows(tensor, to, begin, end));
    SMELT_TRY(sink(std::span(slab_).first(static_cast<uint64_t>(end - begin) * row_size)));
    report(done_bytes_ + static_cast<uint64_t>(end) * source.row_size());
  }
  done_bytes_ += tensor.source_bytes();
  checkpoint_.release(*tensor.source);
  for (const TensorEntry* part : tensor.more) checkpoint_.release(*part);
  return {};
}

Status Recoder::recode_rows(const CanonicalTensor& tensor, DType to, int64_t begin, int64_t end) {
  const int64_t columns = tensor.shape.columns();
  const uint64_t row_size = target_row_size(tensor.shape, to);
  std::mutex mutex;
  Fault first;
  const auto body = [&](int64_t chunk_begin, int64_t chunk_end, int thread) {
    float* scratch = scratch_.data() + 2 * static_cast<int64_t>(thread) * columns;
    for (int64_t r = begin + chunk_begin; r < begin + chunk_end; ++r) {
      std::byte* out = slab_.data() + static_cast<uint64_t>(r - begin) * row_size;
      const Fault fault = recode_row(tensor, to, r, out, scratch);
      if (fault.row < 0) continue;
      const std::lock_guard lock(mutex);
      if (first.row < 0 || fault.row < first.row) first = fault;
      return;
    }
  };
  pool_.parallel_for(end - begin, std::max<int64_t>(1, kGrainValues / std::max<int64_t>(1, columns)), body);
  if (first.row >= 0) return fault_error(tensor, to, first);
  return {};
}

Recoder::Fault Recoder::recode_row(const CanonicalTensor& tensor, DType to, int64_t row, std::byte* out,
                                   float* scratch) const {
  const auto [entry, source_row] = tensor.find_source(row);
  const TensorView& source = entry->view;
  const int64_t columns = tensor.shape.columns();
  const bool copied = source.dtype == to;
  if (copied) source.copy_row_into(source_row, out);
  if (copied && (is_quantized(to) || to == DType::i8)) return {};
  source.decode_row_into(source_row, scratch);
  const float limit = overflow_limit(to);
  for (int64_t c = 0; c < columns; ++c) {
    if (!(std::fabs(scratch[c]) < limit)) return {row, c, scratch[c]};  // NaN compares false
  }
  if (copied) return {};
  float* weights = scratch + columns;
  const bool is_weighted = importance_ != nullptr && is_quantized(to) && importance_->row_into(tensor, row, weights);
  dtype_info(to).encode(scratch, out, columns, is_weighted ? weights : nullptr);
  return {};
}

Error Recoder::fault_error(const CanonicalTensor& tensor, DType to, const Fault& fault) const {
  const auto [entry, row] = tensor.find_source(fault.row);
  const std::string where =
      fmt::format("{}: the value at row {}, column {}", checkpoint_.describe(*entry), row, fault.column);
  if (!std::isfinite(fault.value))
    return input_error(fmt::format("{} is {}; the checkpoint is damaged: fetch or export it again", where,
                                   std::isnan(fault.value) ? "not a number" : "infinite"));
  return input_error(fmt::format("{} is {:g}, too large for {}; convert to {} instead", where, fault.value,
                                 dtype_name(to), to == DType::bf16 ? "f32" : "bf16 or f32"));
}

void Recoder::report(uint64_t done) const {
  const bool large = total_bytes_ >= (uint64_t{64} << 20);
  const int shift = large ? 20 : 10;
  job_.update(label_, done >> shift, total_bytes_ >> shift, large ? "MiB" : "KiB");
}

}  // namespace smelt
