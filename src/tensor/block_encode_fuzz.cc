// Any bits as values and as importance: every encoder must write its row and no more, and what it wrote must decode to
// finite numbers.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "tensor/dtype.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace smelt;
  constexpr size_t kValues = 256;
  std::vector<float> values(kValues);
  std::vector<float> importance(kValues, 1.0f);
  const size_t half = std::min(size / 2, kValues * sizeof(float));
  if (half > 0) std::memcpy(values.data(), data, half);
  if (half > 0) std::memcpy(importance.data(), data + half, half);
  for (const DTypeInfo& info : all_dtypes()) {
    std::vector<std::byte> bytes(*row_bytes(info.dtype, kValues));
    std::vector<float> decoded(kValues);
    info.encode(values.data(), bytes.data(), kValues, size % 2 == 0 ? importance.data() : nullptr);
    info.decode(bytes.data(), decoded.data(), kValues);
    for (const float value : decoded) SMELT_CHECK(!is_quantized(info.dtype) || std::isfinite(value));
    // Any bytes decode without trouble, too.
    std::memcpy(bytes.data(), data, std::min(size, bytes.size()));
    info.decode(bytes.data(), decoded.data(), kValues);
  }
  return 0;
}
