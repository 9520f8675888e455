// Address space that holds memory only where it was opened: a touch elsewhere is a fault, never wrong data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/result.h"

namespace smelt {

class ReservedMemory {
 public:
  ReservedMemory() = default;
  // No memory is taken; begins on a page boundary.
  static Result<ReservedMemory> reserve(uint64_t bytes);
  // The same, readable everywhere as zeros that take no memory.
  static Result<ReservedMemory> zeros(uint64_t bytes);
  // What ranges must begin on a multiple of.
  static uint64_t page_bytes();

  // Makes a range writable, as zeros where it was not open. An error where the system has no memory for it.
  Status open_range(uint64_t offset, uint64_t bytes) const;
  // Gives the range's memory back; it is as after reserve.
  void close_range(uint64_t offset, uint64_t bytes) const;

  std::byte* data() const { return data_; }
  uint64_t size() const { return size_; }

  ReservedMemory(ReservedMemory&& other) noexcept { swap(other); }
  ReservedMemory& operator=(ReservedMemory&& other) noexcept {
    ReservedMemory moved(std::move(other));
    swap(moved);
    return *this;
  }
  ~ReservedMemory();

 private:
  static Result<ReservedMemory> map(uint64_t bytes, int protection);
  void swap(ReservedMemory& other) {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }
  std::byte* data_ = nullptr;
  uint64_t size_ = 0;
};

}  // namespace smelt
