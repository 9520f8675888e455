#include "shrink/source_model.h"

namespace smelt {

Result<SourceModel> open_source_model(const std::string& path) {
  SMELT_ASSIGN(Checkpoint opened, Checkpoint::open(path));
  SourceModel out;
  out.checkpoint = std::make_shared<const Checkpoint>(std::move(opened));
  SMELT_ASSIGN(out.canonical, to_gguf_terms(out.checkpoint));
  SMELT_ASSIGN(out.loaded.model, Model::load(out.checkpoint, Compute::f32));
  SMELT_ASSIGN(out.loaded.tokenizer, load_tokenizer(*out.checkpoint));
  return out;
}

}  // namespace smelt
