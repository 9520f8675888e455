// What the fuzz targets of this folder do with a checkpoint, whatever is in it: load it, translate it, and run one
// pass.
#pragma once

#include <cstdlib>
#include <string>

#include "models/canonical.h"
#include "models/model.h"
#include "models/test_forward.h"

namespace smelt {

inline void check_fuzzed(bool holds) {
  if (!holds) std::abort();
}

// Every refusal is one line.
template <class T>
bool is_accepted(const Result<T>& result) {
  if (!result) check_fuzzed(result.error().message.find('\n') == std::string::npos);
  return result.has_value();
}

inline void use_checkpoint(Checkpoint::Parts parts) {
  constexpr int64_t kMaxFloats = 1 << 22;  // of the workspace: larger ones would only cost time here
  const auto checkpoint = std::make_shared<const Checkpoint>(std::move(parts));
  const auto tokenizer = load_tokenizer(*checkpoint);
  if (is_accepted(tokenizer)) {
    for (const TokenId id : (*tokenizer)->encode("Once, a\xff \xf0\x9f\xa6\x8a 12", {.add_special = true})) {
      check_fuzzed(id >= 0 && id < (*tokenizer)->n_vocab());
    }
  }
  const auto model = Model::load(checkpoint);
  if (!is_accepted(model)) return;
  is_accepted(to_gguf_terms(checkpoint));
  is_accepted(to_hugging_face_terms(checkpoint));
  const ModelConfig& c = (*model)->config();
  if ((*model)->workspace_floats(4, 4, 1) > kMaxFloats || c.n_layers * c.n_kv_heads * c.d_head > kMaxFloats) return;
  const TokenId tokens[] = {0, static_cast<TokenId>(c.n_vocab - 1)};
  TestRun(*model, 4, 1).append(tokens, 1);
}

}  // namespace smelt
