// How matrices are multiplied.
#pragma once

#include <cstdint>

namespace smelt {

enum class Compute : uint8_t {
  f32,   // decoded to f32 and used in place: the reference
  int8,  // quantized blocks in int8, activations rounded to 8 bits (kernels/qmatmul), the weights repacked in memory;
         // bf16 in bf16 products for long prompts; f16 and f32 as above
};

}  // namespace smelt
