// Importance matrices: for each weight matrix, how large its inputs were on some text. llama.cpp's two file forms are
// read, and written, the newer by default. Knows names and sizes only; made by shrink/, used by compress/.
//
//   GGUF (2025 on): general.type "imatrix", imatrix.datasets, imatrix.chunk_count, imatrix.chunk_size; for each matrix
//     NAME.in_sum2 F32 {n_matrices, n_columns}   sums of squares of the inputs
//     NAME.counts  F32 {n_matrices, 1}           over so many tokens; n_matrices: experts, 1 elsewhere
//   older (.dat), little-endian:
//     i32 n_entries, then for each: i32 length, name, i32 n_calls, i32 n_values, f32[n_values] (mean square * n_calls);
//     then, or the end of the file: i32 n_chunks, i32 length, name of the text
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/atomic_file.h"
#include "base/result.h"

namespace smelt {

struct ImatrixEntry {
  std::string name;  // of the weight matrix, in GGUF's terms
  int64_t n_columns = 0;
  std::vector<float> sums;    // [n_matrices][n_columns]
  std::vector<float> counts;  // [n_matrices]

  int64_t n_matrices() const { return std::ssize(counts); }
  // Mean squares of the inputs of one matrix into out[n_columns]. False, and ones, where it saw no token.
  bool means_into(int64_t matrix, float* out) const;
};

struct Imatrix {
  std::vector<ImatrixEntry> entries;
  std::vector<std::string> datasets;
  uint32_t n_chunks = 0, chunk_size = 0;  // windows of text and their tokens; chunk_size 0: unknown

  const ImatrixEntry* find(std::string_view name) const;
};

// Either form, by content. Refuses values that are negative or not finite.
Result<Imatrix> load_imatrix(const std::string& path);
Result<Imatrix> parse_imatrix(std::span<const std::byte> bytes, const std::string& file_name);
// The older form where the path ends in ".dat".
Status save_imatrix(const Imatrix& imatrix, const std::string& path, Overwrite overwrite);

}  // namespace smelt
