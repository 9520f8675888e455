// Which type each tensor of a model gets under a mix ("Q4_K_M"), before overrides: pure functions of names, shapes and
// the model's head counts. Called by quantize_plan.cc. Tables: mixes.inc, mix_rules.inc, and the fall-backs in the .cc.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "models/canonical.h"
#include "tensor/dtype.h"

namespace smelt {

enum class Mix : uint8_t {
#define SMELT_MIX(id, name, base, file_type, description) id,
#include "compress/mixes.inc"
#undef SMELT_MIX
};

struct MixInfo {
  Mix mix;
  const char* name;
  DType base;
  uint32_t file_type;  // general.file_type
  const char* description;
};

std::span<const MixInfo> all_mixes();
// Case-insensitive; Q3_K, Q4_K and Q5_K mean their _M form, as in llama.cpp's tools.
std::optional<MixInfo> find_mix(std::string_view name);

// What a tensor is for, as far as the mixes care. `kept` is never quantized: vectors, norms, biases, routing tables.
enum class TensorRole : uint8_t { kept, head, embedding, attn_v, attn_output, ffn_down, matrix };

struct RoledTensor {
  TensorRole role = TensorRole::matrix;
  int64_t ordinal = 0;  // among the tensors of its role, counted by layer
};

// What the rules ask about the model.
struct MixFacts {
  int64_t n_layers = 0;
  int64_t n_attn_v = 0;       // tensors of that role
  int64_t group_size = 1;     // query heads per KV head
  bool wide_sharing = false;  // 80 layers with grouped heads: attn_v is small enough to deserve 5 bits
};

struct RoledModel {
  std::vector<RoledTensor> tensors;  // as CanonicalModel::tensors
  MixFacts facts;
};

// The output head is "output.weight", or the token embedding where that is missing (tied).
RoledModel assign_roles(const CanonicalModel& model);

// The mix's type for a quantizable tensor with rows of `columns` values, whether or not the rows fit its blocks.
DType mix_type(const MixInfo& mix, const MixFacts& facts, const RoledTensor& tensor, int64_t columns);

// `wanted`, or the type that takes its place when rows of `columns` values are not whole blocks of it.
DType fitting_type(DType wanted, int64_t columns);

}  // namespace smelt
