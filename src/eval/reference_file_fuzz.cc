// Fuzz target of ReferenceReader: any bytes give rows or an error in one line, and rows are distributions over tokens
// of the vocabulary. Checksums would stop nearly every input, so the same bytes are also read with the header's made
// right, and as what a block unpacks to.
#include "eval/reference_file.h"

#include <zstd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/hash.h"

namespace {

constexpr int64_t kMaxRows = 1 << 14;
constexpr size_t kHashOffset = 72;

void check(bool holds) {
  if (!holds) std::abort();
}

void check_error(const smelt::Error& error) { check(error.message.find('\n') == std::string::npos); }

void check_row(const smelt::ReferenceRow& row, int64_t n_vocab) {
  check(!row.ids.empty() && row.ids.size() == row.codes.size() && row.top >= 0 && row.top < n_vocab);
  check(row.ids.front() >= 0 && row.ids.back() < n_vocab && smelt::is_distribution(row));
  check(std::is_sorted(row.ids.begin(), row.ids.end()));
}

void read_file(std::span<const std::byte> bytes) {
  auto reader = smelt::ReferenceReader::parse(bytes, "fuzz.ref");
  if (!reader) return check_error(reader.error());
  const int64_t n_vocab = reader->header().n_vocab;
  for (int64_t i = 0; i < std::min(reader->header().n_rows(), kMaxRows); ++i) {
    const auto row = reader->next();
    if (!row) return check_error(row.error());
    check_row(*row, n_vocab);
  }
}

// The first two bytes say how many rows and tokens there are.
void read_block(std::span<const std::byte> bytes) {
  if (bytes.size() < 2) return;
  const auto raw = bytes.subspan(2);
  const auto n_vocab = static_cast<int64_t>(bytes[1]) + 1;
  std::vector<std::byte> frame(ZSTD_compressBound(raw.size()));
  frame.resize(ZSTD_compress(frame.data(), frame.size(), raw.data(), raw.size(), 1));
  const auto block = smelt::unpack_block(frame, static_cast<int64_t>(bytes[0]) % 8 + 1, n_vocab);
  if (!block) return check_error(block.error());
  for (size_t i = 0, first = 0; i < block->heads.size(); first += block->heads[i++].n_kept)
    check_row(block->row(i, first), n_vocab);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  read_file(bytes);
  read_block(bytes);
  if (size < kHashOffset + sizeof(uint64_t)) return 0;
  std::vector<std::byte> right(bytes.begin(), bytes.end());
  const uint64_t hash = smelt::hash_bytes(bytes.first(kHashOffset));
  std::memcpy(&right[kHashOffset], &hash, sizeof(hash));
  read_file(right);
  return 0;
}
