// What quantizing will do, before it is done: the type, size and reason of every tensor, and the exact size of the
// file. The rules themselves are in mix_rules.h and override_rules.h.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "base/thread_pool.h"
#include "compress/gguf_output.h"
#include "compress/mix_rules.h"
#include "compress/override_rules.h"
#include "compress/quantize_model.h"
#include "compress/recode.h"
#include "formats/gguf.h"

namespace smelt {
namespace {

Result<MixInfo> require_mix(const std::string& name) {
  if (const auto mix = find_mix(name)) return *mix;
  const std::vector<std::string> names = quantize_type_names();
  const std::string nearest = find_nearest(name, names);
  std::string list;
  for (const std::string& known : names) list += (list.empty() ? "" : ", ") + known;
  return usage_error(fmt::format("unknown type '{}'{}; one of {}", escape_for_display(name),
                                 nearest.empty() ? "" : fmt::format(" (did you mean {}?)", nearest), list));
}

// What stays as it is. Vectors become F32: they are small, and other programs want them so.
DType kept_type(const CanonicalTensor& tensor) {
  const DType from = tensor.source->view.dtype;
  const bool is_half = from == DType::f16 || from == DType::bf16;
  return is_half && tensor.shape.rank < 2 ? DType::f32 : from;
}

struct Choice {
  DType type;
  std::string note;
};

class TypeChooser {
 public:
  TypeChooser(const MixInfo& mix, const RoledModel& roles, const QuantizeOptions& options, OverrideRules rules)
      : mix_(mix), roles_(roles), options_(options), rules_(std::move(rules)) {}

  Result<Choice> choose(const CanonicalTensor& tensor, size_t index) {
    const RoledTensor& roled = roles_.tensors[index];
    const DType from = tensor.source->view.dtype;
    if (roled.role == TensorRole::kept || from == DType::i8) return Choice{kept_type(tensor), ""};
    matrix_names_.push_back(tensor.name);
    SMELT_ASSIGN(Choice wanted, wish(tensor, roled));
    const DType fitting = fitting_type(wanted.type, tensor.shape.columns());
    if (fitting == wanted.type) return wanted;
    return Choice{fitting,
                  fmt::format("rows of {} are not a multiple of {}: {} instead of {}", tensor.shape.columns(),
                              dtype_info(wanted.type).block_values, dtype_name(fitting), dtype_name(wanted.type))};
  }
  Status check_all_used() const { return rules_.check_all_used(matrix_names_); }

 private:
  Result<Choice> wish(const CanonicalTensor& tensor, const RoledTensor& roled) {
    SMELT_ASSIGN(const std::optional<DType> override_type, rules_.find(tensor.name));
    if (override_type) return Choice{*override_type, "by --override"};
    if (options_.output_type && roled.role == TensorRole::head)
      return Choice{*options_.output_type, "by --keep-output"};
    return Choice{mix_type(mix_, roles_.facts, roled, tensor.shape.columns()), ""};
  }

  const MixInfo& mix_;
  const RoledModel& roles_;
  const QuantizeOptions& options_;
  OverrideRules rules_;
  std::vector<std::string> matrix_names_;
};

Status check_requantize(const CanonicalModel& model, const CanonicalTensor& tensor, DType to, bool allowed) {
  const DType from = tensor.source->view.dtype;
  if (allowed || from == to || !is_quantized(from)) return {};
  return input_error(fmt::format(
      "{}: is {} already, and making {} of it would add a second loss; start from the original, or allow it with "
      "--allow-requantize",
      model.checkpoint->describe(*tensor.source), dtype_name(from), dtype_name(to)));
}

Result<TensorPlan> make_plan(const CanonicalTensor& tensor, const Choice& choice) {
  TensorPlan plan;
  plan.name = tensor.name;
  plan.from = tensor.source->view.dtype;
  plan.to = choice.type;
  plan.shape = tensor.shape;
  plan.note = choice.note;
  plan.bytes_from = tensor.source_bytes();
  std::vector<uint64_t> dims;
  for (int i = 0; i < tensor.shape.rank; ++i) dims.push_back(static_cast<uint64_t>(tensor.shape[i]));
  SMELT_ASSIGN(plan.bytes_to, tensor_bytes(choice.type, dims).with_context(escape_for_display(tensor.name)));
  return plan;
}

Result<std::shared_ptr<const Importance>> load_importance(const CanonicalModel& model, const std::string& path) {
  if (path.empty()) return std::shared_ptr<const Importance>();
  SMELT_ASSIGN(const Imatrix imatrix, load_imatrix(path));
  SMELT_ASSIGN(Importance importance, Importance::make(imatrix, model, path));
  return std::make_shared<const Importance>(std::move(importance));
}

bool lacks_importance(const Importance* importance, const TensorPlan& tensor) {
  return importance != nullptr && is_quantized(tensor.to) && tensor.from != tensor.to && !importance->has(tensor.name);
}

void add_note(TensorPlan& tensor, const char* note) {
  tensor.note += tensor.note.empty() ? note : std::string("; ") + note;
}

Status add_totals(const CanonicalModel& model, const MixInfo& mix, int n_threads, QuantizePlan& plan) {
  double values = 0, bytes = 0;
  const int threads = n_threads > 0 ? n_threads : default_threads();
  for (const TensorPlan& t : plan.tensors) {
    values += static_cast<double>(t.shape.values());
    bytes += static_cast<double>(t.bytes_to);
    plan.source_bytes += t.bytes_from;
    plan.peak_memory_bytes =
        std::max(plan.peak_memory_bytes, t.bytes_from + recode_buffer_bytes(t.shape, t.to, threads));
  }
  plan.bits_per_weight = values > 0 ? 8.0 * bytes / values : 0;
  SMELT_ASSIGN(plan.file_bytes,
               gguf_file_bytes(output_metadata(model, mix, plan.importance.get()), declare_tensors(plan)));
  return {};
}

}  // namespace

std::vector<std::string> quantize_type_names() {
  std::vector<std::string> names;
  for (const MixInfo& mix : all_mixes()) names.emplace_back(mix.name);
  return names;
}

Result<QuantizePlan> plan_quantization(const CanonicalModel& model, const QuantizeOptions& options) {
  SMELT_ASSIGN(const MixInfo mix, require_mix(options.type));
  if (options.output_type) {
    const DType type = *options.output_type;
    if (type == DType::q8_k || type == DType::i8)
      return usage_error(fmt::format("--keep-output {}: not a type for stored weights", dtype_name(type)));
  }
  SMELT_ASSIGN(OverrideRules rules, OverrideRules::compile(options.overrides));
  QuantizePlan plan;
  SMELT_ASSIGN(plan.importance, load_importance(model, options.imatrix));
  const RoledModel roles = assign_roles(model);
  TypeChooser chooser(mix, roles, options, std::move(rules));
  for (size_t i = 0; i < model.tensors.size(); ++i) {
    SMELT_ASSIGN(const Choice choice, chooser.choose(model.tensors[i], i));
    SMELT_TRY(check_requantize(model, model.tensors[i], choice.type, options.allow_requantize));
    SMELT_ASSIGN(TensorPlan tensor, make_plan(model.tensors[i], choice));
    if (lacks_importance(plan.importance.get(), tensor)) add_note(tensor, "without importances");
    plan.tensors.push_back(std::move(tensor));
  }
  SMELT_TRY(chooser.check_all_used());
  SMELT_TRY(add_totals(model, mix, options.n_threads, plan));
  return plan;
}

}  // namespace smelt
