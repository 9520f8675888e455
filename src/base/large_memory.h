// Anonymous memory for gigabytes of weights or cache, on large pages where the system gives them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "base/result.h"

namespace smelt {

class LargeMemory {
 public:
  LargeMemory() = default;
  // Zeroed; pages that are never touched are never resident. Begins on a 2 MiB boundary.
  static Result<LargeMemory> allocate(uint64_t bytes);
  LargeMemory(LargeMemory&& other) noexcept { swap(other); }
  LargeMemory& operator=(LargeMemory&& other) noexcept {
    LargeMemory moved(std::move(other));
    swap(moved);
    return *this;
  }
  ~LargeMemory();

  std::byte* data() const { return data_; }
  uint64_t size() const { return size_; }

 private:
  void swap(LargeMemory& other) {
    std::swap(mapping_, other.mapping_);
    std::swap(mapping_bytes_, other.mapping_bytes_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }
  void* mapping_ = nullptr;
  uint64_t mapping_bytes_ = 0;
  std::byte* data_ = nullptr;
  uint64_t size_ = 0;
};

}  // namespace smelt
