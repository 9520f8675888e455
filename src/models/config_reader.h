// Hyper-parameters out of a checkpoint's metadata, each with its range. Called by the families' parse_config. Every
// error names key, place, value and what is allowed: "key 'llama.attention.head_count' at byte 98 is 0, allowed 1 …
// 65536".
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/metadata.h"
#include "base/result.h"

namespace smelt {

// Far above every published model, low enough that products of three stay inside 64 bits.
inline constexpr int64_t kMaxLayers = 512;
inline constexpr int64_t kMaxHeads = 65536;
inline constexpr int64_t kMaxHeadDim = 8192;
inline constexpr int64_t kMaxModelDim = 1 << 20;
inline constexpr int64_t kMaxFeedForward = 1 << 23;
inline constexpr int64_t kMaxVocab = 1 << 24;
inline constexpr int64_t kMaxContext = (int64_t{1} << 32) - 1;

struct CountRange {
  int64_t min = 1;
  int64_t max = 0;
};

Result<int64_t> read_count(const Metadata& metadata, const std::string& key, CountRange range);
Result<std::optional<int64_t>> find_count(const Metadata& metadata, const std::string& key, CountRange range);
// A finite number in [min, max], or `fallback` where the key is absent.
Result<float> read_float_or(const Metadata& metadata, const std::string& key, double min, double max, float fallback);

// "key 'KEY' at byte N is VALUE, WANTED".
Error bad_value(const Metadata& metadata, const std::string& key, const std::string& value, const std::string& wanted);
Error bad_count(const Metadata& metadata, const std::string& key, int64_t value, const std::string& wanted);
// Refuses a key that is present and true (or a string other than `only`), naming what is not supported.
Status refuse_if_true(const Metadata& metadata, const std::string& key, const std::string& feature);
Status require_string(const Metadata& metadata, const std::string& key, const std::string& only);

// For config.json: the double that prints as the float does, 1e-06 and not 9.999999974752427e-07.
MetaValue json_number(float value);

}  // namespace smelt
