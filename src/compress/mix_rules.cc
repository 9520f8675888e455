// The mixes as tables, and the few lines that read them. Facts from llama.cpp (src/llama-quant.cpp, MIT), see
// mix_rules.inc. Models with experts and the Falcon family have rules of their own there; no family of smelt needs
// them.
#include "compress/mix_rules.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <numeric>
#include <string>

namespace smelt {
namespace {

constexpr std::array kMixes = {
#define SMELT_MIX(id, name, base, file_type, description) MixInfo{Mix::id, name, DType::base, file_type, description},
#include "compress/mixes.inc"
#undef SMELT_MIX
};

enum class When : uint8_t { always, more_bits, first_2, first_4, first_eighth, first_sixteenth, gqa_4 };

struct Rule {
  Mix mix;
  TensorRole role;
  When when;
  DType type;
};

constexpr std::array kRules = {
#define SMELT_RULE(mix, role, when, type) Rule{Mix::mix, TensorRole::role, When::when, DType::type},
#include "compress/mix_rules.inc"
#undef SMELT_RULE
};

// Tensors that are never quantized although they may be matrices: small, and sensitive out of proportion.
constexpr std::array kKeptParts = {"_norm.weight",         "ffn_gate_inp.weight", "ffn_gate_inp_shexp.weight",
                                   "position_embd.weight", "token_types.weight",  "cls.",
                                   "ssm_conv1d.weight",    "attn_rel_b.weight"};

struct RolePart {
  std::string_view part;
  TensorRole role;
};
constexpr std::array kRoleParts = {
    RolePart{"attn_qkv.weight", TensorRole::attn_v}, RolePart{"attn_v.weight", TensorRole::attn_v},
    RolePart{"attn_output.weight", TensorRole::attn_output}, RolePart{"ffn_down", TensorRole::ffn_down}};

// 256-value super-blocks → a 32-value type of at least the same quality.
struct FallBack {
  DType from, to;
};
constexpr std::array kFallBacks = {FallBack{DType::q2_k, DType::q4_0},     FallBack{DType::q3_k, DType::q4_0},
                                   FallBack{DType::iq4_xs, DType::iq4_nl}, FallBack{DType::q4_k, DType::q5_0},
                                   FallBack{DType::q5_k, DType::q5_1},     FallBack{DType::q6_k, DType::q8_0}};

bool fits(DType type, int64_t columns) { return columns % dtype_info(type).block_values == 0; }

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

TensorRole find_role(std::string_view name, const Shape& shape, bool tied_head) {
  if (shape.rank < 2 || !name.ends_with("weight")) return TensorRole::kept;
  for (const char* part : kKeptParts) {
    if (contains(name, part)) return TensorRole::kept;
  }
  if (name == "output.weight") return TensorRole::head;
  if (name == "token_embd.weight") return tied_head ? TensorRole::head : TensorRole::embedding;
  for (const RolePart& entry : kRoleParts) {
    if (contains(name, entry.part)) return entry.role;
  }
  return TensorRole::matrix;
}

// The N of "blk.N.…", -1 for other names: these sort first, as in llama.cpp.
int64_t layer_of(std::string_view name) {
  if (!name.starts_with("blk.")) return -1;
  int64_t layer = -1;
  const char* end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data() + 4, end, layer);
  return parsed.ec == std::errc() && parsed.ptr != end && *parsed.ptr == '.' ? layer : -1;
}

bool holds(When when, const MixFacts& facts, const RoledTensor& tensor) {
  const int64_t i = tensor.ordinal;
  const int64_t n = tensor.role == TensorRole::attn_v ? facts.n_attn_v : facts.n_layers;
  switch (when) {
    case When::always:
      return true;
    case When::first_2:
      return i < 2;
    case When::first_4:
      return i < 4;
    case When::first_eighth:
      return i < n / 8;
    case When::first_sixteenth:
      return i < n / 16;
    case When::gqa_4:
      return facts.group_size >= 4;
    // The first and last eighth, and every third layer between: early and late errors cost most.
    case When::more_bits:
      return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
  }
  return false;
}

// The head decides the logits directly: 6 bits whatever the mix, 8 where the base's blocks do not fit.
DType head_type(DType base, int64_t columns) {
  if (!is_quantized(base)) return base;
  if (base == DType::q8_0 || !fits(base, columns)) return DType::q8_0;
  return DType::q6_k;
}

}  // namespace

std::span<const MixInfo> all_mixes() { return kMixes; }

std::optional<MixInfo> find_mix(std::string_view name) {
  std::string upper(name);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  if (upper == "Q3_K" || upper == "Q4_K" || upper == "Q5_K") upper += "_M";
  for (const MixInfo& mix : kMixes) {
    if (upper == mix.name) return mix;
  }
  return std::nullopt;
}

RoledModel assign_roles(const CanonicalModel& model) {
  RoledModel out;
  const auto is_head = [](const CanonicalTensor& t) { return t.name == "output.weight"; };
  const bool tied = std::none_of(model.tensors.begin(), model.tensors.end(), is_head);
  for (const CanonicalTensor& t : model.tensors) out.tensors.push_back({find_role(t.name, t.shape, tied), 0});

  std::vector<size_t> by_layer(model.tensors.size());
  std::iota(by_layer.begin(), by_layer.end(), size_t{0});
  std::stable_sort(by_layer.begin(), by_layer.end(), [&](size_t a, size_t b) {
    const std::string &name_a = model.tensors[a].name, &name_b = model.tensors[b].name;
    const int64_t layer_a = layer_of(name_a), layer_b = layer_of(name_b);
    return layer_a != layer_b ? layer_a < layer_b : name_a < name_b;
  });
  std::map<TensorRole, int64_t> counts;
  for (const size_t i : by_layer) out.tensors[i].ordinal = counts[out.tensors[i].role]++;

  const ModelConfig& config = model.config;
  out.facts.n_layers = config.n_layers;
  out.facts.n_attn_v = counts[TensorRole::attn_v];
  out.facts.group_size = config.n_kv_heads > 0 ? config.n_heads / config.n_kv_heads : 1;
  out.facts.wide_sharing = config.n_layers == 80 && config.n_heads != config.n_kv_heads;
  return out;
}

DType mix_type(const MixInfo& mix, const MixFacts& facts, const RoledTensor& tensor, int64_t columns) {
  if (tensor.role == TensorRole::head) return head_type(mix.base, columns);
  DType type = mix.base;
  for (const Rule& rule : kRules) {
    if (rule.mix != mix.mix || rule.role != tensor.role || !holds(rule.when, facts, tensor)) continue;
    type = rule.type;
    break;
  }
  const bool below_5_bits = type == DType::q3_k || type == DType::q4_k;
  if (tensor.role == TensorRole::attn_v && facts.wide_sharing && below_5_bits) return DType::q5_k;
  return type;
}

DType fitting_type(DType wanted, int64_t columns) {
  if (fits(wanted, columns)) return wanted;
  for (const FallBack& entry : kFallBacks) {
    if (entry.from == wanted && fits(entry.to, columns)) return entry.to;
  }
  return DType::f16;
}

}  // namespace smelt
