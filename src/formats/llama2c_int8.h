// llama2.c v2 keeps a tensor as all its int8 values followed by one f32 scale per group; Q8_0 keeps blocks of 32
// values, each behind its f16 scale. A group of 64 becomes two blocks with the same scale. Internal to this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace smelt::llama2c {

inline constexpr int64_t kBlockValues = 32;

// raw: n_values int8, then n_values / group_size f32. group_size is a multiple of 32 and divides n_values. The values
// are kept; scales are rounded to f16 (relative error at most 2^-11), clamped to its range, non-finite ones become
// zero.
std::vector<std::byte> regroup_int8(std::span<const std::byte> raw, int64_t n_values, int64_t group_size);

}  // namespace smelt::llama2c
