// How matrices of quantized blocks are multiplied; others are always multiplied in f32.
#pragma once

#include <cstdint>

namespace smelt {

enum class Compute : uint8_t {
  f32,   // decoded to f32 and used in place: the reference
  int8,  // activations rounded to 8 bits (kernels/qmatmul); the weights are repacked in memory
};

}  // namespace smelt
