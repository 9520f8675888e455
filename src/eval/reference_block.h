// Blocks of rows as bytes: packing and unpacking for reference_file.cc, which has the layout.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "eval/reference_row.h"

namespace smelt {

// Unpacked bytes at most.
constexpr int64_t kRowHeadBytes = 16;
constexpr int64_t kMaxKeptBytes = 7;  // of a kept token: 5 of LEB128, 2 of the code

struct ReferenceBlock {
  struct RowHead {
    uint32_t n_kept = 0;
    TokenId top = 0;
    float true_log_p = 0, tail = 0;
  };
  std::vector<RowHead> heads;
  std::vector<TokenId> ids;  // kept by all rows, one row after another
  std::vector<uint16_t> codes;

  void add(const ReferenceRow& row);
  // Row i, whose kept tokens begin at first_kept.
  ReferenceRow row(size_t i, size_t first_kept) const;
};

// A zstd frame with a checksum.
Result<std::string> pack_block(const ReferenceBlock& block);
// The header says n_rows and n_vocab. Errors say what is wrong in the block, not where that is.
Result<ReferenceBlock> unpack_block(std::span<const std::byte> frame, int64_t n_rows, int64_t n_vocab);

}  // namespace smelt
