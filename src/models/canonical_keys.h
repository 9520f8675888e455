// Translation of a checkpoint's metadata between GGUF's and Hugging Face's terms, and the names of smelt's own GGUF
// keys for what GGUF has no key for. Called by canonical.cc and vocab.cc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/metadata.h"
#include "base/result.h"
#include "formats/checkpoint.h"
#include "models/family.h"
#include "models/rope_config.h"

namespace smelt {

// All ids that end a generation, where there are more than GGUF's own keys hold.
inline constexpr const char* kEosIdsKey = "smelt.eos_token_ids";
// Small text files of a Hugging Face folder: "smelt.attachment.LICENSE".
inline constexpr const char* kAttachmentPrefix = "smelt.attachment.";
// Of the small files of a folder those that travel through GGUF, and that come out of it: no others, whatever a file
// says.
bool is_kept_attachment(std::string_view name);
// llama3 scaling, whose result GGUF keeps in the tensor rope_freqs.weight, and dynamic scaling, which GGUF does not
// know: "smelt.rope_scaling.factor", …
inline constexpr const char* kRopeScalingPrefix = "smelt.rope_scaling.";
// Fields of config.json that GGUF has no key for: "smelt.config.initializer_range".
inline constexpr const char* kConfigPrefix = "smelt.config.";
// In a Hugging Face folder: the GGUF keys that its other files do not give back.
inline constexpr const char* kMetadataFile = "smelt_metadata.json";

// Whether load_vocab would find a tokenizer.
bool has_vocab(const Checkpoint& checkpoint);

// Whether hf_files makes this field of config.json from GGUF's own keys and tensors; others travel with kConfigPrefix.
bool is_translated_config_key(std::string_view key, const ModelFamily& family);

// The GGUF key-value section for a checkpoint of either dialect, tokenizer included, general.file_type and split.* not.
Result<Metadata> gguf_metadata(const Checkpoint& checkpoint, const ModelFamily& family, const ModelConfig& config);

struct HfFiles {
  Metadata config;  // config.json
  std::vector<Attachment> attachments;
};
// The small files of a Hugging Face folder for a GGUF checkpoint, kMetadataFile included.
Result<HfFiles> hf_files(const Checkpoint& checkpoint, const ModelFamily& family, const ModelConfig& config);

// Typed metadata as JSON and back: {"keys": [all in order], "values": {key: {"type", "value"}}}. parse takes the values
// of keys that are not in "values" from `base`; keys not listed are left out.
std::string format_metadata_json(const Metadata& metadata, const Metadata& base);
Result<Metadata> parse_metadata_json(const std::string& json, const Metadata& base);

}  // namespace smelt
