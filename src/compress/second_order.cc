#include "compress/second_order.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "kernels/kernels.h"
#include "tensor/block_codes.h"

namespace smelt {
namespace {

constexpr int64_t kRowsAtOnce = 1024;
constexpr float kMaxGrowth = 4;  // of a compensated weight over the largest of its block

// Rows [0, rows) of a tensor in work.
class RowRounder {
 public:
  RowRounder(DType type, const float* w, int64_t rows, const Hessian& hessian, ThreadPool& threads)
      : info_(dtype_info(type)),
        codec_(find_block_codec(type)),
        w_(w),
        rows_(rows),
        n_(hessian.n()),
        row_bytes_(static_cast<int64_t>(*smelt::row_bytes(type, static_cast<uint64_t>(n_)))),
        hessian_(hessian),
        threads_(threads) {}

  RoundingLoss run(const RoundingOptions& options, std::byte* out) {
    encode_all(out);
    std::vector<float> decoded = decode_all(out);
    std::vector<double> losses = losses_of(decoded);
    RoundingLoss loss;
    for (const double x : losses) loss.diagonal += x;
    loss.chosen = loss.diagonal;
    if (options.method == RoundingMethod::diagonal || hessian_.is_diagonal() || codec_ == nullptr) return loss;
    feed_back();
    if (options.method == RoundingMethod::polished) polish(options.sweeps);
    const std::vector<double> better = losses_of(decode_all(bytes_.data()));
    loss.chosen = 0;
    for (int64_t r = 0; r < rows_; ++r) {
      const auto i = static_cast<size_t>(r);
      const bool wins = better[i] < losses[i];  // not where it is NaN
      if (wins) std::memcpy(out + r * row_bytes_, bytes_.data() + r * row_bytes_, static_cast<size_t>(row_bytes_));
      loss.chosen += wins ? better[i] : losses[i];
    }
    return loss;
  }

 private:
  template <class Body>
  void for_rows(const Body& body) {
    threads_.parallel_for(rows_, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) body(r);
    });
  }

  void encode_all(std::byte* out) {
    for_rows([&](int64_t r) { info_.encode(w_ + r * n_, out + r * row_bytes_, n_, hessian_.diagonal().data()); });
  }

  std::vector<float> decode_all(const std::byte* bytes) {
    std::vector<float> out(static_cast<size_t>(rows_ * n_));
    for_rows([&](int64_t r) { info_.decode(bytes + r * row_bytes_, out.data() + r * n_, n_); });
    return out;
  }

  // [rows][n] = errors H'.
  std::vector<float> gradients(const std::vector<float>& errors) {
    std::vector<float> out(errors.size());
    std::vector<float> scratch(static_cast<size_t>(matmul_scratch_floats(rows_, n_, threads_.size())));
    const TensorView h{.dtype = DType::f32, .shape = {n_, n_}, .bytes = std::as_bytes(std::span(hessian_.matrix()))};
    matmul_into({.x = errors.data(), .m = rows_, .w = h, .out = out.data()}, scratch.data(), threads_);
    return out;
  }

  std::vector<float> errors_of(const std::vector<float>& decoded) {
    std::vector<float> errors(decoded.size());
    for (size_t i = 0; i < errors.size(); ++i) errors[i] = decoded[i] - w_[i];
    return errors;
  }

  std::vector<double> losses_of(const std::vector<float>& decoded) {
    const std::vector<float> errors = errors_of(decoded);
    const std::vector<float> g = hessian_.is_diagonal() ? std::vector<float>() : gradients(errors);
    std::vector<double> losses(static_cast<size_t>(rows_));
    for_rows([&](int64_t r) {
      double sum = 0;
      for (int64_t i = 0; i < n_; ++i) {
        const auto at = static_cast<size_t>(r * n_ + i);
        const float slope = g.empty() ? errors[at] * hessian_.diagonal()[static_cast<size_t>(i)] : g[at];
        sum += static_cast<double>(errors[at]) * static_cast<double>(slope);
      }
      losses[static_cast<size_t>(r)] = sum;
    });
    return losses;
  }

  // Unit after unit of columns: rows apart from each other inside it, one product for all columns after it.
  void feed_back() {
    compensated_.assign(w_, w_ + rows_ * n_);
    codes_.resize(static_cast<size_t>(rows_ * n_));
    bytes_.resize(static_cast<size_t>(rows_ * row_bytes_));
    std::vector<float> errors, sums, scratch;
    for (int64_t unit = 0; unit < hessian_.n_units(); ++unit) {
      const int64_t begin = unit * kRoundingUnit, end = std::min(n_, begin + kRoundingUnit);
      const int64_t width = end - begin, rest = n_ - end;
      errors.resize(static_cast<size_t>(rows_ * width));
      for_rows([&](int64_t r) { round_unit(r, unit, errors.data() + r * width); });
      if (rest == 0) return;
      sums.resize(static_cast<size_t>(rows_ * rest));
      scratch.resize(static_cast<size_t>(matmul_scratch_floats(rows_, width, threads_.size())));
      const TensorView tile{
          .dtype = DType::f32, .shape = {rest, width}, .bytes = std::as_bytes(std::span(hessian_.tile(unit)))};
      matmul_into({.x = errors.data(), .m = rows_, .w = tile, .out = sums.data()}, scratch.data(), threads_);
      for_rows([&](int64_t r) {
        float* row = compensated_.data() + r * n_ + end;
        const float* sum = sums.data() + r * rest;
        for (int64_t j = 0; j < rest; ++j) row[j] += sum[j];
      });
    }
  }

  // The columns of a unit in one row; errors become w - decoded.
  void round_unit(int64_t r, int64_t unit, float* errors) {
    const int64_t begin = unit * kRoundingUnit, end = std::min(n_, begin + kRoundingUnit);
    const int64_t width = end - begin;
    float* row = compensated_.data() + r * n_;
    const std::vector<float>& inner = hessian_.inner(unit);
    BlockLevels levels;
    for (int64_t block = begin; block < end; block += codec_->n_values) {
      std::byte* bytes = bytes_.data() + r * row_bytes_ + block / codec_->n_values * info_.block_bytes;
      bound(r, block);
      info_.encode(row + block, bytes, codec_->n_values, hessian_.diagonal().data() + block);
      codec_->levels_into(bytes, levels);
      uint8_t* codes = codes_.data() + r * n_ + block;
      for (int i = 0; i < codec_->n_values; ++i) {
        const int64_t column = block + i;
        float value = 0;
        codes[i] = codec_->nearest(levels, i, row[column], value);
        const float error = w_[r * n_ + column] - value;
        errors[column - begin] = error;
        const float* n = inner.data() + (column - begin) * width;
        for (int64_t j = column + 1 - begin; j < width; ++j) row[begin + j] += error * n[j];
      }
      codec_->put_codes(codes, bytes);
    }
  }

  // What would tear a block's scale up is cut: that error is then left.
  void bound(int64_t r, int64_t block) {
    float largest = 0;
    const float* w = w_ + r * n_ + block;
    for (int i = 0; i < codec_->n_values; ++i) largest = std::max(largest, std::fabs(w[i]));
    float* row = compensated_.data() + r * n_ + block;
    for (int i = 0; i < codec_->n_values; ++i) {
      row[i] = std::isfinite(row[i]) ? std::clamp(row[i], -kMaxGrowth * largest, kMaxGrowth * largest) : w[i];
    }
  }

  // Coordinate descent: each weight in turn goes to the level that is best for the others as they are.
  void polish(int sweeps) {
    std::vector<float> decoded = decode_all(bytes_.data());
    std::vector<float> slopes = gradients(errors_of(decoded));  // half of the gradients
    for_rows([&](int64_t r) { polish_row(r, sweeps, decoded.data() + r * n_, slopes.data() + r * n_); });
  }

  void polish_row(int64_t r, int sweeps, float* decoded, float* slopes) {
    std::vector<BlockLevels> levels(static_cast<size_t>(n_ / codec_->n_values));
    std::byte* bytes = bytes_.data() + r * row_bytes_;
    for (size_t b = 0; b < levels.size(); ++b) codec_->levels_into(bytes + b * info_.block_bytes, levels[b]);
    for (int sweep = 0; sweep < sweeps; ++sweep) {
      int64_t n_changed = 0;
      for (int64_t i = 0; i < n_; ++i) n_changed += improve(r, i, levels, decoded, slopes) ? 1 : 0;
      if (n_changed * 1000 < n_) break;
    }
    for (size_t b = 0; b < levels.size(); ++b)
      codec_->put_codes(codes_.data() + r * n_ + static_cast<int64_t>(b) * codec_->n_values,
                        bytes + b * info_.block_bytes);
  }

  bool improve(int64_t r, int64_t i, const std::vector<BlockLevels>& levels, float* decoded, float* slopes) {
    const float* h = hessian_.matrix().data() + i * n_;
    const BlockLevels& block = levels[static_cast<size_t>(i / codec_->n_values)];
    float value = 0;
    const uint8_t code =
        codec_->nearest(block, static_cast<int>(i % codec_->n_values), decoded[i] - slopes[i] / h[i], value);
    uint8_t& kept = codes_[static_cast<size_t>(r * n_ + i)];
    if (code == kept) return false;
    const float change = value - decoded[i];
    // Nearer to the minimum along this weight, by more than rounding errors.
    if (!(change * (2 * slopes[i] + change * h[i]) < -1e-6F * change * change * h[i])) return false;
    kept = code;
    decoded[i] = value;
    for (int64_t j = 0; j < n_; ++j) slopes[j] += change * h[j];
    return true;
  }

  const DTypeInfo& info_;
  const BlockCodec* codec_;
  const float* w_;
  int64_t rows_, n_, row_bytes_;
  const Hessian& hessian_;
  ThreadPool& threads_;
  std::vector<float> compensated_;
  std::vector<uint8_t> codes_;
  std::vector<std::byte> bytes_;
};

}  // namespace

RoundingLoss round_rows(DType type, std::span<const float> w, const Hessian& hessian, const RoundingOptions& options,
                        std::byte* out, ThreadPool& threads) {
  const int64_t n = hessian.n(), rows = std::ssize(w) / n;
  SMELT_CHECK(rows * n == std::ssize(w));
  const auto row_size = static_cast<int64_t>(row_bytes(type, static_cast<uint64_t>(n)).value_or(0));
  RoundingLoss loss;
  for (int64_t begin = 0; begin < rows; begin += kRowsAtOnce) {
    const int64_t end = std::min(rows, begin + kRowsAtOnce);
    const RoundingLoss part =
        RowRounder(type, w.data() + begin * n, end - begin, hessian, threads).run(options, out + begin * row_size);
    loss.diagonal += part.diagonal;
    loss.chosen += part.chosen;
  }
  return loss;
}

}  // namespace smelt
