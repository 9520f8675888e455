// Fuzz target of parse_tokenizer_json and of the engines behind it: any text gives a vocabulary or an error.
#include <cstdint>

#include "tokenizers/vocab_exercise.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto vocab = smelt::parse_tokenizer_json(text, "tokenizer.json");
  if (!vocab) {
    smelt::exercise::require_one_line(vocab.error());
    return 0;
  }
  smelt::exercise::run(std::move(*vocab), text.substr(size / 2));
  return 0;
}
