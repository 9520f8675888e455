// Counter-based: every value and every draw is a hash of where it stands, so threads change nothing.
#include "compress/random_weights.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numbers>

#include "base/check.h"
#include "base/hash.h"

namespace smelt {
namespace {

constexpr double kDeviation = 0.02;
constexpr int64_t kStockValues = int64_t{1} << 18;
constexpr int64_t kPlainUnit = 32;
constexpr int64_t kMaxUnit = 256;

uint64_t hash_of(uint64_t a, uint64_t b, uint64_t c) {
  Hasher hasher;
  hasher.add(a);
  hasher.add(b);
  hasher.add(c);
  return hasher.value();
}

}  // namespace

float random_weight(uint64_t seed, uint64_t index) {
  // Box and Muller (1958): two uniform values make two normal ones; this is the one of the cosine.
  const uint64_t bits = hash_of(seed, index, 0);
  const double u = (static_cast<double>(bits >> 32) + 1) * 0x1p-32;  // (0, 1]
  const double v = static_cast<double>(bits & 0xffffffffU) * 0x1p-32;
  return static_cast<float>(kDeviation * std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v));
}

void RandomWeights::prepare(DType type) {
  if (stocks_.contains(type)) return;
  const DTypeInfo& info = dtype_info(type);
  Stock& stock = stocks_[type];
  stock.unit_values = is_quantized(type) ? info.block_values : kPlainUnit;
  stock.value_bytes = is_quantized(type) ? 0 : info.block_bytes;
  stock.unit_bytes = row_bytes(type, static_cast<uint64_t>(stock.unit_values)).value_or(0);
  SMELT_CHECK(stock.unit_values <= kMaxUnit && stock.unit_bytes > 0);
  const int64_t n_units = kStockValues / stock.unit_values;
  stock.n_units = static_cast<uint64_t>(n_units);
  stock.bytes.resize(stock.n_units * stock.unit_bytes);
  threads_.parallel_for(n_units, kMaxUnit, [&](int64_t begin, int64_t end, int) {
    std::array<float, kMaxUnit> values{};
    for (int64_t u = begin; u < end; ++u) {
      for (int64_t i = 0; i < stock.unit_values; ++i)
        values[static_cast<size_t>(i)] = random_weight(seed_, static_cast<uint64_t>(u * stock.unit_values + i));
      info.encode(values.data(), stock.bytes.data() + static_cast<uint64_t>(u) * stock.unit_bytes, stock.unit_values,
                  nullptr);
    }
  });
}

void RandomWeights::row_into(DType type, uint64_t tensor, int64_t row, int64_t columns, std::byte* out) const {
  const Stock& stock = stocks_.at(type);
  const uint64_t stream = hash_of(seed_, tensor, static_cast<uint64_t>(row) + 1);
  for (int64_t done = 0; done < columns; done += stock.unit_values) {
    const int64_t n = std::min(stock.unit_values, columns - done);
    SMELT_CHECK(n == stock.unit_values || stock.value_bytes > 0);  // rows are whole blocks
    const uint64_t bytes = n == stock.unit_values ? stock.unit_bytes : static_cast<uint64_t>(n) * stock.value_bytes;
    const uint64_t unit = hash_of(stream, static_cast<uint64_t>(done), 1) % stock.n_units;
    std::memcpy(out, stock.bytes.data() + unit * stock.unit_bytes, bytes);
    out += bytes;
  }
}

}  // namespace smelt
