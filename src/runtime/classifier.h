// Labels of texts, and of places in them, by an encoder with a head. Called by `smelt classify` and the public
// TextClassifier.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/compute.h"
#include "runtime/text_encoder.h"
#include "tokenizers/token_places.h"

namespace smelt {

struct LabelProbability {
  std::string label;
  float probability = 0;
};
// Bytes [begin, end) of a text; probability: the mean of its tokens'.
struct LabelledSpan {
  std::string label;
  size_t begin = 0, end = 0;
  float probability = 0;
};
struct TextLabels {
  std::vector<LabelProbability> labels;  // of the text, the most probable first
  std::vector<LabelledSpan> spans;       // of its tokens, in their order
};

// Neighbours of one kind become one span: "B-X" begins one, "I-X" (and X alone) goes on with one of X; "O" is none.
// labels: the most probable of each token; tokens with an empty place count as "O".
std::vector<LabelledSpan> merge_spans(std::span<const LabelProbability> labels, std::span<const TokenPlace> places);

class Classifier {
 public:
  struct Options {
    int n_threads = 0;  // 0: default_threads()
    Compute compute = Compute::int8;
  };
  // An encoder without a head is refused.
  static Result<Classifier> open(const std::string& path, const Options& options);

  // Probabilities are those of one label among all (softmax), or of each for itself where the model was trained so or
  // has only one (sigmoid). Longer texts are cut (noted).
  Result<std::vector<TextLabels>> classify(std::span<const std::string> texts, const CancelToken* cancel = nullptr);

  bool labels_tokens() const { return config().encoder->head == LabelHead::token; }
  const ModelConfig& config() const { return encoder_.encoder().config(); }

 private:
  Classifier(TextEncoder encoder, std::shared_ptr<const Tokenizer> tokenizer, int64_t max_tokens)
      : encoder_(std::move(encoder)), tokenizer_(std::move(tokenizer)), max_tokens_(max_tokens) {}
  std::vector<LabelProbability> label_rows(std::span<const float> rows, bool only_best);

  TextEncoder encoder_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  int64_t max_tokens_;
};

}  // namespace smelt
