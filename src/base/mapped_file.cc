// MappedFile and read_file: opening without blocking, refusing what is not a regular file.
#include "base/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <functional>

#include "base/text.h"

namespace smelt {
namespace {

struct OpenFile {
  int fd;
  uint64_t size;
};

const char* describe_kind(mode_t mode) {
  if (S_ISDIR(mode)) return "is a directory";
  if (S_ISFIFO(mode)) return "is a named pipe";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "is a device";
  return "is a socket";
}

Error file_error(const std::string& path, const std::string& what) {
  return input_error(fmt::format("{}: {}", escape_for_display(path, 4096), what));
}

Error open_error(const std::string& path, int code) {
  std::array<char, 256> target{};
  if (code == ENOENT && ::readlink(path.c_str(), target.data(), target.size() - 1) > 0) {
    return file_error(
        path, fmt::format("is a link to '{}', which does not exist", escape_for_display(target.data(), target.size())));
  }
  return file_error(path, fmt::format("cannot open: {}", std::strerror(code)));
}

Result<OpenFile> open_regular(const std::string& path) {
  if (path.find('\0') != std::string::npos) return file_error(path, "the path contains a NUL character");
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return open_error(path, errno);
  struct stat info {};
  if (::fstat(fd, &info) != 0) {
    const int code = errno;
    ::close(fd);
    return file_error(path, fmt::format("cannot read its size: {}", std::strerror(code)));
  }
  if (!S_ISREG(info.st_mode)) {
    ::close(fd);
    return file_error(path, fmt::format("not a regular file: it {}", describe_kind(info.st_mode)));
  }
  return OpenFile{fd, static_cast<uint64_t>(info.st_size)};
}

}  // namespace

Result<std::shared_ptr<const MappedFile>> MappedFile::open(const std::string& path) {
  SMELT_ASSIGN(const OpenFile file, open_regular(path));
  const std::byte* data = nullptr;
  if (file.size > 0) {
    void* address = ::mmap(nullptr, file.size, PROT_READ, MAP_PRIVATE, file.fd, 0);
    if (address == MAP_FAILED) {
      const int code = errno;
      ::close(file.fd);
      return file_error(path, fmt::format("cannot map {} bytes: {}", file.size, std::strerror(code)));
    }
    data = static_cast<const std::byte*>(address);
  }
  ::close(file.fd);
  return std::shared_ptr<const MappedFile>(new MappedFile(path, data, file.size));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::release_range(const void* begin, size_t size) const {
  // Memory of others, such as tensors regrouped on opening, would be zeroed.
  const auto* at = static_cast<const std::byte*>(begin);
  if (std::less<>()(at, data_) || std::less<>()(data_ + size_, at + size)) return;
  // Whole pages inside the range only: their neighbours may be in use by other tensors.
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t first = (reinterpret_cast<uintptr_t>(begin) + page - 1) / page * page;
  const uintptr_t last = (reinterpret_cast<uintptr_t>(begin) + size) / page * page;
  // NOLINTNEXTLINE(performance-no-int-to-ptr): pages are found by arithmetic on addresses
  if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

Result<std::string> read_file(const std::string& path, uint64_t limit_bytes) {
  SMELT_ASSIGN(const OpenFile file, open_regular(path));
  if (file.size > limit_bytes) {
    ::close(file.fd);
    return file_error(path, fmt::format("has {} bytes, more than the {} allowed here", file.size, limit_bytes));
  }
  std::string text(file.size, '\0');
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = ::read(file.fd, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int code = errno;
      ::close(file.fd);
      return file_error(path, fmt::format("cannot read: {}", std::strerror(code)));
    }
    if (n == 0) break;  // the file became shorter since fstat
    done += static_cast<size_t>(n);
  }
  ::close(file.fd);
  text.resize(done);
  return text;
}

bool same_file(const std::string& a, const std::string& b) {
  struct stat first {};
  struct stat second {};
  return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

}  // namespace smelt
