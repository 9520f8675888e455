// Counts allocations by replacing the allocation functions of a whole test program: include it in one file of a program
// only. All forms are replaced, so that sanitizers see matching pairs.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace smelt {

inline std::atomic<int64_t> g_allocations{0};

// ThreadSanitizer brings allocation functions of its own, which nothing may replace: nothing is counted under it.
#if defined(__SANITIZE_THREAD__)
#define SMELT_COUNTS_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SMELT_COUNTS_ALLOCATIONS 0
#endif
#endif
#ifndef SMELT_COUNTS_ALLOCATIONS
#define SMELT_COUNTS_ALLOCATIONS 1
#endif
inline constexpr bool kCountsAllocations = SMELT_COUNTS_ALLOCATIONS != 0;

inline void* count_and_allocate(std::size_t size) noexcept {
  g_allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(size == 0 ? 1 : size);
}
inline void* count_and_allocate_or_throw(std::size_t size) {
  if (void* p = count_and_allocate(size)) return p;
  throw std::bad_alloc();
}
// Of types aligned beyond what malloc gives.
inline void* count_and_allocate_or_throw(std::size_t size, std::align_val_t align) {
  g_allocations.fetch_add(1, std::memory_order_relaxed);
  const auto step = static_cast<std::size_t>(align);
  if (void* p = std::aligned_alloc(step, (size + step - 1) / step * step)) return p;
  throw std::bad_alloc();
}

}  // namespace smelt

#if SMELT_COUNTS_ALLOCATIONS
void* operator new(std::size_t size) { return smelt::count_and_allocate_or_throw(size); }
void* operator new[](std::size_t size) { return smelt::count_and_allocate_or_throw(size); }
// std::stable_sort asks this way.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return smelt::count_and_allocate(size); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void* operator new(std::size_t size, std::align_val_t align) { return smelt::count_and_allocate_or_throw(size, align); }
void* operator new[](std::size_t size, std::align_val_t align) {
  return smelt::count_and_allocate_or_throw(size, align);
}
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
#endif
