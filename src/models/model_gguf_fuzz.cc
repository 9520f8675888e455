// Fuzz target of everything that is done with a GGUF file before text is written: hyper-parameters, vocabulary, binding
// of tensors, translation to the terms of a Hugging Face folder, and one pass over two tokens.
#include <cstdint>

#include "formats/gguf.h"
#include "models/model_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto contents = smelt::parse_gguf(std::as_bytes(std::span(data, size)), "fuzz.gguf");
  if (!contents) return 0;
  smelt::use_checkpoint({.path = "fuzz.gguf",
                         .format_name = "GGUF",
                         .dialect = smelt::Dialect::gguf,
                         .metadata = std::move(contents->metadata),
                         .tensors = std::move(contents->tensors)});
  return 0;
}
