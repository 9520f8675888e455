// Preloaded by test_nth_failure.py: the Nth call of one function of the C library fails, the others go through.
//   SMELT_FAIL="FUNCTION N ERRNO"   ERRNO 0: half of what was asked for is read or written
//   SMELT_FAIL_ON=1                 all later calls fail too
//   SMELT_FAIL_MARK=PATH            this file is made when the first call fails
// Calls are counted from the program's first fcntl, its very first act: before, the libraries set themselves up.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t n, size_t size);
void* __libc_realloc(void* old, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
}

namespace {

struct Plan {
  char function[32] = "";
  long nth = 0;
  int code = 0;
  bool goes_on = false;
  const char* mark = nullptr;
};
Plan g_plan;
std::atomic<long> g_calls{0};
std::atomic<bool> g_armed{false};

void arm() {
  if (g_armed.load()) return;
  const char* text = std::getenv("SMELT_FAIL");
  if (text == nullptr || std::sscanf(text, "%31s %ld %d", g_plan.function, &g_plan.nth, &g_plan.code) != 3) return;
  g_plan.goes_on = std::getenv("SMELT_FAIL_ON") != nullptr;
  g_plan.mark = std::getenv("SMELT_FAIL_MARK");
  g_armed.store(true);
}

// Whether this call is to fail; errno is set.
bool fails(const char* function) {
  if (!g_armed.load(std::memory_order_relaxed) || std::strcmp(function, g_plan.function) != 0) return false;
  const long call = g_calls.fetch_add(1) + 1;
  if (call != g_plan.nth && !(g_plan.goes_on && call > g_plan.nth)) return false;
  if (g_plan.mark != nullptr && call == g_plan.nth) {
    const long fd = ::syscall(SYS_open, g_plan.mark, O_WRONLY | O_CREAT, 0600);
    ::syscall(SYS_close, fd);
  }
  errno = g_plan.code;
  return true;
}

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

// The bytes to ask for when a call is to be short, 0 for one that fails.
size_t short_size(size_t size) { return g_plan.code == 0 ? (size + 1) / 2 : 0; }

bool makes_file(int flags) { return (flags & O_CREAT) != 0; }

}  // namespace

extern "C" {

int fcntl(int fd, int command, ...) {
  arm();
  va_list list;
  va_start(list, command);
  const long argument = va_arg(list, long);
  va_end(list);
  return static_cast<int>(::syscall(SYS_fcntl, fd, command, argument));
}
int fcntl64(int fd, int command, ...) __attribute__((alias("fcntl")));

int open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if (makes_file(flags)) {
    va_list list;
    va_start(list, flags);
    mode = va_arg(list, mode_t);
    va_end(list);
  }
  if (fails("open")) return -1;
  return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}
int open64(const char* path, int flags, ...) __attribute__((alias("open")));

void* mmap(void* at, size_t size, int protection, int flags, int fd, off_t offset) {
  if (fd >= 0 && fails("mmap")) return MAP_FAILED;
  return reinterpret_cast<void*>(::syscall(SYS_mmap, at, size, protection, flags, fd, offset));
}
void* mmap64(void* at, size_t size, int protection, int flags, int fd, off_t offset) __attribute__((alias("mmap")));

ssize_t read(int fd, void* data, size_t size) {
  if (size > 1 && fails("read")) {
    size = short_size(size);
    if (size == 0) return -1;
  }
  return ::syscall(SYS_read, fd, data, size);
}

ssize_t write(int fd, const void* data, size_t size) {
  if (fd == STDOUT_FILENO && size > 1 && fails("write")) {
    size = short_size(size);
    if (size == 0) return -1;
  }
  return ::syscall(SYS_write, fd, data, size);
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  if (fails("pwrite")) {
    size = short_size(size);
    if (size == 0) return -1;
  }
  return ::syscall(SYS_pwrite64, fd, data, size, offset);
}
ssize_t pwrite64(int fd, const void* data, size_t size, off_t offset) __attribute__((alias("pwrite")));

int fsync(int fd) { return fails("fsync") ? -1 : static_cast<int>(::syscall(SYS_fsync, fd)); }
int close(int fd) {
  const int done = static_cast<int>(::syscall(SYS_close, fd));
  return fails("close") ? -1 : done;
}
int link(const char* from, const char* to) {
  return fails("link") ? -1 : static_cast<int>(::syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0));
}
int rename(const char* from, const char* to) noexcept {
  return fails("rename") ? -1 : static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
int renameat2(int from_fd, const char* from, int to_fd, const char* to, unsigned flags) noexcept {
  return fails("rename") ? -1 : static_cast<int>(::syscall(SYS_renameat2, from_fd, from, to_fd, to, flags));
}
int mkdir(const char* path, mode_t mode) noexcept {
  return fails("mkdir") ? -1 : static_cast<int>(::syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

void* malloc(size_t size) { return fails("malloc") ? nullptr : __libc_malloc(size); }
void* calloc(size_t n, size_t size) { return fails("malloc") ? nullptr : __libc_calloc(n, size); }
void* realloc(void* old, size_t size) { return fails("malloc") ? nullptr : __libc_realloc(old, size); }
void* aligned_alloc(size_t alignment, size_t size) {
  return fails("malloc") ? nullptr : __libc_memalign(alignment, size);
}
int posix_memalign(void** out, size_t alignment, size_t size) {
  *out = fails("malloc") ? nullptr : __libc_memalign(alignment, size);
  return *out == nullptr ? ENOMEM : 0;
}

}  // extern "C"
