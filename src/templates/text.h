// Text that knows where each of its bytes came from: from the template or from the caller's data (messages, tools). All
// operations on strings keep that, so that what is rendered can be encoded without data ever becoming special tokens.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace smelt::jinja {

class Text {
 public:
  Text() = default;
  explicit Text(std::string bytes, bool foreign = false) : bytes_(std::move(bytes)), foreign_(foreign) {}

  const std::string& bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  // True for bytes of the caller's data.
  bool foreign_at(size_t at) const { return marks_.empty() ? foreign_ : marks_[at] != 0; }

  void append(std::string_view bytes, bool foreign);
  void append(const Text& other) { append(other, 0, other.size()); }
  void append(const Text& other, size_t begin, size_t count);
  Text substr(size_t begin, size_t count = std::string::npos) const;

  // Runs of one origin, in order.
  struct Piece {
    std::string_view text;
    bool foreign;
  };
  std::vector<Piece> pieces() const;

 private:
  void mix();

  std::string bytes_;
  std::string marks_;  // empty: all bytes are of foreign_'s origin; else one for each byte
  bool foreign_ = false;
};

}  // namespace smelt::jinja
