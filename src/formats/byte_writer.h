// Appends little-endian values to a string: the headers of files that this folder writes, and the bad files of its
// tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace smelt {

class ByteWriter {
 public:
  template <class T>
    requires std::is_arithmetic_v<T>
  void put(T value) {
    using Bits = std::conditional_t<
        sizeof(T) == 1, uint8_t,
        std::conditional_t<sizeof(T) == 2, uint16_t, std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>>;
    Bits bits;
    std::memcpy(&bits, &value, sizeof(T));
    for (size_t i = 0; i < sizeof(T); ++i) out_.push_back(static_cast<char>((bits >> (8 * i)) & 0xFF));
  }
  void put_text(std::string_view text) { out_.append(text); }
  // GGUF's strings: a 64-bit length, then the bytes.
  void put_string(std::string_view text) {
    put(static_cast<uint64_t>(text.size()));
    out_.append(text);
  }
  void pad_to_multiple(size_t unit) { out_.resize((out_.size() + unit - 1) / unit * unit, '\0'); }

  size_t size() const { return out_.size(); }
  const std::string& bytes() const { return out_; }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

}  // namespace smelt
