// Fuzz target of ReferenceReader: any bytes give rows or an error in one line, and rows are distributions over tokens
// of the vocabulary.
#include "eval/reference_file.h"

#include <algorithm>
#include <cstdlib>

namespace {

constexpr int64_t kMaxRows = 1 << 14;

void check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto reader = smelt::ReferenceReader::parse(std::as_bytes(std::span(data, size)), "fuzz.ref");
  if (!reader) return check(reader.error().message.find('\n') == std::string::npos), 0;
  const int64_t n_vocab = reader->header().n_vocab;
  for (int64_t i = 0; i < std::min(reader->header().n_rows(), kMaxRows); ++i) {
    const auto row = reader->next();
    if (!row) return check(row.error().message.find('\n') == std::string::npos), 0;
    check(!row->ids.empty() && row->ids.size() == row->codes.size() && row->top < n_vocab);
    check(row->ids.front() >= 0 && row->ids.back() < n_vocab && smelt::is_distribution(*row));
    check(std::is_sorted(row->ids.begin(), row->ids.end()));
  }
  return 0;
}
