// Rows of logits and reference files for the tests of this folder.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "base/test_folder.h"
#include "eval/reference_file.h"
#include "tensor/test_data.h"

namespace smelt {

// Logits as language models have them: falling with the logarithm of the rank, noise on top, most at `top`.
inline std::vector<float> language_like_logits(int64_t n_vocab, uint64_t seed, double steepness = 1.2) {
  std::vector<float> out = random_values("bell", n_vocab, seed);
  const auto top = static_cast<int64_t>(splitmix64(seed, 0) % static_cast<uint64_t>(n_vocab));
  for (int64_t i = 0; i < n_vocab; ++i) {
    const int64_t rank = (i - top + n_vocab) % n_vocab;
    out[static_cast<size_t>(i)] -= static_cast<float>(steepness * std::log(1.0 + static_cast<double>(rank)));
  }
  return out;
}

inline std::vector<float> with_noise(std::vector<float> logits, float size, uint64_t seed) {
  const std::vector<float> noise = random_values("bell", std::ssize(logits), seed);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] += size * noise[i];
  return logits;
}

inline ReferenceHeader small_header() {
  return {.n_vocab = 50,
          .n_ctx = 8,
          .first_scored = 4,
          .n_windows = 5,
          .text_bytes = 1000,
          .text_hash = 1,
          .vocab_hash = 2,
          .ids_hash = 3,
          .rows_per_block = 4};
}

// Writes random rows; the bytes of the file.
inline std::string reference_bytes(const ReferenceHeader& header) {
  const TestFolder folder;
  const std::string path = folder.file("x.ref");
  auto writer = ReferenceWriter::create(path, Overwrite::refuse, header);
  if (!writer) return writer.error().message;
  ReferenceRowEncoder encoder;
  for (int64_t i = 0; i < header.n_rows(); ++i) {
    const auto row = encoder.encode(language_like_logits(header.n_vocab, static_cast<uint64_t>(i)), 3);
    if (const Status added = writer->add(*row); !added) return added.error().message;
  }
  if (const Status committed = writer->commit(); !committed) return committed.error().message;
  return folder.read("x.ref");
}

// Rows of a file until its end or the first error.
inline Result<int64_t> count_rows(const std::string& bytes, const std::string& name) {
  SMELT_ASSIGN(ReferenceReader reader, ReferenceReader::parse(std::as_bytes(std::span(bytes)), name));
  for (int64_t i = 0; i < reader.header().n_rows(); ++i) SMELT_TRY(reader.next());
  return reader.header().n_rows();
}

}  // namespace smelt
