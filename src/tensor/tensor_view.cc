// Shape and the checked size of a tensor. Dimensions read from a file pass through tensor_bytes before they become a
// Shape.
#include "tensor/tensor_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "base/check.h"
#include "base/checked.h"
#include "tensor/rows16.h"

namespace smelt {

Shape::Shape(std::initializer_list<int64_t> list) : rank(static_cast<int>(list.size())) {
  SMELT_CHECK(list.size() <= static_cast<size_t>(kMaxRank));
  std::copy(list.begin(), list.end(), dims.begin());
}

int64_t Shape::rows() const {
  int64_t product = 1;
  for (int i = 0; i + 1 < rank; ++i) product *= dims[static_cast<size_t>(i)];
  return product;
}

int64_t Shape::values() const { return rows() * columns(); }

bool Shape::operator==(const Shape& other) const {
  return rank == other.rank && std::equal(dims.begin(), dims.begin() + rank, other.dims.begin());
}

std::string Shape::to_string() const {
  if (rank == 0) return "scalar";
  return fmt::format("{}", fmt::join(dims.begin(), dims.begin() + rank, " x "));
}

std::optional<uint64_t> row_bytes(DType dtype, uint64_t n) {
  const DTypeInfo& info = dtype_info(dtype);
  if (n % info.block_values != 0) return std::nullopt;
  return checked_mul<uint64_t>(n / info.block_values, info.block_bytes);
}

void TensorView::copy_row_into(int64_t r, std::byte* out) const {
  if (layout == Layout::rows) {
    std::memcpy(out, row(r), row_size());
    return;
  }
  const uint64_t group_bytes = rows16_bytes(dtype, kRows16, columns());
  unpack_row16(dtype, bytes.data() + static_cast<uint64_t>(r / kRows16) * group_bytes, r % kRows16, columns(), out);
}

void TensorView::decode_row_into(int64_t r, float* out) const {
  if (layout == Layout::rows) return dtype_info(dtype).decode(row(r), out, columns());
  std::vector<std::byte> stock(row_size());
  copy_row_into(r, stock.data());
  dtype_info(dtype).decode(stock.data(), out, columns());
}

namespace {

// Values and bytes must both fit int64_t, the type of shapes and offsets.
constexpr uint64_t kMaxSize = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());

Status check_dims(std::span<const uint64_t> dims) {
  if (dims.size() > static_cast<size_t>(Shape::kMaxRank)) {
    return input_error(fmt::format("has {} dimensions, at most {} are supported", dims.size(), Shape::kMaxRank));
  }
  uint64_t values = 1;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0) return input_error(fmt::format("dimension {} is 0", i));
    const auto product = checked_mul(values, dims[i]);
    if (!product || *product > kMaxSize) {
      return input_error(fmt::format("dimension {} is {}: the number of values overflows 64 bits", i, dims[i]));
    }
    values = *product;
  }
  return {};
}

}  // namespace

Result<uint64_t> tensor_bytes(DType dtype, std::span<const uint64_t> dims_outermost_first) {
  const auto dims = dims_outermost_first;
  SMELT_TRY(check_dims(dims));
  const DTypeInfo& info = dtype_info(dtype);
  const uint64_t columns = dims.empty() ? 1 : dims.back();
  if (columns % info.block_values != 0) {
    return input_error(fmt::format("dimension {} (the row) is {}, not a multiple of {}'s block of {} values",
                                   dims.empty() ? 0 : dims.size() - 1, columns, info.name, info.block_values));
  }
  auto bytes = row_bytes(dtype, columns);
  for (size_t i = 0; bytes && i + 1 < dims.size(); ++i) bytes = checked_mul(*bytes, dims[i]);
  if (!bytes || *bytes > kMaxSize) {
    return input_error(fmt::format("{} values of type {} overflow 64 bits of size", fmt::join(dims, " x "), info.name));
  }
  return *bytes;
}

}  // namespace smelt
