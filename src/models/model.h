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

// One pass over m new tokens of one sequence. All memory belongs to the caller (a runtime Session).
struct ForwardArgs {
  std::span<const TokenId> tokens;  // m, every id in [0, n_vocab)
  int64_t position = 0;             // tokens already in the cache
  std::span<KvLayer> kv;            // n_layers; each has room for position + m rows
  float* workspace = nullptr;       // workspace_floats(m_max, capacity, threads)
  float* logits = nullptr;          // [n_logits][n_vocab]: for the last n_logits of the m tokens
  int64_t n_logits = 1;             // 0 … m
};

class Model {
 public:
  virtual ~Model() = default;
  // Recognises the family, parses the configuration, binds and checks every tensor. An unknown architecture is refused
  // by name with the list of those known.
  static Result<std::shared_ptr<const Model>> load(std::shared_ptr<const Checkpoint> checkpoint,
                                                   Compute compute = Compute::f32);

  const ModelConfig& config() const { return config_; }
  const Checkpoint& checkpoint() const { return *checkpoint_; }

  // Allocates nothing.
  virtual void forward(const ForwardArgs& args, ThreadPool& threads) const = 0;
  virtual int64_t workspace_floats(int64_t m_max, int64_t capacity, int n_threads) const = 0;

 protected:
  Model(ModelConfig config, std::shared_ptr<const Checkpoint> checkpoint)
      : config_(std::move(config)), checkpoint_(std::move(checkpoint)) {}
  ModelConfig config_;
  std::shared_ptr<const Checkpoint> checkpoint_;
};

// The configuration alone, without needing tensors to be there (for inspect).
Result<ModelConfig> parse_model_config(const Checkpoint& checkpoint);

// The vocabulary from wherever the checkpoint keeps it (GGUF keys, tokenizer.json, tokenizer.model, tokenizer.bin),
// with special ids and end tokens of tokenizer_config.json / generation_config.json / config.json taken into account.
Result<Vocab> load_vocab(const Checkpoint& checkpoint);
// load_vocab + make_tokenizer, with the vocabulary's size checked against the embedding's rows.
Result<std::shared_ptr<const Tokenizer>> load_tokenizer(const Checkpoint& checkpoint);

}  // namespace smelt
