// Fuzz target of everything that is done with a Hugging Face folder before text is written; see model_gguf_fuzz.cc. The
// input: lengths of config.json and tokenizer.json as 32-bit numbers, those two files, model.safetensors.
#include <cstdint>
#include <cstring>

#include "formats/hf_folder.h"
#include "formats/packed/unpack.h"
#include "formats/safetensors.h"
#include "models/model_fuzz.h"

namespace {

std::string_view take(std::string_view& rest, size_t n) {
  const std::string_view part = rest.substr(0, std::min(n, rest.size()));
  rest.remove_prefix(part.size());
  return part;
}

size_t take_length(std::string_view& rest) {
  uint32_t length = 0;
  const std::string_view bytes = take(rest, sizeof(length));
  std::memcpy(&length, bytes.data(), bytes.size());
  return length;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  if (size < 2 * sizeof(uint32_t)) return 0;
  const size_t config_bytes = take_length(rest);
  const size_t tokenizer_bytes = take_length(rest);
  auto config = smelt::parse_json_metadata(take(rest, config_bytes), "config.json");
  const std::string tokenizer(take(rest, tokenizer_bytes));
  auto tensors = smelt::parse_raw_safetensors(std::as_bytes(std::span(rest)), "model.safetensors");
  if (!config || !tensors) return 0;
  smelt::Checkpoint::Parts parts{.path = "fuzz",
                                 .format_name = "Hugging Face folder",
                                 .dialect = smelt::Dialect::hugging_face,
                                 .metadata = std::move(*config)};
  if (!smelt::is_accepted(smelt::packed::unpack(parts, std::move(*tensors)))) return 0;
  if (!tokenizer.empty()) parts.attachments.push_back({"tokenizer.json", tokenizer});
  smelt::use_checkpoint(std::move(parts));
  return 0;
}
