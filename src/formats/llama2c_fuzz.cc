// Fuzz target of parse_llama2c: any bytes give parts or an error, and views lie inside the bytes or the buffers.
#include "formats/llama2c.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto parts = smelt::parse_llama2c(std::as_bytes(std::span(data, size)), "fuzz.bin");
  if (!parts) return parts.error().message.find('\n') == std::string::npos ? 0 : (std::abort(), 0);
  float sum = 0;
  for (const smelt::TensorEntry& tensor : parts->tensors) {
    std::vector<float> row(static_cast<size_t>(tensor.view.columns()));
    for (int64_t r = 0; r < tensor.view.rows(); ++r) {
      tensor.view.decode_row_into(r, row.data());
      sum += row.front();
    }
  }
  return sum == -1234.5F ? 1 : 0;
}
