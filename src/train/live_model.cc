#include "train/live_model.h"

#include "compress/hf_output.h"
#include "models/canonical.h"

namespace smelt {

void LiveModel::attach(const std::string& name, std::string bytes) {
  std::erase_if(attachments, [&](const Attachment& attachment) { return attachment.name == name; });
  attachments.push_back({name, std::move(bytes)});
}

std::shared_ptr<const Checkpoint> LiveModel::checkpoint() const {
  Checkpoint::Parts parts{.path = "model in training",
                          .format_name = "in memory",
                          .dialect = Dialect::hugging_face,
                          .metadata = config_json};
  parts.attachments = attachments;
  for (const LiveTensor& tensor : tensors) {
    const auto n = static_cast<size_t>(tensor.shape.values());
    parts.tensors.push_back(
        {.name = tensor.name, .view = {DType::f32, tensor.shape, std::as_bytes(std::span(tensor.values, n))}});
  }
  return std::make_shared<const Checkpoint>(std::move(parts));
}

Result<ModelConfig> config_of(const Metadata& config_json) {
  return parse_model_config(*LiveModel{.config_json = config_json, .attachments = {}, .tensors = {}}.checkpoint());
}

Result<std::string> write_sample(const LiveModel& model, const std::shared_ptr<const Tokenizer>& tokenizer,
                                 const std::string& prompt, int64_t n_tokens, int n_threads) {
  SMELT_ASSIGN(auto loaded, Model::load(model.checkpoint()));
  const std::vector<TokenId> ids = tokenizer->encode(prompt, {.add_special = true});
  SMELT_ASSIGN(Session session,
               Session::create(loaded, {.n_ctx = loaded->config().n_ctx_train, .n_threads = n_threads}));
  SMELT_ASSIGN(GenerateResult result, generate(session, *tokenizer, ids, {.n_predict = n_tokens, .sampling = {}},
                                               [](std::string_view) { return true; }));
  return std::move(result.text);
}

Status export_model(const LiveModel& model, const std::string& output, DType type, Overwrite overwrite,
                    const JobControl& job) {
  SMELT_ASSIGN(const CanonicalModel canonical, to_hugging_face_terms(model.checkpoint()));
  SMELT_TRY(write_hf_folder(canonical, output, {.type = type, .overwrite = overwrite}, job));
  return {};
}

}  // namespace smelt
