// Fuzz target of parse_gguf_vocab and of the engines behind it, over whole GGUF files: any keys give a vocabulary or an
// error.
#include <cstdint>

#include "formats/gguf.h"
#include "tokenizers/vocab_exercise.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto contents = smelt::parse_gguf(std::as_bytes(std::span(data, size)), "fuzz.gguf");
  if (!contents) return 0;
  auto vocab = smelt::parse_gguf_vocab(contents->metadata);
  if (!vocab) {
    smelt::exercise::require_one_line(vocab.error());
    return 0;
  }
  smelt::exercise::run(std::move(*vocab), std::string_view(reinterpret_cast<const char*>(data), size).substr(size / 2));
  return 0;
}
