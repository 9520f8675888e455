// Counted from the tensors of the checkpoint.
#include "eval/speed_cost.h"

#include <string_view>

namespace smelt {
namespace {

bool is_embedding(std::string_view name) { return name == "token_embd.weight" || name == "model.embed_tokens.weight"; }
bool is_head(std::string_view name) { return name == "output.weight" || name == "lm_head.weight"; }

}  // namespace

SpeedCost speed_cost(const Model& model, KvType kv_type) {
  const ModelConfig& config = model.config();
  SpeedCost cost;
  for (const TensorEntry& tensor : model.checkpoint().tensors()) {
    const auto bytes = static_cast<double>(tensor.view.bytes.size());
    const double ops = tensor.view.shape.rank < 2 ? 0 : 2 * static_cast<double>(tensor.view.shape.values());
    cost.weights_bytes += tensor.view.bytes.size();
    const bool embedding = is_embedding(tensor.name);
    if (embedding && !config.tied_head) {
      cost.row_bytes = bytes / static_cast<double>(tensor.view.rows());
      continue;
    }
    cost.decode_bytes += bytes;
    (embedding || is_head(tensor.name) ? cost.head_ops : cost.layer_ops) += ops;
  }
  if (config.n_kv_heads == 0) return cost;
  const KvShape shape = {config.n_kv_heads, config.d_head, kv_type};
  cost.kv_bytes_per_token =
      static_cast<double>(kv_block_bytes(shape)) / kKvBlock * static_cast<double>(config.n_layers);
  return cost;
}

}  // namespace smelt
