#include "templates/text.h"

#include <algorithm>

namespace smelt::jinja {

void Text::mix() {
  if (marks_.empty()) marks_.assign(bytes_.size(), foreign_ ? '\1' : '\0');
}

void Text::append(std::string_view bytes, bool foreign) {
  if (bytes.empty()) return;
  if (bytes_.empty()) foreign_ = foreign;
  if (!marks_.empty() || foreign != foreign_) {
    mix();
    marks_.append(bytes.size(), foreign ? '\1' : '\0');
  }
  bytes_ += bytes;
}

void Text::append(const Text& other, size_t begin, size_t count) {
  begin = std::min(begin, other.size());
  count = std::min(count, other.size() - begin);
  if (other.marks_.empty()) {
    append(std::string_view(other.bytes_).substr(begin, count), other.foreign_);
  } else if (count > 0) {
    if (bytes_.empty()) foreign_ = other.foreign_at(begin);
    mix();
    marks_.append(other.marks_, begin, count);
    bytes_.append(other.bytes_, begin, count);
  }
}

Text Text::substr(size_t begin, size_t count) const {
  Text out;
  out.append(*this, begin, count);
  return out;
}

std::vector<Text::Piece> Text::pieces() const {
  std::vector<Piece> out;
  const std::string_view all = bytes_;
  for (size_t begin = 0; begin < all.size();) {
    size_t end = marks_.empty() ? all.size() : begin + 1;
    while (end < all.size() && marks_[end] == marks_[begin]) ++end;
    out.push_back({all.substr(begin, end - begin), foreign_at(begin)});
    begin = end;
  }
  return out;
}

}  // namespace smelt::jinja
