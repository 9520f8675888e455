// The file of `smelt eval save-reference`: one ReferenceRow for every scored token of a text. Little-endian.
//
//     offset  bytes  header
//          0      8  "SMELTREF"
//          8      4  version, 1
//         12      4  n_vocab
//         16      4  n_ctx: tokens of a window
//         20      4  first_scored: position in the window
//         24      8  n_windows
//         32     16  text: bytes, hash
//         48      8  hash of the vocabulary
//         56      8  hash of the token ids of all windows
//         64      4  rows_per_block
//         68      4  0
//         72      8  hash of the 72 bytes above (base/hash.h, as all hashes here)
//         80         blocks of rows_per_block rows, the last may have fewer: 4 bytes size, then a zstd frame
//
//     a block, unpacked: for each row  n_kept u32 | top u32 | true_log_p f32 | tail f32      (reference_row.h)
//                        kept ids of all rows, each as its distance from the one after the last kept, LEB128
//                        low bytes of all codes, then their high bytes (they compress better apart)
//
// About 3 bytes a kept token. Measured: 95 bytes a row of stories260K (512 tokens, perplexity 4), 4.5 KB of the books
// model (4096 tokens, perplexity 40). All logits in 16 bits would be 256 KB a row for a vocabulary of 128 k. Readers
// allocate by what was unpacked, never by a declared size.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/atomic_file.h"
#include "base/mapped_file.h"
#include "eval/reference_block.h"

namespace smelt {

constexpr std::string_view kReferenceMagic = "SMELTREF";

struct ReferenceHeader {
  int64_t n_vocab = 0, n_ctx = 0, first_scored = 0, n_windows = 0;
  uint64_t text_bytes = 0, text_hash = 0, vocab_hash = 0, ids_hash = 0;
  int64_t rows_per_block = 0;

  int64_t rows_per_window() const { return n_ctx - 1 - first_scored; }
  int64_t n_rows() const { return n_windows * rows_per_window(); }
};

// Rows whose blocks take at most about 64 MiB unpacked, whatever is kept.
int64_t rows_per_block_for(int64_t n_vocab);

class ReferenceWriter {
 public:
  static Result<ReferenceWriter> create(const std::string& path, Overwrite overwrite, const ReferenceHeader& header);
  Status add(const ReferenceRow& row);
  Status commit();  // after n_rows() rows
  uint64_t size() const { return file_.size(); }

 private:
  ReferenceWriter(AtomicFile file, const ReferenceHeader& header) : file_(std::move(file)), header_(header) {}
  Status write_block();
  AtomicFile file_;
  ReferenceHeader header_;
  ReferenceBlock block_;
  int64_t n_added_ = 0;
};

// Reads the rows in order. Opening checks the header and that the blocks fill the file; each block is checked when it
// is unpacked.
class ReferenceReader {
 public:
  static Result<ReferenceReader> open(const std::string& path);
  // For tests: bytes must outlive it.
  static Result<ReferenceReader> parse(std::span<const std::byte> bytes, const std::string& name);

  const ReferenceHeader& header() const { return header_; }
  const std::string& name() const { return name_; }
  // Valid until the next call. At most n_rows() times.
  Result<ReferenceRow> next();

 private:
  Status read_block();
  std::shared_ptr<const MappedFile> file_;
  std::span<const std::byte> bytes_;
  std::string name_;
  ReferenceHeader header_;
  uint64_t offset_ = 0;  // of the next block
  int64_t n_read_ = 0;   // rows of all blocks unpacked so far
  ReferenceBlock block_;
  size_t next_row_ = 0, next_kept_ = 0;  // in the block
};

}  // namespace smelt
