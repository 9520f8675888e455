#include "shrink/latency_table.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/large_memory.h"
#include "eval/stopwatch.h"
#include "kernels/kernels.h"
#include "models/linear.h"
#include "tensor/rows16.h"

namespace smelt {
namespace {

constexpr int64_t kMaxBytes = int64_t{256} << 20;  // of weights of a type, to be read over and over
constexpr int64_t kPanelRows = 64;
constexpr int kRounds = 5;
constexpr double kRoundSeconds = 0.02;  // at least

// Weights of one type in matrices of one shape, and all that multiplying by them needs.
class Matrices {
 public:
  static Result<Matrices> create(DType dtype, Shape shape, int64_t n_weights, ThreadPool& threads) {
    Matrices out(threads);
    out.is_int8_ = has_rows16(dtype) && shape.rows() % 16 == 0;
    const auto row = row_bytes(dtype, static_cast<uint64_t>(shape.columns()));
    if (!row) return input_error("rows of this type are not whole blocks");
    const uint64_t matrix_bytes = *row * static_cast<uint64_t>(shape.rows());
    const uint64_t wanted =
        std::min<uint64_t>(kMaxBytes, *row * static_cast<uint64_t>(n_weights / shape.columns() + 1));
    const uint64_t n = std::max<uint64_t>(1, wanted / matrix_bytes);
    SMELT_ASSIGN(out.memory_, LargeMemory::allocate(n * matrix_bytes));
    out.fill(dtype, shape);
    for (uint64_t i = 0; i < n; ++i) {
      Linear linear;
      linear.is_int8 = out.is_int8_;
      linear.w = {.dtype = dtype,
                  .shape = shape,
                  .bytes = {out.memory_.data() + i * matrix_bytes, matrix_bytes},
                  .layout = out.is_int8_ ? Layout::rows16 : Layout::rows};
      out.linears_.push_back(std::move(linear));
    }
    out.allocate(shape);
    return out;
  }

  // Of one token through all matrices, a weight: the median of some rounds.
  double seconds_per_weight() {
    const auto n_weights = static_cast<double>(linears_.size()) * static_cast<double>(linears_[0].w.shape.values());
    const Stopwatch warming;
    multiply();
    const double once = std::max(1e-9, warming.seconds());
    const int times = std::max(1, static_cast<int>(std::ceil(kRoundSeconds / once)));
    std::vector<double> seconds;
    for (int round = 0; round < kRounds; ++round) {
      const Stopwatch watch;
      for (int i = 0; i < times; ++i) multiply();
      seconds.push_back(watch.seconds() / times);
    }
    std::nth_element(seconds.begin(), seconds.begin() + kRounds / 2, seconds.end());
    return seconds[kRounds / 2] / n_weights;
  }

 private:
  explicit Matrices(ThreadPool& threads) : threads_(&threads) {}

  // A few encoded rows, repeated: kernels take the same time whatever the values, as long as they are ordinary numbers.
  void fill(DType dtype, const Shape& shape) {
    const int64_t columns = shape.columns();
    std::vector<float> values(static_cast<size_t>(16 * columns));
    for (size_t i = 0; i < values.size(); ++i) values[i] = 0.02F * std::sin(0.7F * static_cast<float>(i) + 1.0F);
    const uint64_t group = *row_bytes(dtype, static_cast<uint64_t>(columns)) * 16;
    std::vector<std::byte> rows(group), packed(group);
    dtype_info(dtype).encode(values.data(), rows.data(), 16 * columns, nullptr);
    if (is_int8_) pack_rows16(dtype, rows.data(), 16, columns, packed.data());
    const std::byte* from = is_int8_ ? packed.data() : rows.data();
    for (uint64_t at = 0; at < memory_.size(); at += group)
      std::copy_n(from, std::min(group, memory_.size() - at), memory_.data() + at);
  }

  void allocate(const Shape& shape) {
    const int n_threads = threads_->size();
    x_.assign(static_cast<size_t>(shape.columns()), 0.5F);
    out_.resize(static_cast<size_t>(shape.rows()));
    const int64_t floats = is_int8_ ? quantized_rows_floats(1, shape.columns()) + qmatmul_scratch_floats(1, n_threads)
                                    : matmul_scratch_floats(1, shape.columns(), n_threads);
    scratch_.resize(static_cast<size_t>(floats) + 32);
    float* aligned = scratch_.data() + (64 - reinterpret_cast<uintptr_t>(scratch_.data()) % 64) % 64 / sizeof(float);
    if (!is_int8_) {
      f32_scratch_ = aligned;
      return;
    }
    rows_ = place_quantized_rows(aligned, 1, shape.columns());
    const int64_t used = quantized_rows_floats(1, shape.columns());
    q_scratch_ = aligned + (used + 15) / 16 * 16;
  }

  void multiply() {
    const LinearContext context{.threads = *threads_, .f32_scratch = f32_scratch_, .q_scratch = q_scratch_};
    for (const Linear& linear : linears_) {
      const LinearInput input = make_input({&linear}, x_.data(), rows_);
      quantize_values(input, 1, context);
      linear_into(input, 1, {{linear, out_.data()}}, context);
    }
  }

  ThreadPool* threads_;
  bool is_int8_ = false;
  LargeMemory memory_;
  std::vector<Linear> linears_;
  std::vector<float> x_, out_, scratch_;
  float *f32_scratch_ = nullptr, *q_scratch_ = nullptr;
  QuantizedRows rows_;
};

// The shape that has most of the weights, its rows whole panels.
Shape common_shape(const SourceModel& source, const std::vector<TensorCost>& costs) {
  std::map<std::pair<int64_t, int64_t>, int64_t> weights;
  for (const TensorCost& cost : costs) {
    const Shape& shape = source.canonical.tensors[cost.index].shape;
    weights[{shape.rows(), shape.columns()}] += shape.values();
  }
  const auto most =
      std::max_element(weights.begin(), weights.end(), [](auto& a, auto& b) { return a.second < b.second; });
  constexpr int64_t kMaxRows = 16384;  // an embedding's rows are cut: the time of a weight is wanted
  const int64_t rows = std::min(most->first.first, kMaxRows);
  return {std::max(kPanelRows, rows / kPanelRows * kPanelRows), most->first.second};
}

// How much of a tensor a token reads: a mixture's experts in part, an embedding that is not the head too by one row.
double share_read(const SourceModel& source, const std::string& name) {
  const ModelConfig& config = source.loaded.model->config();
  if (name.find("_exps.") != std::string::npos && config.n_experts > 0)
    return static_cast<double>(config.n_experts_used) / static_cast<double>(config.n_experts);
  if (name != "token_embd.weight") return 1;
  const auto& tensors = source.canonical.tensors;
  const bool has_head = std::any_of(tensors.begin(), tensors.end(),
                                    [](const CanonicalTensor& tensor) { return tensor.name == "output.weight"; });
  return has_head ? 0 : 1;
}

}  // namespace

Result<LatencyTable> measure_latency(const SourceModel& source, const std::vector<TensorCost>& costs,
                                     ThreadPool& threads, const JobControl& job) {
  LatencyTable table;
  if (costs.empty()) return table;
  std::set<DType> types;
  int64_t n_weights = 0;
  for (const TensorCost& cost : costs) {
    n_weights += source.canonical.tensors[cost.index].shape.values();
    for (const TypeCost& type : cost.types) types.insert(type.type);
  }
  const Shape shape = common_shape(source, costs);
  for (const DType type : types) {
    if (job.cancelled()) return cancelled_error();
    job.update("measuring speed", table.size(), types.size(), "types");
    if (!row_bytes(type, static_cast<uint64_t>(shape.columns()))) continue;
    SMELT_ASSIGN(Matrices matrices, Matrices::create(type, shape, n_weights, threads));
    table[type] = matrices.seconds_per_weight();
  }
  return table;
}

void set_seconds(const SourceModel& source, const std::vector<TensorCost>& costs, const LatencyTable& table,
                 std::vector<BudgetItem>& items) {
  for (size_t i = 0; i < costs.size(); ++i) {
    const CanonicalTensor& tensor = source.canonical.tensors[costs[i].index];
    const double n_read = share_read(source, tensor.name) * static_cast<double>(tensor.shape.values());
    for (size_t t = 0; t < costs[i].types.size(); ++t) {
      const auto known = table.find(costs[i].types[t].type);
      if (known != table.end()) items[i][t].seconds = known->second * static_cast<double>(tensor.shape.values());
    }
  }
}

}  // namespace smelt
