// The shapes of shapes.inc as canonical models without data: metadata, a vocabulary that spells bytes, tensors by name.
// Called by random_model.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "models/canonical.h"

namespace smelt {

enum class RandomArchitecture : uint8_t { llama, qwen2 };

struct RandomShape {
  const char* name;
  RandomArchitecture architecture;
  int64_t n_layers, d_model, n_heads, n_kv_heads, d_head, d_ff, n_vocab, n_ctx;
  float rope_base;
  float rope_factor;  // of Llama 3's scaling of rotary frequencies; 0: none
  float rms_norm_eps;
  bool tied_head;
};

std::span<const RandomShape> all_random_shapes();
std::optional<RandomShape> find_random_shape(std::string_view name);  // case-insensitive

// Tensors are declared as F32 and hold no bytes.
CanonicalModel make_shape_model(const RandomShape& shape);

}  // namespace smelt
