// mkdir beside the target, renameat2 without replacement, or as an exchange with the folder that is to be replaced.
#include "formats/atomic_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/text.h"

namespace smelt {
namespace {

namespace fs = std::filesystem;

Error folder_error(const std::string& path, const std::string& what) {
  return input_error(fmt::format("{}: {}", escape_for_display(path, 4096), what));
}

std::string without_trailing_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

// Whether what stands at `path` may be replaced by a model folder.
Status check_replaceable(const std::string& path, Overwrite overwrite) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return {};
  if (!S_ISDIR(info.st_mode)) return folder_error(path, "exists and is not a folder; choose another name");
  if (overwrite == Overwrite::refuse)
    return folder_error(path, "exists already; choose another name or use --force to replace it");
  std::error_code code;
  const bool empty = fs::is_empty(path, code);
  if (code) return folder_error(path, "cannot look inside: " + code.message());
  if (empty || fs::exists(path + "/config.json", code)) return {};
  return folder_error(path, "holds other things than a model (no config.json); it is not replaced, even with --force");
}

void sync_path(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

// Puts `from` at the place of `to`. Afterwards `from` names what stood there before, if anything did.
int move_into_place(const std::string& from, const std::string& to, Overwrite overwrite) {
  struct stat info {};
  const bool occupied = ::lstat(to.c_str(), &info) == 0;
  const unsigned flags = overwrite == Overwrite::replace && occupied ? RENAME_EXCHANGE : RENAME_NOREPLACE;
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // A file system without these renames: two steps, and back if the second fails.
  if (flags == RENAME_NOREPLACE) {
    if (occupied) return EEXIST;
    return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
  }
  const std::string aside = from + ".old";
  if (::rename(to.c_str(), aside.c_str()) != 0) return errno;
  if (::rename(from.c_str(), to.c_str()) != 0) {
    const int code = errno;
    (void)::rename(aside.c_str(), to.c_str());
    return code;
  }
  return ::rename(aside.c_str(), from.c_str()) == 0 ? 0 : errno;
}

}  // namespace

AtomicFolder::AtomicFolder(std::string path, std::string temporary, Overwrite overwrite)
    : path_(std::move(path)), temporary_(std::move(temporary)), overwrite_(overwrite) {}

AtomicFolder::AtomicFolder(AtomicFolder&& other) noexcept
    : path_(std::move(other.path_)), temporary_(std::exchange(other.temporary_, {})), overwrite_(other.overwrite_) {}

AtomicFolder::~AtomicFolder() {
  if (temporary_.empty()) return;
  remove_temporary(temporary_.c_str());
  unregister_temporary(temporary_);
}

Result<AtomicFolder> AtomicFolder::create(const std::string& given, Overwrite overwrite) {
  const std::string path = without_trailing_slashes(given);
  if (path.empty() || path.find('\0') != std::string::npos) return folder_error(given, "not a folder name");
  SMELT_TRY(check_replaceable(path, overwrite));
  static std::atomic<unsigned> counter{0};
  const std::string temporary = fmt::format("{}.{}.{}.tmp", path, ::getpid(), counter++);
  AtomicFolder folder(path, temporary, overwrite);  // nothing can throw between mkdir and its owner
  register_temporary(temporary);
  if (::mkdir(temporary.c_str(), 0777) != 0) {
    const int code = errno;
    unregister_temporary(temporary);
    folder.temporary_.clear();
    const std::string parent = fs::path(path).parent_path().string();
    const bool lost = code == ENOENT && !parent.empty() && ::access(parent.c_str(), F_OK) != 0;
    return folder_error(
        path, lost ? fmt::format("cannot create: the folder '{}' does not exist", escape_for_display(parent, 4096))
                   : fmt::format("cannot create: {}", std::strerror(code)));
  }
  return folder;
}

Error AtomicFolder::in_place(Error error) const {
  const std::string shown = escape_for_display(temporary_, 4096);
  const size_t at = error.message.find(shown);
  if (at != std::string::npos) error.message.replace(at, shown.size(), escape_for_display(path_, 4096));
  return error;
}

Status AtomicFolder::commit() {
  SMELT_TRY(check_replaceable(path_, overwrite_));
  sync_path(temporary_);
  if (const int code = move_into_place(temporary_, path_, overwrite_); code != 0)
    return folder_error(path_, fmt::format("cannot rename into place: {}", std::strerror(code)));
  const fs::path parent = fs::path(path_).parent_path();
  sync_path(parent.empty() ? "." : parent.string());
  // The folder that was replaced, if any, now bears the temporary name; it may hold more than ours do.
  unregister_temporary(temporary_);
  const std::string replaced = std::exchange(temporary_, {});
  remove_temporary(replaced.c_str());
  std::error_code ignored;
  if (::access(replaced.c_str(), F_OK) == 0) fs::remove_all(replaced, ignored);
  return {};
}

}  // namespace smelt
