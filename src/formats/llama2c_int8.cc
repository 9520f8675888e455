// The int8 groups of llama2.c v2 as Q8_0 blocks. Called by llama2c.cc.
#include "formats/llama2c_int8.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "formats/byte_reader.h"
#include "tensor/dtype.h"

namespace smelt::llama2c {
namespace {

constexpr float kLargestHalf = 65504.0F;

}  // namespace

std::vector<std::byte> regroup_int8(std::span<const std::byte> raw, int64_t n_values, int64_t group_size) {
  const DTypeInfo& q8_0 = dtype_info(DType::q8_0);  // {f16 scale, int8 values[32]}
  const DTypeInfo& f16 = dtype_info(DType::f16);
  const int64_t n_blocks = n_values / kBlockValues;
  const std::byte* scales = raw.data() + n_values;
  std::vector<std::byte> out(static_cast<size_t>(n_blocks) * q8_0.block_bytes);
  for (int64_t block = 0; block < n_blocks; ++block) {
    const int64_t group = block * kBlockValues / group_size;
    float scale = load_little_endian<float>(scales + group * 4);
    scale = std::isfinite(scale) ? std::clamp(scale, -kLargestHalf, kLargestHalf) : 0.0F;
    std::byte* to = out.data() + static_cast<size_t>(block) * q8_0.block_bytes;
    f16.encode(&scale, to, 1, nullptr);
    std::memcpy(to + 2, raw.data() + block * kBlockValues, kBlockValues);
  }
  return out;
}

}  // namespace smelt::llama2c
