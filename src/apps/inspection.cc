// Gathering and showing what is known about a model.
#include "apps/inspection.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/progress.h"
#include "base/text.h"
#include "base/units.h"
#include "runtime/session.h"
#include "tokenizers/chat_format.h"

namespace smelt {
namespace {

using nlohmann::ordered_json;

const char* tokenizer_name(TokenizerModel model) {
  switch (model) {
    case TokenizerModel::sentencepiece_bpe:
      return "SentencePiece BPE";
    case TokenizerModel::unigram:
      return "unigram";
    case TokenizerModel::byte_bpe:
      return "byte-level BPE";
    case TokenizerModel::wordpiece:
      return "WordPiece";
  }
  return "unknown";
}

const char* layout_name(RopeLayout layout) {
  return layout == RopeLayout::interleaved ? "interleaved pairs" : "half-split pairs";
}

void add_fault(Inspection& inspection, Error error) {
  if (!inspection.fault) inspection.fault = std::move(error);
}

void count_types(Inspection& inspection) {
  for (const TensorEntry& tensor : inspection.checkpoint->tensors()) {
    for (TypeTotal* total : {&inspection.types[tensor.view.dtype], &inspection.total}) {
      total->n_tensors += 1;
      total->n_values += static_cast<uint64_t>(tensor.view.shape.values());
      total->bytes += tensor.view.bytes.size();
    }
  }
}

int64_t count_packed(const Checkpoint& checkpoint) {
  return std::count_if(checkpoint.tensors().begin(), checkpoint.tensors().end(),
                       [](const TensorEntry& tensor) { return tensor.view.layout == Layout::rows16; });
}

double bits_per_weight(const TypeTotal& total) {
  return total.n_values == 0 ? 0 : 8.0 * static_cast<double>(total.bytes) / static_cast<double>(total.n_values);
}

// "2 '</s>'"
std::string show_token(const Vocab& vocab, TokenId id) {
  return fmt::format("{} '{}'", id, escape_for_display(vocab.tokens[static_cast<size_t>(id)].text, 32));
}

class Lines {
 public:
  void add(const std::string& title, const std::string& text) { out_ += fmt::format("{:<14}{}\n", title, text); }
  void append(const std::string& text) { out_ += text; }
  const std::string& text() const { return out_; }

 private:
  std::string out_;
};

std::string positions(const ModelConfig& config) {
  if (config.learned_positions) return "learned, a row for each";
  if (config.ssm.exists()) return "none: tokens are taken one after another";
  if (config.source_encoder.exists()) return "a bias for each distance";
  std::string text = fmt::format("RoPE base {:g}, {} of {} values in {}", config.rope_base, config.n_rope,
                                 config.d_head, layout_name(config.rope_layout));
  const auto n_without = std::count_if(config.layers.begin(), config.layers.end(),
                                       [](const LayerConfig& layer) { return !layer.rotates; });
  if (n_without > 0) text += fmt::format(", none in {} layers", n_without);
  return text;
}

std::string windows(const ModelConfig& config) {
  if (config.window > 0) return fmt::format(", each sees {}", config.window);
  int64_t window = 0;
  int64_t n = 0;
  for (const LayerConfig& layer : config.layers) {
    window = std::max(window, layer.window);
    n += layer.window > 0 ? 1 : 0;
  }
  return n == 0 ? "" : fmt::format(", each sees {} in {} layers", window, n);
}

// How tokens learn of each other.
void add_mixing(Lines& lines, const ModelConfig& config) {
  const std::string heads = fmt::format("{} heads of {}", config.n_heads, config.d_head);
  if (config.ssm.exists()) {
    lines.add("state", fmt::format("{}, {} of state for each value, {} groups, convolution over {} tokens", heads,
                                   config.ssm.d_state, config.ssm.n_groups, config.ssm.n_taps));
  } else if (config.source_encoder.exists()) {
    lines.add("encoder", fmt::format("{} layers, as wide", config.source_encoder.n_layers));
    lines.add("attention", fmt::format("{}, {} kinds of distances", heads, config.source_encoder.n_buckets));
  } else {
    lines.add("attention", fmt::format("{}, {} for keys and values", heads, config.n_kv_heads));
  }
}

std::string head_text(const ModelConfig& config) {
  if (!config.encoder) return config.tied_head ? "tied to the embedding" : "its own";
  const EncoderConfig& encoder = *config.encoder;
  if (encoder.head == LabelHead::none) return "none: embeddings";
  return fmt::format("{} labels of {}", encoder.labels.size(),
                     encoder.head == LabelHead::text ? "a text" : "each token");
}

void add_config(Lines& lines, const ModelConfig& config) {
  lines.add("name", escape_for_display(config.name));
  lines.add("architecture", escape_for_display(config.architecture));
  lines.add("layers", fmt::format("{}, width {}, feed-forward {}", config.n_layers, config.d_model, config.d_ff));
  if (config.n_experts > 0) {
    const std::string shared = config.d_ff_shared > 0 ? fmt::format(", and one of {} for all", config.d_ff_shared) : "";
    lines.add("experts", fmt::format("{} of {} for each token, width {}{}", config.n_experts_used, config.n_experts,
                                     config.d_ff_expert, shared));
  }
  add_mixing(lines, config);
  lines.add("positions", positions(config));
  lines.add("norm",
            fmt::format("{}, epsilon {:g}", config.norm == NormKind::rms ? "RMS" : "layer norm", config.norm_eps));
  lines.add("output head", head_text(config));
  lines.add("context", fmt::format("{} tokens in training{}", config.n_ctx_train, windows(config)));
}

void add_tokenizer(Lines& lines, const Inspection& inspection) {
  const Vocab& vocab = inspection.tokenizer->vocab();
  std::string text = fmt::format("{}, {} tokens", tokenizer_name(vocab.model), vocab.tokens.size());
  if (!vocab.pre_tokenizer.empty()) text += ", " + escape_for_display(vocab.pre_tokenizer);
  if (vocab.bos) text += ", begin " + show_token(vocab, *vocab.bos);
  for (const TokenId id : vocab.eos_all)
    text += (id == vocab.eos_all.front() ? ", end " : ", ") + show_token(vocab, id);
  lines.add("tokenizer", text);
  lines.add("chat form", inspection.chat_form);
}

void add_weights(Lines& lines, const Inspection& inspection) {
  const TypeTotal& total = inspection.total;
  lines.add("parameters", fmt::format("{} ({})", format_count(total.n_values), total.n_values));
  lines.add("weights", fmt::format("{} in {} tensors, {:.2f} bits per weight", format_bytes(total.bytes),
                                   total.n_tensors, bits_per_weight(total)));
  for (const auto& [dtype, part] : inspection.types) {
    const double share =
        100.0 * static_cast<double>(part.bytes) / static_cast<double>(std::max<uint64_t>(1, total.bytes));
    lines.add("", fmt::format("{:<7}{:>5} tensors {:>10} {:>5.1f} %", dtype_name(dtype), part.n_tensors,
                              format_bytes(part.bytes), share));
  }
}

std::string tensor_table(const Checkpoint& checkpoint) {
  size_t width = 6;
  for (const TensorEntry& tensor : checkpoint.tensors())
    width = std::max(width, escape_for_display(tensor.name).size());
  std::string out = fmt::format("\n{:<{}}  {:<7} {:>10} {:>14}  shape\n", "tensor", width, "type", "bytes", "at byte");
  for (const TensorEntry& tensor : checkpoint.tensors()) {
    out += fmt::format("{:<{}}  {:<7} {:>10} {:>14}  {}\n", escape_for_display(tensor.name), width,
                       dtype_name(tensor.view.dtype), tensor.view.bytes.size(), tensor.file_offset,
                       tensor.view.shape.to_string());
  }
  return out;
}

ordered_json config_json(const ModelConfig& config) {
  return {{"architecture", config.architecture},
          {"name", config.name},
          {"n_layers", config.n_layers},
          {"d_model", config.d_model},
          {"n_heads", config.n_heads},
          {"n_kv_heads", config.n_kv_heads},
          {"d_head", config.d_head},
          {"d_ff", config.d_ff},
          {"d_state", config.ssm.d_state},
          {"n_encoder_layers", config.source_encoder.n_layers},
          {"n_experts", config.n_experts},
          {"n_experts_used", config.n_experts_used},
          {"n_vocab", config.n_vocab},
          {"n_ctx_train", config.n_ctx_train},
          {"window", config.window},
          {"norm", config.norm == NormKind::rms ? "rms" : "layer"},
          {"norm_eps", config.norm_eps},
          {"rope_base", config.rope_base},
          {"n_rope", config.n_rope},
          {"rope_layout", config.rope_layout == RopeLayout::interleaved ? "interleaved" : "half_split"},
          {"tied_head", config.tied_head}};
}

ordered_json tokenizer_json(const Vocab& vocab) {
  ordered_json out = {{"model", tokenizer_name(vocab.model)},
                      {"n_tokens", vocab.tokens.size()},
                      {"pre_tokenizer", vocab.pre_tokenizer},
                      {"end_ids", vocab.eos_all},
                      {"adds_bos", vocab.add_bos},
                      {"adds_eos", vocab.add_eos}};
  if (vocab.bos) out["bos_id"] = *vocab.bos;
  return out;
}

ordered_json types_json(const Inspection& inspection) {
  ordered_json out = ordered_json::object();
  for (const auto& [dtype, part] : inspection.types)
    out[dtype_name(dtype)] = {{"tensors", part.n_tensors}, {"parameters", part.n_values}, {"bytes", part.bytes}};
  return out;
}

ordered_json tensors_json(const Checkpoint& checkpoint) {
  ordered_json out = ordered_json::array();
  for (const TensorEntry& tensor : checkpoint.tensors()) {
    const Shape& shape = tensor.view.shape;
    out.push_back({{"name", tensor.name},
                   {"type", dtype_name(tensor.view.dtype)},
                   {"shape", std::vector<int64_t>(shape.dims.begin(), shape.dims.begin() + shape.rank)},
                   {"layout", tensor.view.layout == Layout::rows16 ? "packed" : "stock"},
                   {"bytes", tensor.view.bytes.size()},
                   {"offset", tensor.file_offset}});
  }
  return out;
}

// Loads the model, which checks every tensor.
void load_config(Inspection& inspection, const InspectionOptions& options) {
  const std::shared_ptr<const Checkpoint>& checkpoint = inspection.checkpoint;
  const auto stated = parse_model_config(*checkpoint);
  if (stated && stated->encoder) {
    auto encoder = check_model(checkpoint);
    if (encoder) inspection.config = std::move(*encoder);
    if (!encoder) add_fault(inspection, encoder.error());
    return;
  }
  const auto model = Model::load_for_checks(*checkpoint);
  if (!model) return add_fault(inspection, model.error());
  inspection.config = (*model)->config();
  inspection.n_ctx = options.n_ctx > 0 ? options.n_ctx : (*model)->config().n_ctx_train;
  auto bytes = Session::bytes_needed(**model, {.n_ctx = inspection.n_ctx, .kv_type = options.kv_type});
  if (bytes) inspection.session_bytes = *bytes;
  if (!bytes) add_fault(inspection, bytes.error());
}

}  // namespace

Inspection inspect(const std::shared_ptr<const Checkpoint>& checkpoint, const InspectionOptions& options) {
  Inspection inspection;
  inspection.checkpoint = checkpoint;
  count_types(inspection);
  load_config(inspection, options);
  if (auto tokenizer = load_tokenizer(*checkpoint)) {
    inspection.tokenizer = *tokenizer;
    const auto format = ChatFormat::of(*tokenizer);
    inspection.chat_form = format ? format->name() : "none: " + format.error().message;
  } else {
    add_fault(inspection, tokenizer.error());
  }
  return inspection;
}

std::string format_text(const Inspection& inspection, const InspectionOptions& options) {
  const Checkpoint& checkpoint = *inspection.checkpoint;
  Lines lines;
  lines.add("file", fmt::format("{} ({}, {})", escape_for_display(checkpoint.path(), 4096), checkpoint.format_name(),
                                format_bytes(checkpoint.file_bytes())));
  if (const int64_t n = count_packed(checkpoint); n > 0)
    lines.add("layout", fmt::format("packed: 16 rows interleaved in {} matrices; for smelt only", n));
  if (inspection.config) add_config(lines, *inspection.config);
  if (inspection.tokenizer) add_tokenizer(lines, inspection);
  add_weights(lines, inspection);
  if (inspection.config && !inspection.config->encoder) {
    lines.add("memory", fmt::format("{} for the weights and {} for a context of {} tokens in {}",
                                    format_bytes(inspection.total.bytes), format_bytes(inspection.session_bytes),
                                    inspection.n_ctx, kv_type_name(options.kv_type)));
  }
  if (!inspection.fault)
    lines.add("check", inspection.values_checked ? "sound, all values finite" : "sound; values not read");
  if (options.tensors) lines.append(tensor_table(checkpoint));
  return lines.text();
}

std::string format_json(const Inspection& inspection, const InspectionOptions& options) {
  const Checkpoint& checkpoint = *inspection.checkpoint;
  ordered_json out = {{"path", checkpoint.path()},
                      {"format", checkpoint.format_name()},
                      {"file_bytes", checkpoint.file_bytes()},
                      {"parameters", inspection.total.n_values},
                      {"weights_bytes", inspection.total.bytes},
                      {"bits_per_weight", bits_per_weight(inspection.total)},
                      {"types", types_json(inspection)},
                      {"packed_tensors", count_packed(checkpoint)}};
  if (inspection.config) out["config"] = config_json(*inspection.config);
  if (inspection.config && !inspection.config->encoder) {
    out["memory"] = {{"n_ctx", inspection.n_ctx},
                     {"kv_type", kv_type_name(options.kv_type)},
                     {"session_bytes", inspection.session_bytes}};
  }
  if (inspection.tokenizer) {
    out["tokenizer"] = tokenizer_json(inspection.tokenizer->vocab());
    out["chat_form"] = inspection.chat_form;
  }
  if (options.tensors) out["tensors"] = tensors_json(checkpoint);
  out["sound"] = !inspection.fault;
  if (inspection.fault) out["fault"] = inspection.fault->message;
  out["values_checked"] = inspection.values_checked;
  return out.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace smelt
