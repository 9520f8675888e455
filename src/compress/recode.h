// Streams one tensor of a canonical model in another type: decode a row, check its values, encode it, hand the bytes
// on, many rows at a time over threads. Called by gguf_output.cc and hf_output.cc; knows no file format.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "compress/importance.h"
#include "models/canonical.h"
#include "tensor/dtype.h"

namespace smelt {

using ByteSink = std::function<Status(std::span<const std::byte>)>;

// Bytes of buffers needed to recode this tensor; the mapped pages of the source are not counted.
uint64_t recode_buffer_bytes(const Shape& shape, DType to, int n_threads);

class Recoder {
 public:
  // `label` and the total are for the progress report.
  Recoder(const Checkpoint& checkpoint, int n_threads, const JobControl& job, std::string label,
          uint64_t total_source_bytes);
  // Weighs errors of quantized types by it; it must outlive the recoder.
  void set_importance(const Importance* importance) { importance_ = importance; }

  // Gives all rows in order to `sink`. A value that is not finite, or that overflows in the new type, is an error that
  // names tensor, row and column. Cancelled between slabs of rows. Same-type tensors are copied bit for bit.
  Status recode(const CanonicalTensor& tensor, DType to, const ByteSink& sink);

 private:
  struct Fault;
  Status recode_rows(const CanonicalTensor& tensor, DType to, int64_t begin, int64_t end);
  Fault recode_row(const CanonicalTensor& tensor, DType to, int64_t row, std::byte* out, float* scratch) const;
  Error fault_error(const CanonicalTensor& tensor, DType to, const Fault& fault) const;
  void report(uint64_t done) const;

  const Checkpoint& checkpoint_;
  ThreadPool pool_;
  JobControl job_;
  const Importance* importance_ = nullptr;
  std::string label_;
  uint64_t total_bytes_;
  uint64_t done_bytes_ = 0;
  std::vector<std::byte> slab_;
  std::vector<float> scratch_;  // per thread: a row, and the weights of its errors
};

}  // namespace smelt
