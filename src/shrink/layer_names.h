// Which layer a tensor belongs to, by GGUF's names: "blk.3.attn_q.weight" is of layer 3.
#pragma once

#include <charconv>
#include <cstdint>
#include <string_view>

namespace smelt {

// -1: of no layer (embedding, head, norms after the layers).
inline int64_t layer_of(std::string_view name) {
  constexpr std::string_view kPrefix = "blk.";
  if (!name.starts_with(kPrefix)) return -1;
  int64_t layer = -1;
  const auto [end, code] = std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), layer);
  return code == std::errc() && end != name.data() + name.size() && *end == '.' ? layer : -1;
}

// "ffn_down" of "blk.3.ffn_down.weight"; "output" of "output.weight": tensors of one kind lose alike.
inline std::string_view kind_of(std::string_view name) {
  if (layer_of(name) >= 0) name.remove_prefix(name.find('.', 4) + 1);
  return name.substr(0, name.find('.'));
}

}  // namespace smelt
