// An immutable model: configuration + views of its weights in a mapped checkpoint, shared by any number of sessions.
// One file per family implements it (llama.cc); models.cc lists them.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "formats/checkpoint.h"
#include "kernels/attention/attention.h"
#include "models/compute.h"
#include "models/model_config.h"
#include "tokenizers/tokenizer.h"

namespace smelt {

// The new tokens of one sequence in a pass.
struct SequenceSlice {
  int64_t n_tokens = 0;
  int64_t position = 0;              // tokens already in the cache
  std::span<const KvLayer> kv = {};  // n_layers, each with room for position + n_tokens rows; none without attention
  float* state = nullptr;            // the model's sequence_memory; at position 0 a recurrent state begins anew
  int64_t capacity = 0;              // tokens that it was planned for
  int64_t n_source = 0;              // tokens that were encoded into it
  int64_t n_logits = 1;              // wanted for the last so many of them: 0 … n_tokens
};

enum class PassKind : uint8_t {
  // One sequence's part of a prompt. Long parts go to faster kernels, whose results differ in the last bits.
  prefill,
  // Any number of sequences, a few tokens each (at most kFewAttentionTokens): writing, and checking a draft. A token's
  // logits depend on the sequence before it only, bit for bit: not on what else is in the pass.
  decode,
};

// All memory belongs to the caller (runtime/).
struct ForwardArgs {
  PassKind kind = PassKind::decode;
  std::span<const TokenId> tokens;  // of all slices, one after another; every id in [0, n_vocab)
  std::span<const SequenceSlice> slices;
  float* workspace = nullptr;  // workspace_floats(m_max, capacity, threads)
  float* logits = nullptr;     // [sum of n_logits][n_vocab], in the order of the slices
  float* hidden = nullptr;     // if given, in place of logits: [sum of n_logits][d_model], after the last norm
};

struct SequenceMemory {
  int64_t floats = 0;  // 0: none
  // A pass replaces the state at its position by that after it. Otherwise positions can be written again.
  bool is_recurrent = false;
};

struct EncodeArgs {
  std::span<const TokenId> tokens;  // 1 … capacity
  float* state = nullptr;           // the model's sequence_memory(capacity)
  int64_t capacity = 0;
  float* workspace = nullptr;  // workspace_floats(1, capacity, threads)
};

class Model {
 public:
  virtual ~Model() = default;
  // Recognises the family, parses the configuration, binds and checks every tensor. An unknown architecture is refused
  // by name with the list of those known.
  static Result<std::shared_ptr<const Model>> load(std::shared_ptr<const Checkpoint> checkpoint,
                                                   Compute compute = Compute::f32);

  // To see whether it is well-formed: as load, but weights that another tool packed are not decoded.
  static Result<std::shared_ptr<const Model>> load_for_checks(const Checkpoint& checkpoint);

  const ModelConfig& config() const { return config_; }
  const Checkpoint& checkpoint() const { return *checkpoint_; }

  // Allocates nothing.
  virtual void forward(const ForwardArgs& args, ThreadPool& threads) const = 0;
  // m_max: tokens of a pass; capacity: positions of the longest sequence, the pass included.
  virtual int64_t workspace_floats(int64_t m_max, int64_t capacity, int n_threads) const = 0;
  // Of a sequence of `capacity` tokens, besides its KV cache.
  virtual SequenceMemory sequence_memory(int64_t /*capacity*/) const { return {}; }
  // Models with an encoder (config().source_encoder): computes what all later passes of the sequence read of the
  // source.
  virtual void encode(const EncodeArgs& args, ThreadPool& threads) const;

 protected:
  Model(ModelConfig config, std::shared_ptr<const Checkpoint> checkpoint)
      : config_(std::move(config)), checkpoint_(std::move(checkpoint)) {}
  ModelConfig config_;
  std::shared_ptr<const Checkpoint> checkpoint_;
};

// Loads what the checkpoint holds, of whatever kind: nothing is written from a model that could not be run.
Result<ModelConfig> check_model(const std::shared_ptr<const Checkpoint>& checkpoint);
// The configuration alone, without needing tensors to be there (for inspect).
Result<ModelConfig> parse_model_config(const Checkpoint& checkpoint);

// The vocabulary from wherever the checkpoint keeps it (GGUF keys, tokenizer.json, tokenizer.model, tokenizer.bin),
// with special ids and end tokens of tokenizer_config.json / generation_config.json / config.json taken into account.
Result<Vocab> load_vocab(const Checkpoint& checkpoint);
// load_vocab + make_tokenizer, with the vocabulary's size checked against the embedding's rows.
Result<std::shared_ptr<const Tokenizer>> load_tokenizer(const Checkpoint& checkpoint);

}  // namespace smelt
