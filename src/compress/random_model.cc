// The plan is quantize_plan.cc's, over a model without data; the rows come from random_weights.h.
#include "compress/random_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/text.h"
#include "compress/gguf_output.h"
#include "compress/random_shape.h"
#include "compress/random_weights.h"
#include "models/rope_config.h"

namespace smelt {
namespace {

constexpr uint64_t kSlabBytes = 4 << 20;

Result<RandomShape> require_shape(const std::string& name) {
  if (const auto shape = find_random_shape(name)) return *shape;
  std::string list;
  for (const std::string& known : random_shape_names()) list += (list.empty() ? "" : ", ") + known;
  const std::string nearest = find_nearest(name, random_shape_names());
  return usage_error(fmt::format("unknown shape '{}'{}; one of {}", escape_for_display(name),
                                 nearest.empty() ? "" : fmt::format(" (did you mean {}?)", nearest), list));
}

// Norms of ones, as trained ones nearly are; the factors of Llama 3's rotary scaling; biases at random.
std::vector<float> vector_values(const TensorPlan& tensor, const RandomShape& shape, uint64_t seed) {
  if (tensor.name == "rope_freqs.weight") {
    return make_rope_factors({.base = shape.rope_base, .scaling = RopeScaling::llama3, .factor = shape.rope_factor},
                             shape.d_head);
  }
  std::vector<float> values(static_cast<size_t>(tensor.shape.values()), 1.0F);
  if (tensor.name.ends_with("_norm.weight")) return values;
  for (size_t i = 0; i < values.size(); ++i) values[i] = random_weight(seed, i);
  return values;
}

class RandomModelWriter {
 public:
  RandomModelWriter(GgufWriter& writer, const RandomShape& shape, const RandomModelOptions& options,
                    const QuantizePlan& plan, const JobControl& job)
      : writer_(writer), shape_(shape), seed_(options.seed), plan_(plan), job_(job), threads_(options.n_threads) {}

  Status write_all() {
    for (size_t i = 0; i < plan_.tensors.size(); ++i) {
      if (i > 0) SMELT_TRY(writer_.next_tensor());
      const TensorPlan& tensor = plan_.tensors[i];
      SMELT_TRY(tensor.shape.rank == 1 ? write_vector(tensor, i) : write_matrix(tensor, i));
    }
    return {};
  }

 private:
  Status write_vector(const TensorPlan& tensor, size_t index) {
    const std::vector<float> values = vector_values(tensor, shape_, seed_ + index + 1);
    done_ += tensor.bytes_to;
    return writer_.write(std::as_bytes(std::span(values)));
  }

  Status write_matrix(const TensorPlan& tensor, size_t index) {
    weights_.prepare(tensor.to);
    const int64_t rows = tensor.shape.rows(), columns = tensor.shape.columns();
    const uint64_t row_size = row_bytes(tensor.to, static_cast<uint64_t>(columns)).value_or(0);
    SMELT_CHECK(row_size > 0);
    const auto slab_rows = static_cast<int64_t>(std::max<uint64_t>(1, kSlabBytes / row_size));
    slab_.resize(static_cast<uint64_t>(slab_rows) * row_size);
    for (int64_t begin = 0; begin < rows; begin += slab_rows) {
      if (job_.cancelled()) return cancelled_error();
      const int64_t n = std::min(slab_rows, rows - begin);
      threads_.parallel_for(n, 16, [&](int64_t first, int64_t last, int) {
        for (int64_t r = first; r < last; ++r) {
          std::byte* out = slab_.data() + static_cast<uint64_t>(r) * row_size;
          weights_.row_into(tensor.to, index, begin + r, columns, out);
        }
      });
      const uint64_t bytes = static_cast<uint64_t>(n) * row_size;
      SMELT_TRY(writer_.write(std::span(slab_).first(bytes)));
      done_ += bytes;
      job_.update("random weights", done_ >> 20, plan_.file_bytes >> 20, "MiB");
    }
    return {};
  }

  GgufWriter& writer_;
  const RandomShape& shape_;
  uint64_t seed_;
  const QuantizePlan& plan_;
  const JobControl& job_;
  ThreadPool threads_;
  RandomWeights weights_{seed_, threads_};
  uint64_t done_ = 0;
  std::vector<std::byte> slab_;
};

}  // namespace

std::vector<std::string> random_shape_names() {
  std::vector<std::string> names;
  for (const RandomShape& shape : all_random_shapes()) names.emplace_back(shape.name);
  return names;
}

Result<QuantizePlan> make_random_model(const std::string& output, const RandomModelOptions& options,
                                       const JobControl& job) {
  SMELT_ASSIGN(const RandomShape shape, require_shape(options.shape));
  const CanonicalModel model = make_shape_model(shape);
  QuantizeOptions as_quantized;
  as_quantized.type = options.type;
  as_quantized.n_threads = options.n_threads;
  SMELT_ASSIGN(QuantizePlan plan, plan_quantization(model, as_quantized));
  const auto mix = find_mix(options.type);
  SMELT_CHECK(mix.has_value());
  SMELT_ASSIGN(GgufWriter writer,
               GgufWriter::create(output, output_metadata(model, *mix), declare_tensors(plan), options.overwrite));
  SMELT_TRY(RandomModelWriter(writer, shape, options, plan, job).write_all());
  if (job.cancelled()) return cancelled_error();
  SMELT_TRY(writer.commit());
  return plan;
}

}  // namespace smelt
