// Fuzz target of parse_gguf: any bytes give contents or an error; the views of contents lie inside the bytes, and what
// was read can be laid out again by the writer.
#include "formats/gguf.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto contents = smelt::parse_gguf(bytes, "fuzz.gguf");
  if (!contents) return contents.error().message.find('\n') == std::string::npos ? 0 : (std::abort(), 0);
  std::vector<smelt::TensorDeclaration> declarations;
  unsigned sum = 0;
  for (const smelt::TensorEntry& tensor : contents->tensors) {
    for (const std::byte b : tensor.view.bytes) sum += static_cast<unsigned>(b);
    declarations.push_back({tensor.name, tensor.view.dtype, tensor.view.shape});
  }
  const auto file_bytes = smelt::gguf_file_bytes(contents->metadata, declarations);
  if (!file_bytes && file_bytes.error().message.find("1 to 63 bytes") == std::string::npos) std::abort();
  return sum == 0xFFFFFFFFU ? 1 : 0;  // uses the sum, so that the reads are not optimised away
}
