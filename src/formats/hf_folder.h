// A Hugging Face model folder: config.json, model.safetensors or shards with model.safetensors.index.json, tokenizer
// files. pytorch_model.bin is refused with advice. Nothing outside the folder is opened (shard names are checked).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/metadata.h"
#include "base/result.h"
#include "formats/checkpoint.h"

namespace smelt {

Result<Checkpoint> open_hf_folder(const std::string& path);

// Flattens a JSON object to Metadata with dots; fuzz target for config.json. Errors give line:column. Depth is limited,
// duplicate keys are refused. Arrays of objects, mixed and empty arrays are dropped (their
// key is then absent), nulls too.
Result<Metadata> parse_json_metadata(std::string_view json, const std::string& file_name);
// The inverse for flat and dotted keys: pretty-printed, keys in order.
std::string format_json_metadata(const Metadata& metadata);

}  // namespace smelt
