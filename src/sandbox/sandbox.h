// Runs programs that nobody has read: what a model wrote. Isolated, a program sees /usr read-only, a small folder of
// its own in memory, and nothing else: no network, no other files, no other processes. bubblewrap (bwrap) makes the
// namespaces; limits are set and watched here. Whatever the program does ends in an Outcome.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "smelt/control.h"

namespace smelt {

struct SandboxLimits {
  double seconds = 10;                        // of the clock, and of each process on a processor
  uint64_t memory_bytes = uint64_t{1} << 30;  // address space of each process; resident memory of all together
  int64_t processes = 32;
  uint64_t file_bytes = uint64_t{16} << 20;  // in the program's folder together
  int64_t files = 1000;                      // there
  uint64_t output_bytes = uint64_t{1} << 20;
};

struct SandboxProgram {
  std::vector<std::string> arguments;                      // the first is the path of a program below /usr
  std::vector<std::pair<std::string, std::string>> files;  // name and text, in the folder where it runs, read-only
};

enum class SandboxEnd : uint8_t { exited, killed, time, memory, processes, files, output, cancelled };
const char* sandbox_end_name(SandboxEnd end);

struct SandboxOutcome {
  SandboxEnd end = SandboxEnd::exited;
  int code = 0;        // exit code, or the signal of `killed`
  std::string output;  // standard output and error, as far as it may go
  double seconds = 0;
};

class Sandbox {
 public:
  // Tries a program; where it cannot be isolated, the error says why and what to do.
  static Result<Sandbox> isolated();
  // The same limits on time, memory of a process, size of a file and output, but with this user's rights to everything.
  static Sandbox unconfined() { return Sandbox(""); }

  bool is_isolated() const { return !bwrap_.empty(); }
  // Errors are of this machine only (no process, no pipe). Blocks until the program and all that it started are gone.
  Result<SandboxOutcome> run(const SandboxProgram& program, const SandboxLimits& limits,
                             const CancelToken* cancel = nullptr) const;

 private:
  explicit Sandbox(std::string bwrap) : bwrap_(std::move(bwrap)) {}
  std::string bwrap_;
};

}  // namespace smelt
