// An immutable encoder: texts to a row for each of their tokens, which all see each other (Devlin et al., arXiv
// 1810.04805), and labels of these rows where the model has a head. Shared by any number of users; runtime/ pools rows
// and names labels. Families of encoders make it by layers/encoder.cc.
#pragma once

#include <memory>
#include <span>

#include "base/result.h"
#include "base/thread_pool.h"
#include "formats/checkpoint.h"
#include "models/compute.h"
#include "models/model_config.h"
#include "tokenizers/vocab.h"

namespace smelt {

// The texts of one pass. All memory belongs to the caller.
struct EncoderArgs {
  std::span<const TokenId> tokens;   // of all texts, one after another; every id in [0, n_vocab)
  std::span<const int64_t> lengths;  // tokens of each text: 1 … n_ctx_train
  float* workspace = nullptr;        // workspace_floats
  float* hidden = nullptr;           // [tokens][d_model], after the last norm
};

struct EncoderLimits {
  int64_t n_tokens = 0;  // of a pass
  int64_t n_texts = 0;   // of a pass
  int64_t longest = 0;   // tokens of a text
  int n_threads = 1;
};

class Encoder {
 public:
  virtual ~Encoder() = default;
  // As Model::load. Models that write text are refused.
  static Result<std::shared_ptr<const Encoder>> load(std::shared_ptr<const Checkpoint> checkpoint,
                                                     Compute compute = Compute::f32);

  const ModelConfig& config() const { return config_; }
  const EncoderConfig& encoder_config() const { return *config_.encoder; }
  const Checkpoint& checkpoint() const { return *checkpoint_; }

  // Allocates nothing. A text's rows do not depend on what else is in the pass, bit for bit.
  virtual void forward(const EncoderArgs& args, ThreadPool& threads) const = 0;
  virtual int64_t workspace_floats(const EncoderLimits& limits) const = 0;

  // The head, for models that have one: rows [m][d_model], of texts (head_pooling) or of tokens, to logits
  // [m][n_labels].
  virtual void label_rows(std::span<const float> rows, std::span<float> logits, ThreadPool& threads) const = 0;

 protected:
  Encoder(ModelConfig config, std::shared_ptr<const Checkpoint> checkpoint)
      : config_(std::move(config)), checkpoint_(std::move(checkpoint)) {}
  ModelConfig config_;
  std::shared_ptr<const Checkpoint> checkpoint_;
};

}  // namespace smelt
