// Fuzz target of parse_sentencepiece_model and of the engines behind it: any bytes give a vocabulary or an error.
#include <cstdint>

#include "tokenizers/vocab_exercise.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto vocab = smelt::parse_sentencepiece_model(std::as_bytes(std::span(data, size)), "tokenizer.model");
  if (!vocab) {
    smelt::exercise::require_one_line(vocab.error());
    return 0;
  }
  smelt::exercise::run(std::move(*vocab), std::string_view(reinterpret_cast<const char*>(data), size).substr(size / 2));
  return 0;
}
