// Windows of all layers, and of some beside others that see everything, in both dialects. Called by the families that
// have them.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "models/config_reader.h"
#include "models/decoder.h"

namespace smelt {
namespace {

void set_pattern(int64_t window, int64_t pattern, ModelConfig& c) {
  c.layers.resize(static_cast<size_t>(c.n_layers));
  for (size_t l = 0; l < c.layers.size(); ++l) {
    const bool slides = pattern > 0 && (static_cast<int64_t>(l) + 1) % pattern != 0;
    c.layers[l].window = slides ? window : 0;
  }
}

bool has_pattern(const ModelConfig& c, int64_t pattern) {
  ModelConfig other;
  other.n_layers = c.n_layers;
  set_pattern(1, pattern, other);
  for (size_t l = 0; l < c.layers.size(); ++l) {
    if ((c.layers[l].window > 0) != (other.layers[l].window > 0)) return false;
  }
  return true;
}

Status check_length(const Metadata& metadata, const std::string& key, size_t n, int64_t n_layers) {
  if (static_cast<int64_t>(n) == n_layers) return {};
  return bad_value(metadata, key, fmt::format("of {} layers", n), fmt::format("but the model has {}", n_layers));
}

// Sessions plan their caches by the window that all layers share.
void note_common_window(ModelConfig& c) {
  c.window = c.layers.empty() ? 0 : c.layers.front().window;
  for (const LayerConfig& layer : c.layers) {
    if (layer.window != c.window) c.window = 0;
  }
}

bool is_array(const Metadata& metadata, const std::string& key) {
  const MetaValue* value = metadata.find(key);
  return value != nullptr && value->type == MetaType::array;
}

}  // namespace

Status read_window(const Metadata& metadata, ModelConfig& c) {
  SMELT_ASSIGN(const auto window, find_count(metadata, "sliding_window", {0, kMaxContext}));
  c.window = window.value_or(0);
  return {};
}

void add_window(const ModelConfig& c, Metadata& metadata) {
  if (c.window > 0) metadata.set("sliding_window", MetaValue::of_i64(c.window));
}

Status read_layer_types(const Metadata& metadata, int64_t window, int64_t pattern, ModelConfig& c) {
  set_pattern(window, pattern, c);
  SMELT_ASSIGN(const std::vector<std::string>* types, metadata.find_strings("layer_types"));
  if (types != nullptr) {
    SMELT_TRY(check_length(metadata, "layer_types", types->size(), c.n_layers));
    for (size_t l = 0; l < types->size(); ++l) {
      const std::string& type = (*types)[l];
      if (type != "full_attention" && type != "sliding_attention") {
        return bad_value(metadata, "layer_types", fmt::format("'{}' for a layer", escape_for_display(type)),
                         "supported: 'full_attention', 'sliding_attention'");
      }
      c.layers[l].window = type == "sliding_attention" ? window : 0;
    }
  }
  note_common_window(c);
  return {};
}

Status read_window_pattern(const Metadata& metadata, int64_t window, int64_t pattern, ModelConfig& c) {
  const std::string key = c.architecture + ".attention.sliding_window_pattern";
  if (is_array(metadata, key)) {
    SMELT_ASSIGN(const auto found, metadata.find_ints(key));
    const std::vector<int64_t> flags = found.value_or(std::vector<int64_t>());
    SMELT_TRY(check_length(metadata, key, flags.size(), c.n_layers));
    set_pattern(0, 0, c);
    for (size_t l = 0; l < flags.size(); ++l) c.layers[l].window = flags[l] != 0 ? window : 0;
  } else {
    SMELT_ASSIGN(const auto every, find_count(metadata, key, {0, kMaxLayers}));
    set_pattern(window, every.value_or(pattern), c);
  }
  note_common_window(c);
  return {};
}

void add_window_pattern(const ModelConfig& c, int64_t pattern, const std::string& prefix, Metadata& metadata) {
  int64_t window = 0;
  for (const LayerConfig& layer : c.layers) window = std::max(window, layer.window);
  if (window == 0) return;
  metadata.set(prefix + "attention.sliding_window", MetaValue::of_u32(static_cast<uint32_t>(window)));
  if (has_pattern(c, pattern)) return;
  std::vector<uint64_t> flags;
  for (const LayerConfig& layer : c.layers) flags.push_back(layer.window > 0 ? 1 : 0);
  metadata.set(prefix + "attention.sliding_window_pattern",
               {MetaType::array, MetaArray{MetaType::boolean, std::move(flags)}});
}

void add_layer_types(const ModelConfig& c, Metadata& metadata) {
  int64_t window = 0;
  std::vector<std::string> types;
  for (const LayerConfig& layer : c.layers) {
    window = std::max(window, layer.window);
    types.emplace_back(layer.window > 0 ? "sliding_attention" : "full_attention");
  }
  metadata.set("layer_types", MetaValue::of_strings(std::move(types)));
  if (window > 0) metadata.set("sliding_window", MetaValue::of_i64(window));
}

}  // namespace smelt
