// Tensors in the other dialect's names and row order.
#include "models/canonical.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/log.h"
#include "models/canonical_keys.h"
#include "models/family.h"
#include "models/model.h"
#include "models/rope_config.h"
#include "models/weight_binder.h"

namespace smelt {
namespace {

class Translator {
 public:
  Translator(CanonicalModel& model, const ModelFamily& family, Dialect target)
      : model_(model), family_(family), target_(target) {}

  // Tensors outside the layers first, as they come, then layer by layer.
  Status add_tensors() {
    const int64_t n_layers = std::max(model_.config.n_layers, model_.config.source_encoder.n_layers);
    for (int64_t layer = -1; layer < n_layers; ++layer) {
      for (const TensorName& name : family_.tensors) {
        const bool is_layered = std::string_view(name.gguf).find("{}") != std::string_view::npos;
        if (is_layered == (layer >= 0)) SMELT_TRY(add(name, layer));
      }
    }
    return {};
  }

  void add_generated(const std::string& name, const std::vector<float>& values) {
    add_generated(name, values, {static_cast<int64_t>(values.size())});
  }
  void add_generated(const std::string& name, const std::vector<float>& values, const Shape& shape) {
    auto bytes = std::make_shared<std::vector<std::byte>>(values.size() * sizeof(float));
    std::memcpy(bytes->data(), values.data(), bytes->size());
    TensorView view{.dtype = DType::f32, .shape = shape, .bytes = *bytes};
    add_owned(name, view, std::move(bytes));
  }

 private:
  std::string target_name(const TensorName& name, int64_t layer) const {
    if (target_ == Dialect::gguf) return layer_name(name.gguf, layer);
    return layer_name(hf_tensor_name(family_, model_.config, name.hugging_face), layer);
  }

  Status add(const TensorName& name, int64_t layer) {
    if (is_per_expert(name)) return target_ == Dialect::gguf ? add_joined(name, layer) : add_parted(name, layer);
    const TensorEntry* source = find_tensor(*model_.checkpoint, family_, name, layer);
    const bool is_unused_head = model_.config.tied_head && std::string_view(name.gguf) == "output.weight";
    if (source == nullptr || is_unused_head) return {};
    const std::string target = target_name(name, layer);
    if (name.form == ValueForm::plus_one) return add_shifted(target, *source);
    if (name.form == ValueForm::transposed) return add_transposed(target, *source);
    if (name.form == ValueForm::positions) return add_positions(target, *source);
    if (name.form >= ValueForm::column) return add_shaped(target, *source, name.form);
    CanonicalTensor tensor{.name = target, .source = source, .shape = source->view.shape, .row_order = {}};
    const int64_t n = source->view.columns();
    if (name.form == ValueForm::row) tensor.shape = target_ == Dialect::gguf ? Shape{n} : Shape{1, n};
    tensor.row_order = row_order(name.order, model_.config, target_);
    if (tensor.row_order.empty() || source->view.shape.rank > 1) {
      model_.tensors.push_back(std::move(tensor));
      return {};
    }
    return add_reordered_vector(target, *source, tensor.row_order);
  }

  Status add_shaped(const std::string& name, const TensorEntry& source, ValueForm form) {
    std::vector<float> values = decode_values(source.view);
    if (form == ValueForm::log_a) {
      for (float& value : values) value = target_ == Dialect::gguf ? -std::exp(value) : std::log(-value);
    }
    add_generated(name, values, form_shape(form, target_, static_cast<int64_t>(values.size()), model_.config));
    return {};
  }

  // One tensor of all experts from one of each.
  Status add_joined(const TensorName& name, int64_t layer) {
    CanonicalTensor tensor{.name = layer_name(name.gguf, layer), .source = nullptr, .shape = {}, .row_order = {}};
    for (int64_t e = 0; e < model_.config.n_experts; ++e) {
      const TensorEntry* part = find_tensor(*model_.checkpoint, family_, name, layer, e);
      if (part == nullptr) return {};
      if (e == 0) {
        tensor.source = part;
        tensor.shape = {model_.config.n_experts, part->view.rows(), part->view.columns()};
        continue;
      }
      if (part->view.dtype != tensor.source->view.dtype) {
        return input_error(fmt::format("{}: type is {}, but that of expert 0 is {}", model_.checkpoint->describe(*part),
                                       dtype_name(part->view.dtype), dtype_name(tensor.source->view.dtype)));
      }
      tensor.more.push_back(part);
    }
    model_.tensors.push_back(std::move(tensor));
    return {};
  }

  // The way back; the parts' bytes stay where they are.
  Status add_parted(const TensorName& name, int64_t layer) {
    const TensorEntry* source = find_tensor(*model_.checkpoint, family_, name, layer);
    if (source == nullptr) return {};
    const int64_t rows = source->view.rows() / model_.config.n_experts;
    for (int64_t e = 0; e < model_.config.n_experts; ++e) {
      SMELT_ASSIGN(const TensorView part, rows_of(source->view, e * rows, rows));
      add_owned(layer_name(name.hugging_face, layer, e), part, nullptr);
    }
    return {};
  }

  Status add_shifted(const std::string& name, const TensorEntry& source) {
    std::vector<float> values(static_cast<size_t>(source.view.columns()));
    source.view.decode_row_into(0, values.data());
    const float shift = target_ == Dialect::gguf ? 1.0F : -1.0F;
    for (float& value : values) value += shift;
    add_generated(name, values);
    return {};
  }

  Status add_transposed(const std::string& name, const TensorEntry& source) {
    SMELT_TRY(model_.checkpoint->prepare(source));
    SMELT_ASSIGN(std::vector<std::byte> turned,
                 transpose(source.view).with_context(model_.checkpoint->describe(source)));
    auto bytes = std::make_shared<const std::vector<std::byte>>(std::move(turned));
    const TensorView view{
        .dtype = source.view.dtype, .shape = {source.view.columns(), source.view.rows()}, .bytes = *bytes};
    add_owned(name, view, std::move(bytes));
    return {};
  }

  // Without the rows that no token takes; those of another file, which are of no effect, become zeros.
  Status add_positions(const std::string& name, const TensorEntry& source) {
    const TensorView& view = source.view;
    const int64_t n_skipped = model_.config.encoder->n_skipped_positions;
    if (target_ == Dialect::gguf) {
      SMELT_ASSIGN(const TensorView rows, rows_of(view, n_skipped, view.rows() - n_skipped));
      add_owned(name, rows, nullptr);
      return {};
    }
    const size_t n_front = static_cast<size_t>(n_skipped) * view.row_size();
    auto bytes = std::make_shared<std::vector<std::byte>>(n_front + view.bytes.size());
    std::memcpy(bytes->data() + n_front, view.bytes.data(), view.bytes.size());
    const TensorView rows{.dtype = view.dtype, .shape = {view.rows() + n_skipped, view.columns()}, .bytes = *bytes};
    add_owned(name, rows, std::move(bytes));
    return {};
  }

  // A vector is one row for those who copy rows, so its values are put in order here.
  Status add_reordered_vector(const std::string& name, const TensorEntry& source, const std::vector<int32_t>& order) {
    std::vector<float> values(order.size());
    std::vector<float> ordered(order.size());
    source.view.decode_row_into(0, values.data());
    for (size_t i = 0; i < order.size(); ++i) ordered[i] = values[static_cast<size_t>(order[i])];
    add_generated(name, ordered);
    return {};
  }

  void add_owned(const std::string& name, const TensorView& view, std::shared_ptr<const std::vector<std::byte>> bytes) {
    auto entry = std::make_shared<TensorEntry>();
    entry->name = name;
    entry->view = view;
    entry->file_index = UINT32_MAX;  // in no file
    model_.tensors.push_back({.name = name, .source = entry.get(), .shape = view.shape, .row_order = {}});
    model_.generated.push_back({std::move(entry), std::move(bytes)});
  }

  CanonicalModel& model_;
  const ModelFamily& family_;
  Dialect target_;
};

// A model that is complete and well-formed: nothing is written from one that could not be run.
Result<CanonicalModel> begin(std::shared_ptr<const Checkpoint> checkpoint) {
  CanonicalModel out;
  SMELT_ASSIGN(out.config, check_model(checkpoint));
  out.checkpoint = std::move(checkpoint);
  return out;
}

void take_tensors_as_they_are(CanonicalModel& model) {
  for (const TensorEntry& tensor : model.checkpoint->tensors()) {
    model.tensors.push_back({.name = tensor.name, .source = &tensor, .shape = tensor.view.shape, .row_order = {}});
  }
}

// config.json alone: the other files' keys travel in the attachments.
Metadata own_config(const Checkpoint& checkpoint) {
  Metadata config;
  for (const auto& [key, value] : checkpoint.metadata().entries()) {
    if (!key.starts_with("generation_config.") && !key.starts_with("tokenizer_config.")) config.set(key, value);
  }
  return config;
}

}  // namespace

Result<CanonicalModel> to_gguf_terms(std::shared_ptr<const Checkpoint> checkpoint) {
  SMELT_ASSIGN(CanonicalModel model, begin(std::move(checkpoint)));
  SMELT_ASSIGN(const ModelFamily* family, find_family(*model.checkpoint));
  SMELT_ASSIGN(model.metadata, gguf_metadata(*model.checkpoint, *family, model.config));
  if (model.checkpoint->dialect() == Dialect::gguf) {
    take_tensors_as_they_are(model);
    return model;
  }
  Translator translator(model, *family, Dialect::gguf);
  SMELT_TRY(translator.add_tensors());
  if (model.config.n_rope == 0) return model;
  SMELT_ASSIGN(const RopeConfig rope, parse_hf_rope(model.checkpoint->metadata(), family->form.hf));
  if (rope.scaling == RopeScaling::llama3) {
    translator.add_generated("rope_freqs.weight", make_rope_factors(rope, model.config.n_rope));
  }
  if (rope.scaling == RopeScaling::longrope) {
    translator.add_generated("rope_factors_long.weight", rope.long_factors);
    translator.add_generated("rope_factors_short.weight", rope.short_factors);
  }
  return model;
}

Result<CanonicalModel> to_hugging_face_terms(std::shared_ptr<const Checkpoint> checkpoint) {
  SMELT_ASSIGN(CanonicalModel model, begin(std::move(checkpoint)));
  SMELT_ASSIGN(const ModelFamily* family, find_family(*model.checkpoint));
  if (model.checkpoint->dialect() == Dialect::hugging_face) {
    model.metadata = own_config(*model.checkpoint);
    model.attachments = model.checkpoint->attachments();
    take_tensors_as_they_are(model);
    return model;
  }
  SMELT_ASSIGN(HfFiles files,
               hf_files(*model.checkpoint, *family, model.config).with_context(model.checkpoint->path()));
  model.metadata = std::move(files.config);
  model.attachments = std::move(files.attachments);
  Translator translator(model, *family, Dialect::hugging_face);
  SMELT_TRY(translator.add_tensors());
  return model;
}

}  // namespace smelt
