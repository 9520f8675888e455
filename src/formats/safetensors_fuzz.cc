// Fuzz target of parse_safetensors: any bytes give tensors or an error, and views lie inside the bytes.
#include "formats/safetensors.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto tensors = smelt::parse_safetensors(std::as_bytes(std::span(data, size)), "fuzz.safetensors");
  if (!tensors) return tensors.error().message.find('\n') == std::string::npos ? 0 : (std::abort(), 0);
  unsigned sum = 0;
  uint64_t total = 0;
  for (const smelt::TensorEntry& tensor : *tensors) {
    for (const std::byte b : tensor.view.bytes) sum += static_cast<unsigned>(b);
    total += tensor.view.bytes.size();
  }
  if (total > size) std::abort();  // tensors never share bytes
  return sum == 0xFFFFFFFFU ? 1 : 0;
}
