// A cursor over the bytes of a file that cannot leave them: every read says whether there was enough. Little-endian, as
// all formats here are. Used by the readers of this folder; the writers have their counterpart in byte_writer.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

namespace smelt {

// Composed from single bytes, so that it is right on any host and any alignment; compilers make one load of it.
template <class T>
  requires std::is_arithmetic_v<T>
T load_little_endian(const std::byte* from) {
  using Bits = std::conditional_t<
      sizeof(T) == 1, uint8_t,
      std::conditional_t<sizeof(T) == 2, uint16_t, std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>>;
  Bits bits = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    bits = static_cast<Bits>(bits | static_cast<Bits>(static_cast<Bits>(from[i]) << (8 * i)));
  }
  T value;
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  uint64_t position() const { return position_; }
  uint64_t size() const { return bytes_.size(); }
  uint64_t remaining() const { return bytes_.size() - position_; }

  template <class T>
  std::optional<T> read() {
    const auto raw = take(sizeof(T));
    if (!raw) return std::nullopt;
    return load_little_endian<T>(raw->data());
  }

  // The next n bytes in place, or nothing (and no movement) if fewer are left.
  std::optional<std::span<const std::byte>> take(uint64_t n) {
    if (n > remaining()) return std::nullopt;
    const auto part = bytes_.subspan(position_, n);
    position_ += n;
    return part;
  }

 private:
  std::span<const std::byte> bytes_;
  uint64_t position_ = 0;
};

inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline std::span<const std::byte> as_byte_span(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

}  // namespace smelt
