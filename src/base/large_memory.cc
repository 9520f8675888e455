// Large pages are a wish: a system without them gives small ones, and all works as well, a little slower.
#include "base/large_memory.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "base/checked.h"
#include "base/units.h"

namespace smelt {
namespace {

constexpr uint64_t kLargePage = uint64_t{1} << 21;

}  // namespace

Result<LargeMemory> LargeMemory::allocate(uint64_t bytes) {
  LargeMemory memory;
  if (bytes == 0) return memory;
  const auto wanted = checked_add(bytes, kLargePage);
  if (!wanted || *wanted > INT64_MAX) return input_error(fmt::format("{} of memory cannot exist", format_bytes(bytes)));
  void* at = ::mmap(nullptr, *wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) {
    return input_error(
        fmt::format("the system does not give {} of memory: {}", format_bytes(bytes), std::strerror(errno)));
  }
  memory.mapping_ = at;
  memory.mapping_bytes_ = *wanted;
  const uint64_t skip = (kLargePage - reinterpret_cast<uintptr_t>(at) % kLargePage) % kLargePage;
  memory.data_ = static_cast<std::byte*>(at) + skip;
  memory.size_ = bytes;
  ::madvise(memory.data_, bytes, MADV_HUGEPAGE);
  return memory;
}

LargeMemory::~LargeMemory() {
  if (mapping_ != nullptr) ::munmap(mapping_, mapping_bytes_);
}

}  // namespace smelt
