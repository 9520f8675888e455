// A regular file mapped read-only. Tensor data is used in place from here; nothing is copied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace smelt {

class MappedFile {
 public:
  // Fails, without blocking, on anything that is not a regular file (directories, FIFOs, devices, dangling links).
  // An empty file maps to an empty span. Errors name the path.
  static Result<std::shared_ptr<const MappedFile>> open(const std::string& path);

  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }
  uint64_t size() const { return size_; }

  // Tells the kernel that this range will not be needed soon, so that its pages no longer count as resident.
  // A range that is not inside the file is left alone.
  void release_range(const void* begin, size_t size) const;

 private:
  MappedFile(std::string path, const std::byte* data, size_t size) : path_(std::move(path)), data_(data), size_(size) {}
  std::string path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// Reads a small file whole, refusing one of more than limit_bytes.
Result<std::string> read_file(const std::string& path, uint64_t limit_bytes);

// True if both paths name the same existing file (device and inode).
bool same_file(const std::string& a, const std::string& b);

}  // namespace smelt
