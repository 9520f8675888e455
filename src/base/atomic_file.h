// Files that appear whole or not at all: written under a temporary name in the same folder, fsync, rename, fsync of the
// folder. Destroyed before commit(), the temporary is removed and an earlier file of that name is untouched. A link is
// followed to its target; what is replaced passes its permissions on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace smelt {

enum class Overwrite { refuse, replace };

class AtomicFile {
 public:
  // With Overwrite::refuse an existing path is an input error that tells of --force.
  static Result<AtomicFile> create(const std::string& path, Overwrite overwrite);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  Status write(std::span<const std::byte> bytes);
  Status write(std::string_view text);
  Status write_at(uint64_t offset, std::span<const std::byte> bytes);  // does not move the end for write()
  Status pad_to(uint64_t size);                                        // zero bytes until `size`
  uint64_t size() const { return size_; }

  // Buffers out, fsync, rename. Fails if any write failed before. No call is allowed after it succeeded.
  Status commit();

 private:
  AtomicFile(std::string path, std::string temporary, int fd, Overwrite overwrite);
  Status flush();
  Status write_out(const char* data, size_t size, uint64_t offset);
  std::string path_;
  std::string temporary_;
  std::string buffer_;
  int fd_ = -1;
  int failed_ = 0;  // errno of the first write that failed
  uint64_t size_ = 0;
  uint64_t written_ = 0;  // bytes before the buffer
  Overwrite overwrite_;
};

// Names the temporary files and folders that a signal handler is to remove. For AtomicFile and AtomicFolder.
void register_temporary(const std::string& path);
void unregister_temporary(const std::string& path);

// Removes a file, or a folder that holds no folders. Async-signal-safe, and allocates nothing: it may be the lack of
// memory that ends the work.
void remove_temporary(const char* path) noexcept;

// Removes the registered temporaries; async-signal-safe, for a handler that ends the process.
void remove_open_temporaries() noexcept;

// Writes a whole small file atomically.
Status write_file(const std::string& path, std::string_view text, Overwrite overwrite);

}  // namespace smelt
