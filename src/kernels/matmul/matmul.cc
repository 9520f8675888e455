// Splits a matmul into tiles of weight rows, spread over threads. Quantized rows are decoded once into the thread's
// scratch and used for all tokens; f32 is used in place, and f16 and bf16 too when there are few tokens.
#include "kernels/matmul/matmul.h"

#include <algorithm>

#include "base/check.h"
#include "kernels/matmul/kernel.h"

namespace smelt {
namespace {

constexpr const MatmulKernel* kKernels[] = {
#define SMELT_KERNEL(isa) &matmul_##isa,
#include "kernels/matmul/kernels.inc"
#undef SMELT_KERNEL
};

constexpr int64_t kTileFloats = 65536;  // a decoded tile of 256 KiB stays in a second-level cache
constexpr int64_t kMinTileRows = 8;
constexpr int64_t kMaxTileRows = 64;
constexpr int64_t kDirectTokens = 4;   // up to here, converting 16-bit weights anew for each group of tokens is cheaper
constexpr int64_t kMinWork = 1 << 16;  // multiplications worth handing to another thread

int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

bool is_direct(DType dtype, int64_t m) {
  return dtype == DType::f32 || ((dtype == DType::f16 || dtype == DType::bf16) && m <= kDirectTokens);
}

// A decoded tile, and a row in stock blocks where rows are interleaved: at most 4 bytes a value.
int64_t thread_floats(int64_t k_max) { return std::max(kTileFloats, kMinTileRows * k_max) + k_max; }

struct Job {
  const MatmulArgs& args;
  const MatmulKernel& kernel;
  DecodeRow decode;  // null: direct
  float* scratch;
  int64_t scratch_stride;
  int64_t tile_rows;

  std::byte* stock_row(int thread) const {
    return reinterpret_cast<std::byte*>(scratch + (thread + 1) * scratch_stride - args.w.columns());
  }
  void decode_row(int64_t r, float* out, std::byte* stock) const {
    if (args.w.layout == Layout::rows) return decode(args.w.row(r), out, args.w.columns());
    args.w.copy_row_into(r, stock);
    decode(stock, out, args.w.columns());
  }

  void run_tile(int64_t first_row, int thread) const {
    const TensorView& w = args.w;
    const int64_t k = w.columns();
    const int64_t rows = std::min(tile_rows, w.rows() - first_row);
    MatmulTile tile{.x = args.x,
                    .m = args.m,
                    .k = k,
                    .w = w.layout == Layout::rows ? w.row(first_row) : nullptr,
                    .w_row_bytes = static_cast<int64_t>(w.row_size()),
                    .type = w.dtype,
                    .rows = rows,
                    .bias = args.bias == nullptr ? nullptr : args.bias + first_row,
                    .out = args.out + first_row,
                    .out_stride = w.rows()};
    if (decode != nullptr) {
      float* decoded = scratch + thread * scratch_stride;
      for (int64_t r = 0; r < rows; ++r) decode_row(first_row + r, decoded + r * k, stock_row(thread));
      tile.w = reinterpret_cast<const std::byte*>(decoded);
      tile.w_row_bytes = k * static_cast<int64_t>(sizeof(float));
      tile.type = DType::f32;
    }
    kernel.tile(tile);
  }
};

int64_t choose_tile_rows(int64_t n, int64_t k, int64_t m, int n_threads) {
  if (m == 1) return kMinTileRows;
  const int64_t fit = kTileFloats / k / kMinTileRows * kMinTileRows;
  const int64_t share = round_up(n / (4 * n_threads) + 1, kMinTileRows);  // keeps all threads busy on small matrices
  return std::clamp(std::min(fit, share), kMinTileRows, kMaxTileRows);
}

constexpr int64_t kBf16TileRows = 64;  // whose weights stay in a second-level cache for all tokens

void multiply_bf16(const MatmulArgs& args, const MatmulKernel& kernel, float* scratch, ThreadPool& threads) {
  const int64_t k = args.w.columns();
  const int64_t n = args.w.rows();
  auto* x = reinterpret_cast<uint16_t*>(scratch);
  const auto round = [&](int64_t begin, int64_t end, int) {
    kernel.round_to_bf16(args.x + begin * k, (end - begin) * k, x + begin * k);
  };
  threads.parallel_for(args.m, kMinWork / k + 1, round);
  const auto run = [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin * kBf16TileRows; r < std::min(n, end * kBf16TileRows); r += kBf16TileRows) {
      kernel.bf16_tile({.x = x,
                        .m = args.m,
                        .k = k,
                        .w = args.w.row(r),
                        .w_row_bytes = static_cast<int64_t>(args.w.row_size()),
                        .rows = std::min(kBf16TileRows, n - r),
                        .bias = args.bias == nullptr ? nullptr : args.bias + r,
                        .out = args.out + r,
                        .out_stride = n});
    }
  };
  threads.parallel_for((n + kBf16TileRows - 1) / kBf16TileRows, kMinWork / (kBf16TileRows * k * args.m) + 1, run);
}

}  // namespace

DecodeRow find_row_decoder(DType dtype, Isa isa) {
  const DecodeRow fast = find_kernel<MatmulKernel>(kKernels, isa).find_decoder(dtype);
  return fast != nullptr ? fast : dtype_info(dtype).decode;
}

void matmul_into(const MatmulArgs& args, float* scratch, ThreadPool& threads, Isa isa) {
  const int64_t n = args.w.rows();
  const int64_t k = args.w.columns();
  if (args.m == 0 || n == 0) return;
  SMELT_CHECK(k > 0);
  const MatmulKernel& kernel = find_kernel<MatmulKernel>(kKernels, isa);
  if (args.bf16_products && args.w.dtype == DType::bf16 && kernel.bf16_tile != nullptr) {
    return multiply_bf16(args, kernel, scratch, threads);
  }
  const Job job{.args = args,
                .kernel = kernel,
                .decode = is_direct(args.w.dtype, args.m) ? nullptr : find_row_decoder(args.w.dtype, isa),
                .scratch = scratch,
                .scratch_stride = thread_floats(k),
                .tile_rows = choose_tile_rows(n, k, args.m, threads.size())};
  const auto run = [&job](int64_t begin, int64_t end, int thread) {
    for (int64_t t = begin; t < end; ++t) job.run_tile(t * job.tile_rows, thread);
  };
  const int64_t tiles = (n + job.tile_rows - 1) / job.tile_rows;
  const int64_t grain = kMinWork / (job.tile_rows * k * args.m) + 1;
  threads.parallel_for(tiles, grain, run);
}

int64_t matmul_scratch_floats(int64_t m_max, int64_t k_max, int n_threads) {
  return std::max(n_threads * thread_floats(k_max), (m_max * k_max + 1) / 2);  // or activations in bf16
}

}  // namespace smelt
