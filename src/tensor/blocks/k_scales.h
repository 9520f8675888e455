// The 12 bytes in which Q4_K and Q5_K keep eight 6-bit scales s and eight 6-bit minima m:
//
//   bytes 0-3   s_i (i = 0..3) in bits 0-5, the high two bits of s_{i+4} in bits 6-7
//   bytes 4-7   m_i (i = 0..3) in bits 0-5, the high two bits of m_{i+4} in bits 6-7
//   bytes 8-11  the low four bits of s_{i+4} in bits 0-3, of m_{i+4} in bits 4-7
#pragma once

#include <cstdint>

namespace smelt {

inline void unpack_k_scales(const uint8_t* bytes, uint8_t* scales, uint8_t* minima) {
  for (int i = 0; i < 4; ++i) {
    scales[i] = bytes[i] & 63;
    minima[i] = bytes[i + 4] & 63;
    scales[i + 4] = static_cast<uint8_t>((bytes[i + 8] & 15) | ((bytes[i] >> 6) << 4));
    minima[i + 4] = static_cast<uint8_t>((bytes[i + 8] >> 4) | ((bytes[i + 4] >> 6) << 4));
  }
}

inline void pack_k_scales(const uint8_t* scales, const uint8_t* minima, uint8_t* bytes) {
  for (int i = 0; i < 4; ++i) {
    bytes[i] = static_cast<uint8_t>(scales[i] | ((scales[i + 4] >> 4) << 6));
    bytes[i + 4] = static_cast<uint8_t>(minima[i] | ((minima[i + 4] >> 4) << 6));
    bytes[i + 8] = static_cast<uint8_t>((scales[i + 4] & 15) | ((minima[i + 4] & 15) << 4));
  }
}

}  // namespace smelt
