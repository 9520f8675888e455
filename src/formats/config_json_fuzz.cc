// Fuzz target of parse_json_metadata (config.json, the shard index, tokenizer_config.json): any text gives metadata or
// an error, and what was read is the same after it is formatted and read again.
#include <cstdlib>

#include "formats/hf_folder.h"

namespace {

constexpr size_t kMaxKeys = 500;  // formatting looks keys up one by one

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto metadata = smelt::parse_json_metadata(text, "config.json");
  if (!metadata) return metadata.error().message.find('\n') == std::string::npos ? 0 : (std::abort(), 0);
  if (metadata->entries().size() > kMaxKeys) return 0;
  const std::string formatted = smelt::format_json_metadata(*metadata);
  const auto again = smelt::parse_json_metadata(formatted, "again.json");
  if (!again || again->entries().size() != metadata->entries().size()) std::abort();
  for (const auto& [key, value] : metadata->entries()) {
    const smelt::MetaValue* other = again->find(key);
    if (other == nullptr || other->type != value.type) std::abort();
  }
  if (smelt::format_json_metadata(*again) != formatted) std::abort();
  return 0;
}
