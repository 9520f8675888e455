// Private anonymous mappings: without access at first, so that they count nowhere.
#include "base/reserved_memory.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/units.h"

namespace smelt {

uint64_t ReservedMemory::page_bytes() { return static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)); }

Result<ReservedMemory> ReservedMemory::map(uint64_t bytes, int protection) {
  ReservedMemory memory;
  if (bytes == 0) return memory;
  void* at = bytes > INT64_MAX ? MAP_FAILED
                               : ::mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) {
    return input_error(
        fmt::format("the system does not give {} of addresses: {}", format_bytes(bytes), std::strerror(errno)));
  }
  memory.data_ = static_cast<std::byte*>(at);
  memory.size_ = bytes;
  return memory;
}

Result<ReservedMemory> ReservedMemory::reserve(uint64_t bytes) { return map(bytes, PROT_NONE); }

Result<ReservedMemory> ReservedMemory::zeros(uint64_t bytes) { return map(bytes, PROT_READ); }

Status ReservedMemory::open_range(uint64_t offset, uint64_t bytes) const {
  if (bytes == 0 || ::mprotect(data_ + offset, bytes, PROT_READ | PROT_WRITE) == 0) return {};
  return input_error(
      fmt::format("the system does not give {} of memory: {}", format_bytes(bytes), std::strerror(errno)));
}

void ReservedMemory::close_range(uint64_t offset, uint64_t bytes) const {
  if (bytes == 0) return;
  ::madvise(data_ + offset, bytes, MADV_DONTNEED);
  ::mprotect(data_ + offset, bytes, PROT_NONE);
}

ReservedMemory::~ReservedMemory() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace smelt
