// One process with limits, its output on a pipe. For sandbox.cc.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "sandbox/sandbox.h"

namespace smelt {

// Closed when it goes out of scope.
class OwnedFd {
 public:
  explicit OwnedFd(int fd = -1) : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~OwnedFd();
  int get() const { return fd_; }
  void close();

 private:
  int fd_;
};

struct ChildSettings {
  std::vector<std::string> arguments;
  std::string folder;                    // to run in; empty: this one
  std::vector<int> inherited;            // descriptors that the program gets, beside its output
  std::vector<std::string> environment;  // "NAME=value"
};

struct Child {
  pid_t pid = -1;
  OwnedFd output;
};

// In a process group of its own; as user 65534 if this is root, so that limits on processes hold.
Result<Child> start_child(const ChildSettings& settings, const SandboxLimits& limits);

// A file without a name that holds the text; read from its begin.
Result<OwnedFd> make_memory_file(const std::string& text);

}  // namespace smelt
