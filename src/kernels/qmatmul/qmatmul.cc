// Splits a product into panels of 64 rows, spread over threads, and finishes what the kernels of kernels.inc compute:
// bias, addition to what is there, SwiGLU and the next quantization.
#include "kernels/qmatmul/qmatmul.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/qmatmul/kernel.h"
#include "tensor/rows16.h"

namespace smelt {
namespace {

constexpr const QMatmulKernel* kKernels[] = {
#define SMELT_KERNEL(isa) &qmatmul_##isa,
#include "kernels/qmatmul/kernels.inc"
#undef SMELT_KERNEL
};

constexpr int64_t kMinWork = 1 << 17;  // multiplications worth handing to another thread
constexpr int64_t kPanelFloats =
    static_cast<int64_t>(std::max(sizeof(ExactPanel), kTilePanels * sizeof(PrefillPanel)) / sizeof(float));

int64_t panels_of(const TensorView& w) { return (w.rows() + kPanelRows - 1) / kPanelRows; }
int64_t scratch_stride(int64_t m) { return kPanelFloats + m * kTilePanels * kPanelRows; }

// Intel's PREFETCHNTA fills the first cache, which has room for 16 lines under way: decoding then reads memory at half
// the speed. AMD's is the fastest there is. Figures: docs/benchmarks.md.
FetchInto best_fetch() {
#if defined(__x86_64__)
  static const bool is_intel = [] {
    __builtin_cpu_init();
    return __builtin_cpu_is("intel") != 0;
  }();
  if (is_intel) return FetchInto::second_cache;
#endif
  return FetchInto::past_larger_caches;
}

// What all panels of one call share.
struct Job {
  const QuantizedRows& x;
  const QMatmulKernel& kernel;
  QArithmetic arithmetic;
  const QContext& context;
  int64_t panels_at_once;

  float* tile_out(int thread) const { return context.scratch + thread * scratch_stride(x.m) + kPanelFloats; }

  QTile tile(DType dtype, int thread) const {
    return {.groups = {},
            .dtype = dtype,
            .k = x.k,
            .n_groups = 0,
            .ahead = {},
            .fetch = best_fetch(),
            .x = x.blocks,
            .x_stride = x.blocks_a_row(),
            .poison = x.poison,
            .m = x.m,
            .out = tile_out(thread),
            .out_stride = panels_at_once * kPanelRows,
            .panel = context.scratch + thread * scratch_stride(x.m)};
  }

  void compute(const QTile& t) const {
    if (arithmetic == QArithmetic::prefill)
      kernel.prefill(t);
    else
      kernel.exact(t);
  }
};

int64_t groups_of(const TensorView& w) { return (w.rows() + kRows16 - 1) / kRows16; }

void add_groups(QTile& tile, const TensorView& w, int64_t first, int64_t n) {
  const auto group_bytes = static_cast<int64_t>(rows16_bytes(w.dtype, kRows16, w.columns()));
  const std::byte* at = w.bytes.data() + first * group_bytes;
  for (int64_t g = first; g < first + n; ++g, at += group_bytes) {
    tile.ahead[tile.n_groups] = g + n < groups_of(w) ? at + n * group_bytes : nullptr;
    tile.groups[tile.n_groups++] = at;
  }
}

// One row of a panel's result to its place.
void finish_row(const QMatrix& matrix, const float* in, int64_t first, int64_t n, float* out) {
  const float* bias = matrix.bias == nullptr ? nullptr : matrix.bias + first;
  if (matrix.add) {
    for (int64_t i = 0; i < n; ++i) out[i] += bias == nullptr ? in[i] : in[i] + bias[i];
  } else if (bias != nullptr) {
    for (int64_t i = 0; i < n; ++i) out[i] = in[i] + bias[i];
  } else {
    std::copy(in, in + n, out);
  }
}

// The panels of a matrix that are multiplied at once.
void run_panels(const Job& job, const QMatrix& matrix, int64_t index, int thread) {
  const int64_t most = job.panels_at_once * kPanelRows;
  const int64_t first = index * most;
  const int64_t rows = std::min(most, matrix.w.rows() - first);
  QTile tile = job.tile(matrix.w.dtype, thread);
  add_groups(tile, matrix.w, first / kRows16, (rows + kRows16 - 1) / kRows16);
  job.compute(tile);
  for (int64_t t = 0; t < job.x.m; ++t) {
    finish_row(matrix, tile.out + t * tile.out_stride, first, rows, matrix.out + t * matrix.out_stride + first);
  }
}

constexpr int64_t kSwigluRows = kPanelRows / 2;  // of gate and of up, in a panel

void add_bias(float* x, const float* bias, int64_t n) {
  for (int64_t i = 0; bias != nullptr && i < n; ++i) x[i] += bias[i];
}

struct SwigluJob {
  Job job;
  const QMatrix &gate, &up;
  const QuantizedRows& out;

  // The groups of gate stand before those of up.
  void run(int64_t index, int thread) const {
    const int64_t most = job.panels_at_once * kSwigluRows;
    const int64_t first = index * most;
    const int64_t rows = std::min(most, gate.w.rows() - first);
    QTile tile = job.tile(gate.w.dtype, thread);
    add_groups(tile, gate.w, first / kRows16, rows / kRows16);
    add_groups(tile, up.w, first / kRows16, rows / kRows16);
    job.compute(tile);
    for (int64_t t = 0; t < job.x.m; ++t) {
      float* h = tile.out + t * tile.out_stride;
      add_bias(h, gate.bias == nullptr ? nullptr : gate.bias + first, rows);
      add_bias(h + rows, up.bias == nullptr ? nullptr : up.bias + first, rows);
      swiglu_in_place(h, h + rows, rows, job.context.isa);
      ActivationBlock* blocks = out.blocks + t * out.blocks_a_row() + first / kActivationBlock;
      const float poison = job.kernel.quantize(h, rows, job.arithmetic, blocks);
      if (std::isnan(poison)) std::atomic_ref(out.poison[t]).store(poison, std::memory_order_relaxed);
    }
  }
};

// A panel times a prompt takes so long that each is handed out by itself: more chunks than any matrix has panels.
int chunks_per_thread(QArithmetic arithmetic) {
  return arithmetic == QArithmetic::prefill ? std::numeric_limits<int>::max() : ThreadPool::kChunksPerThread;
}

int64_t grain(const QuantizedRows& x) { return kMinWork / (kPanelRows * x.k * x.m) + 1; }

// As many as leave each thread enough to take turns with.
int64_t panels_at_once(int64_t n_panels, QArithmetic arithmetic, const QContext& context) {
  constexpr int64_t kTilesPerThread = 3;
  if (arithmetic == QArithmetic::exact) return 1;
  return std::clamp<int64_t>(n_panels / (kTilesPerThread * context.threads.size()), 1, kTilePanels);
}

int64_t tiles_of(const Job& job, const TensorView& w) {
  return (panels_of(w) + job.panels_at_once - 1) / job.panels_at_once;
}

}  // namespace

int64_t qmatmul_scratch_floats(int64_t m_max, int n_threads) { return n_threads * scratch_stride(m_max); }

int64_t quantized_rows_floats(int64_t m, int64_t k) {
  const int64_t poison = (m + 15) / 16 * 16;
  return poison + m * QuantizedRows::blocks_a_row(k) * static_cast<int64_t>(sizeof(ActivationBlock) / sizeof(float));
}

QuantizedRows place_quantized_rows(float* memory, int64_t m, int64_t k) {
  auto* blocks = reinterpret_cast<ActivationBlock*>(memory);
  auto* poison = reinterpret_cast<float*>(blocks + m * QuantizedRows::blocks_a_row(k));
  return {.blocks = blocks, .poison = poison, .m = m, .k = k};
}

void quantize_row_into(const float* x, int64_t row, QArithmetic arithmetic, const QuantizedRows& out, Isa isa) {
  SMELT_CHECK(out.k % kActivationBlock == 0);
  const QMatmulKernel& kernel = find_kernel<QMatmulKernel>(kKernels, isa);
  out.poison[row] = kernel.quantize(x, out.k, arithmetic, out.blocks + row * out.blocks_a_row());
}

void qmatmul_into(const QuantizedRows& x, std::span<const QMatrix> matrices, QArithmetic arithmetic,
                  const QContext& context) {
  if (x.m == 0) return;
  int64_t n_panels = 0;
  for (const QMatrix& matrix : matrices) {
    SMELT_CHECK(matrix.w.layout == Layout::rows16 && matrix.w.columns() == x.k);
    n_panels += panels_of(matrix.w);
  }
  const Job job{x, find_kernel<QMatmulKernel>(kKernels, context.isa), arithmetic, context,
                panels_at_once(n_panels, arithmetic, context)};
  int64_t n_tiles = 0;
  for (const QMatrix& matrix : matrices) n_tiles += tiles_of(job, matrix.w);
  const auto run = [&](int64_t begin, int64_t end, int thread) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t index = i;
      const QMatrix* matrix = matrices.data();
      while (index >= tiles_of(job, matrix->w)) index -= tiles_of(job, (matrix++)->w);
      run_panels(job, *matrix, index, thread);
    }
  };
  context.threads.parallel_for(n_tiles, grain(x), run, chunks_per_thread(arithmetic));
}

bool can_fuse_swiglu(const TensorView& gate, const TensorView& up) {
  return gate.layout == Layout::rows16 && up.layout == Layout::rows16 && gate.dtype == up.dtype &&
         gate.rows() == up.rows() && gate.rows() % kSwigluRows == 0;
}

void qmatmul_swiglu_into(const QuantizedRows& x, const QMatrix& gate, const QMatrix& up, QArithmetic arithmetic,
                         const QuantizedRows& out, const QContext& context) {
  if (x.m == 0) return;
  SMELT_CHECK(can_fuse_swiglu(gate.w, up.w) && gate.w.columns() == x.k && out.k == gate.w.rows());
  std::copy(x.poison, x.poison + x.m, out.poison);
  const int64_t n_panels = out.k / kSwigluRows;
  const int64_t at_once = panels_at_once(n_panels, arithmetic, context);
  const SwigluJob job{
      {x, find_kernel<QMatmulKernel>(kKernels, context.isa), arithmetic, context, at_once}, gate, up, out};
  const auto run = [&job](int64_t begin, int64_t end, int thread) {
    for (int64_t i = begin; i < end; ++i) job.run(i, thread);
  };
  context.threads.parallel_for((n_panels + at_once - 1) / at_once, grain(x), run, chunks_per_thread(arithmetic));
}

}  // namespace smelt
