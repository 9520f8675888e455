// smelt/model.h: opening, and the figures of a model.
#include "smelt/model.h"

#include "api/guard.h"
#include "api/handles.h"

namespace smelt {
namespace {

TextModelInfo describe(const Model& model) {
  const ModelConfig& c = model.config();
  TextModelInfo info{.path = model.checkpoint().path(),
                     .format = model.checkpoint().format_name(),
                     .architecture = c.architecture,
                     .name = c.name,
                     .n_layers = c.n_layers,
                     .d_model = c.d_model,
                     .n_heads = c.n_heads,
                     .n_kv_heads = c.n_kv_heads,
                     .d_head = c.d_head,
                     .d_ff = c.d_ff,
                     .n_vocab = c.n_vocab,
                     .n_ctx_train = c.n_ctx_train};
  for (const TensorEntry& tensor : model.checkpoint().tensors()) {
    info.n_weights += static_cast<uint64_t>(tensor.view.shape.values());
    info.weights_bytes += tensor.view.bytes.size();
  }
  return info;
}

}  // namespace

TextModel::TextModel(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

Result<TextModel> TextModel::open(const std::string& path) {
  return guarded([&]() -> Result<TextModel> {
    SMELT_ASSIGN(LoadedModel loaded, load_model(path));
    TextModelInfo info = describe(*loaded.model);
    return TextModel(std::make_shared<const Impl>(Impl{std::move(loaded), std::move(info)}));
  });
}

const TextModelInfo& TextModel::info() const { return impl_->info; }

TextTokenizer TextModel::tokenizer() const {
  return TextTokenizer(std::make_shared<const TextTokenizer::Impl>(TextTokenizer::Impl{impl_->loaded.tokenizer}));
}

}  // namespace smelt
