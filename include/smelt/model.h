// A text model opened for use: what everything else in this library works on.
//
//   smelt::Result<smelt::TextModel> model = smelt::TextModel::open("model.gguf");
//   if (!model) return fail(model.error().message);
//
// Errors of the whole library are one line for the user, of kind input or usage (smelt/result.h). No function prints or
// ends the program. None throws, but for std::bad_alloc where no Result is returned; functions given by the caller must
// not throw either.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "smelt/result.h"

namespace smelt {

class TextTokenizer;

struct TextModelInfo {
  std::string path{};
  std::string format{};        // "GGUF v3", "Hugging Face folder", "llama2.c"
  std::string architecture{};  // as the file calls it: "llama", "LlamaForCausalLM"
  std::string name{};          // the file's own, or that of the file or folder
  int64_t n_layers = 0, d_model = 0, n_heads = 0, n_kv_heads = 0, d_head = 0, d_ff = 0, n_vocab = 0;
  int64_t n_ctx_train = 0;     // tokens of context the model was trained for
  uint64_t n_weights = 0;      // values in all tensors
  uint64_t weights_bytes = 0;  // that they take
};

// A handle: copies share one immutable model. Any number of threads may use it at the same time. Weights stay in the
// mapped file, which must not be changed while a copy lives.
class TextModel {
 public:
  // Opens a GGUF file (split ones by their first part), a Hugging Face folder (config.json, *.safetensors, tokenizer)
  // or a llama2.c checkpoint with its tokenizer.bin beside it. The kind is told by content. Everything is checked here;
  // errors name file, field and offset.
  static Result<TextModel> open(const std::string& path);

  const TextModelInfo& info() const;
  TextTokenizer tokenizer() const;

  struct Impl;  // of the library's own sources
  explicit TextModel(std::shared_ptr<const Impl> impl);
  const Impl& impl() const { return *impl_; }

 private:
  std::shared_ptr<const Impl> impl_;
};

}  // namespace smelt
