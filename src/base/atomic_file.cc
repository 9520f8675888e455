// AtomicFile: temporary in the same folder, fsync, rename, fsync of the folder. A small table of open temporaries lets
// a signal handler remove them.
#include "base/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>

#include "base/check.h"
#include "base/checked.h"
#include "base/text.h"

namespace smelt {
namespace {

constexpr size_t kBufferBytes = 1 << 20;

// Paths of temporaries, readable from a signal handler: a slot is owned while `used`, and its path is complete while
// `ready`. Files beyond the table are still removed by their destructor.
struct TemporarySlot {
  std::atomic<bool> used{false};
  std::atomic<bool> ready{false};
  std::array<char, PATH_MAX> path{};
};
std::array<TemporarySlot, 16> g_temporaries;

// As the kernel writes it (getdents64(2)).
struct DirectoryEntry {
  uint64_t inode;
  int64_t next;
  uint16_t length;
  uint8_t type;
  char name[1];
};

// readdir allocates; this does not.
void remove_files_in(int folder) noexcept {
  alignas(DirectoryEntry) std::array<char, 4096> buffer;
  for (long n = 0; (n = ::syscall(SYS_getdents64, folder, buffer.data(), buffer.size())) > 0;) {
    for (long at = 0; at < n;) {
      const auto* entry = reinterpret_cast<const DirectoryEntry*>(buffer.data() + at);
      ::unlinkat(folder, entry->name, 0);  // "." and ".." refuse
      at += entry->length;
    }
  }
}

}  // namespace

void register_temporary(const std::string& path) {
  if (path.size() >= PATH_MAX) return;
  for (TemporarySlot& slot : g_temporaries) {
    bool expected = false;
    if (!slot.used.compare_exchange_strong(expected, true)) continue;
    std::memcpy(slot.path.data(), path.c_str(), path.size() + 1);
    slot.ready.store(true);
    return;
  }
}

void unregister_temporary(const std::string& path) {
  for (TemporarySlot& slot : g_temporaries) {
    if (!slot.ready.load() || path != slot.path.data()) continue;
    slot.ready.store(false);
    slot.used.store(false);
    return;
  }
}

void remove_temporary(const char* path) noexcept {
  if (::unlink(path) == 0) return;
  const int folder = ::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (folder < 0) return;
  remove_files_in(folder);
  ::close(folder);
  ::rmdir(path);
}

void remove_open_temporaries() noexcept {
  for (TemporarySlot& slot : g_temporaries) {
    if (slot.ready.load()) remove_temporary(slot.path.data());
  }
}

namespace {

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Error write_error(const std::string& path, int code) {
  return input_error(fmt::format("{}: write error: {}", escape_for_display(path, 4096), std::strerror(code)));
}

Error exists_error(const std::string& path) {
  return input_error(fmt::format("{}: exists already; choose another name or use --force to replace it",
                                 escape_for_display(path, 4096)));
}

Error create_error(const std::string& path, const std::string& destination, int code) {
  const std::string folder = folder_of(destination);
  const std::string why = code == ENOENT && ::access(folder.c_str(), F_OK) != 0
                              ? fmt::format("the folder '{}' does not exist", escape_for_display(folder, 4096))
                              : std::strerror(code);
  return input_error(fmt::format("{}: cannot create: {}", escape_for_display(path, 4096), why));
}

// The file that `path` leads to through links, and its permissions if it exists.
struct Destination {
  std::string path;
  std::optional<mode_t> mode;
};

Result<Destination> find_destination(const std::string& path) {
  const std::string shown = escape_for_display(path, 4096);
  if (path.empty() || path.find('\0') != std::string::npos)
    return input_error(fmt::format("'{}': not a file name", shown));
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return Destination{path, std::nullopt};
  std::string target = path;
  if (S_ISLNK(info.st_mode)) {
    const std::unique_ptr<char, decltype(&std::free)> resolved(::realpath(path.c_str(), nullptr), &std::free);
    if (resolved == nullptr || ::stat(path.c_str(), &info) != 0) {
      return input_error(
          fmt::format("{}: is a link to a file that does not exist; remove it or name its target", shown));
    }
    target = resolved.get();
  }
  if (!S_ISREG(info.st_mode)) return input_error(fmt::format("{}: exists and is not a regular file", shown));
  return Destination{std::move(target), info.st_mode & 07777};
}

void sync_folder(const std::string& path) {
  const int fd = ::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

}  // namespace

AtomicFile::AtomicFile(std::string path, std::string temporary, int fd, Overwrite overwrite)
    : path_(std::move(path)), temporary_(std::move(temporary)), fd_(fd), overwrite_(overwrite) {}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      buffer_(std::move(other.buffer_)),
      fd_(std::exchange(other.fd_, -1)),
      failed_(other.failed_),
      size_(other.size_),
      written_(other.written_),
      overwrite_(other.overwrite_) {}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
  unregister_temporary(temporary_);
}

Result<AtomicFile> AtomicFile::create(const std::string& path, Overwrite overwrite) {
  SMELT_ASSIGN(const Destination destination, find_destination(path));
  if (destination.mode && overwrite == Overwrite::refuse) return exists_error(path);
  static std::atomic<unsigned> counter{0};
  const std::string temporary = fmt::format("{}.{}.{}.tmp", destination.path, ::getpid(), counter++);
  AtomicFile file(destination.path, temporary, -1, overwrite);  // nothing can throw between open and its owner
  register_temporary(temporary);
  file.fd_ = ::open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file.fd_ < 0) {
    const int code = errno;
    unregister_temporary(temporary);
    return create_error(path, destination.path, code);
  }
  if (destination.mode) ::fchmod(file.fd_, *destination.mode);
  return file;
}

Status AtomicFile::write_out(const char* data, size_t size, uint64_t offset) {
  if (failed_ != 0) return write_error(path_, failed_);
  while (size > 0) {
    const ssize_t n = ::pwrite(fd_, data, size, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      failed_ = errno;
      return write_error(path_, failed_);
    }
    data += n;
    offset += static_cast<uint64_t>(n);
    size -= static_cast<size_t>(n);
  }
  return {};
}

Status AtomicFile::flush() {
  SMELT_TRY(write_out(buffer_.data(), buffer_.size(), written_));
  written_ += buffer_.size();
  buffer_.clear();
  return {};
}

Status AtomicFile::write(std::string_view text) {
  SMELT_CHECK(fd_ >= 0);
  if (failed_ != 0) return write_error(path_, failed_);
  size_ += text.size();
  if (buffer_.size() + text.size() > kBufferBytes) SMELT_TRY(flush());
  if (text.size() <= kBufferBytes) {
    buffer_.append(text);
    return {};
  }
  SMELT_TRY(write_out(text.data(), text.size(), written_));
  written_ += text.size();
  return {};
}

Status AtomicFile::write(std::span<const std::byte> bytes) {
  return write(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

Status AtomicFile::write_at(uint64_t offset, std::span<const std::byte> bytes) {
  SMELT_CHECK(fd_ >= 0 && range_fits(offset, bytes.size(), size_));
  SMELT_TRY(flush());
  return write_out(reinterpret_cast<const char*>(bytes.data()), bytes.size(), offset);
}

Status AtomicFile::pad_to(uint64_t size) {
  static constexpr std::array<char, 4096> kZeros{};
  while (size_ < size)
    SMELT_TRY(write(std::string_view(kZeros.data(), std::min<uint64_t>(kZeros.size(), size - size_))));
  return {};
}

Status AtomicFile::commit() {
  SMELT_CHECK(fd_ >= 0);
  SMELT_TRY(flush());
  if (::fsync(fd_) != 0) return write_error(path_, errno);
  if (overwrite_ == Overwrite::refuse) {
    // link() fails if the name appeared meanwhile, where rename() would replace it; some file systems have no links.
    if (::link(temporary_.c_str(), path_.c_str()) == 0) {
      ::unlink(temporary_.c_str());
    } else if (errno == EEXIST) {
      return exists_error(path_);
    } else if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
      return write_error(path_, errno);
    }
  } else if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    return write_error(path_, errno);
  }
  unregister_temporary(temporary_);
  const int fd = std::exchange(fd_, -1);
  sync_folder(path_);
  if (::close(fd) != 0 && errno != EINTR) return write_error(path_, errno);
  return {};
}

Status write_file(const std::string& path, std::string_view text, Overwrite overwrite) {
  SMELT_ASSIGN(AtomicFile file, AtomicFile::create(path, overwrite));
  SMELT_TRY(file.write(text));
  return file.commit();
}

}  // namespace smelt
