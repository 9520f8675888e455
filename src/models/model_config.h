// Hyper-parameters of a decoder-only model or an encoder, checked: every field is in range and consistent with the
// others.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/rope/rope.h"

namespace smelt {

enum class NormKind : uint8_t {
  rms,    // x / sqrt(mean(x^2) + eps) * weight
  layer,  // the same of x - mean(x), and a bias (Ba et al., arXiv 1607.06450)
};

enum class Activation : uint8_t { silu, gelu_tanh, gelu_erf, relu_squared, relu };

// What a norm of queries and keys takes at once, where there is one.
enum class QkNorm : uint8_t { heads, rows };

// In what the layers of one model differ.
struct LayerConfig {
  int64_t window = 0;       // positions up to its own that a token sees, itself included; 0: all before it
  bool rotates = true;      // false: no positions at all (Kazemnejad et al., arXiv 2305.19466)
  bool local_rope = false;  // rotates by ModelConfig::local_inv_freq
};

// Selective state-space layers in place of attention and feed-forward (Mamba-2: Dao & Gu, arXiv 2405.21060), with
// n_heads heads of d_head values, d_inner together.
struct SsmConfig {
  int64_t d_state = 0;   // values of the state for each value of a head; 0: no such layers
  int64_t n_groups = 0;  // of heads that share what they read from and write to the state
  int64_t n_taps = 0;    // of the convolution before it
  int64_t d_inner = 0;

  bool exists() const { return d_state > 0; }
  int64_t d_conv() const { return d_inner + 2 * n_groups * d_state; }  // channels of the convolution
};

// An encoder before the decoder (Raffel et al., arXiv 1910.10683), as wide as it.
struct SourceEncoderConfig {
  int64_t n_layers = 0;     // 0: there is none
  int64_t n_buckets = 0;    // of relative positions; each has a bias of its own for every head
  int32_t start_token = 0;  // that the decoder begins with

  bool exists() const { return n_layers > 0; }
};

// How the rows of a text's tokens become one.
enum class Pooling : uint8_t {
  cls,   // the first
  mean,  // of all
  last,
};

// What stands behind the layers of an encoder.
enum class LabelHead : uint8_t {
  none,
  text,   // labels of a whole text
  token,  // labels of each token
};
enum class HeadActivation : uint8_t { tanh, relu, gelu_erf };

// What encoders have besides (models/encoder.h). Their layers see all tokens of a text, or, where they have a window,
// those at most window - 1 before or after.
struct EncoderConfig {
  int64_t n_token_types = 0;        // 0: none; all tokens are of the first type
  int64_t n_skipped_positions = 0;  // rows of Hugging Face's table of positions before that of the first token
  LabelHead head = LabelHead::none;
  Pooling head_pooling = Pooling::cls;
  HeadActivation head_activation = HeadActivation::tanh;
  bool multi_label = false;         // each label for itself, not one of all
  std::vector<std::string> labels;  // of the head
};

struct ModelConfig {
  std::string family;        // "llama"
  std::string architecture;  // as in the file: "llama", "LlamaForCausalLM"
  std::string name;          // general.name or the folder's name
  // n_kv_heads 0: no attention, or a kind that keeps its keys and values itself.
  int64_t n_layers = 0, d_model = 0, n_heads = 0, n_kv_heads = 0, d_head = 0, d_ff = 0, n_vocab = 0;
  int64_t n_ctx_train = 0;
  int64_t window = 0;               // of every layer; 0 where a layer has none or another
  std::vector<LayerConfig> layers;  // [n_layers]
  bool tied_head = false;
  std::optional<EncoderConfig> encoder;

  SsmConfig ssm;
  SourceEncoderConfig source_encoder;

  NormKind norm = NormKind::rms;
  QkNorm qk_norm = QkNorm::heads;
  bool plain_norms = false;  // those before attention, feed-forward and head have neither weight nor bias
  float norm_eps = 1e-5F;
  Activation activation = Activation::silu;
  bool gated = true;  // feed-forward: down(activation(gate x) * up x), else down(activation(up x))
  // Mixtures: each token's feed-forward is n_experts_used of n_experts (Shazeer et al., arXiv 1701.06538), of width
  // d_ff_expert, and one that all tokens share, of width d_ff_shared.
  int64_t n_experts = 0, n_experts_used = 0, d_ff_expert = 0, d_ff_shared = 0;
  bool norm_expert_weights = true;  // those of the experts used sum up to one
  bool parallel_residual = false;   // both halves of a layer read the same x

  float embedding_scale = 1, residual_scale = 1, logit_scale = 1;  // multiplied
  float attention_scale = 0;                                       // of queries times keys; 0: 1/sqrt(d_head)
  float attention_cap = 0, logit_cap = 0;                          // cap * tanh(x / cap); 0: none
  float qkv_clamp = 0;                                             // queries, keys and values stay in ±clamp; 0: none

  bool learned_positions = false;  // a table added to the embedding, n_ctx_train rows
  RopeLayout rope_layout = RopeLayout::interleaved;
  int64_t n_rope = 0;  // rotated values per head; 0: none
  float rope_base = 10000.0F;
  float rope_magnitude = 1;           // of rotated values (YaRN, LongRoPE)
  std::vector<float> inv_freq;        // [n_rope/2], scaling already applied
  std::vector<float> local_inv_freq;  // the same for layers with local_rope, unscaled
  float ntk_factor = 0;  // by which the base grows in sessions with room for more than n_ctx_train; 0: it does not
  // Sessions with room for more than n_ctx_short positions rotate by these (LongRoPE). Empty: always by inv_freq.
  std::vector<float> long_inv_freq;
  int64_t n_ctx_short = 0;
};

}  // namespace smelt
