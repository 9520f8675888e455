// fork and exec. Between the two only what is safe in a copy of a program with threads.
#include "sandbox/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>

namespace smelt {
namespace {

constexpr uid_t kNobody = 65534;
constexpr int kCannotStart = 127;

Error system_error(const char* what) { return input_error(fmt::format("{}: {}", what, std::strerror(errno))); }

struct Limit {
  int resource;
  rlim_t value;
};

std::vector<Limit> limits_of(const SandboxLimits& limits) {
  return {{RLIMIT_CORE, 0},
          {RLIMIT_NOFILE, 128},
          {RLIMIT_AS, limits.memory_bytes},
          {RLIMIT_FSIZE, limits.file_bytes},
          {RLIMIT_CPU, static_cast<rlim_t>(std::ceil(limits.seconds)) + 1}};
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

// All that the child needs, made before fork.
struct Start {
  std::vector<char*> arguments, environment;
  std::vector<Limit> limits;
  int null = -1, output = -1;
};

bool drop_root() {
  if (::geteuid() != 0) return true;
  return ::setgroups(0, nullptr) == 0 && ::setresgid(kNobody, kNobody, kNobody) == 0 &&
         ::setresuid(kNobody, kNobody, kNobody) == 0;
}

[[noreturn]] void become(const ChildSettings& settings, const Start& start) {
  ::setpgid(0, 0);
  bool ok = ::dup2(start.null, 0) == 0 && ::dup2(start.output, 1) == 1 && ::dup2(start.output, 2) == 2;
  (void)::syscall(SYS_close_range, 3U, ~0U, static_cast<unsigned>(CLOSE_RANGE_CLOEXEC));
  for (const int fd : settings.inherited) ok = ok && ::fcntl(fd, F_SETFD, 0) == 0;
  if (!settings.folder.empty()) ok = ok && ::chdir(settings.folder.c_str()) == 0;
  for (const Limit& limit : start.limits) {
    const rlimit value{limit.value, limit.value};
    ok = ok && ::setrlimit(static_cast<__rlimit_resource>(limit.resource), &value) == 0;
  }
  ok = ok && drop_root() && ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
  if (ok) ::execve(start.arguments.front(), start.arguments.data(), start.environment.data());
  ::_exit(kCannotStart);
}

}  // namespace

OwnedFd::~OwnedFd() { close(); }

void OwnedFd::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Result<OwnedFd> make_memory_file(const std::string& text) {
  OwnedFd file(::memfd_create("program", MFD_CLOEXEC));
  if (file.get() < 0) return system_error("no memory file for the program");
  for (size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(file.get(), text.data() + done, text.size() - done);
    if (n < 0) return system_error("no memory file for the program");
    done += static_cast<size_t>(n);
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return system_error("no memory file for the program");
  return file;
}

Result<Child> start_child(const ChildSettings& settings, const SandboxLimits& limits) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_error("no pipe for the program's output");
  Child child;
  child.output = OwnedFd(ends[0]);
  const OwnedFd output(ends[1]), null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (null.get() < 0) return system_error("/dev/null");
  const Start start{pointers(settings.arguments), pointers(settings.environment), limits_of(limits), null.get(),
                    output.get()};
  child.pid = ::fork();
  if (child.pid < 0) return system_error("no process for the program");
  if (child.pid == 0) become(settings, start);
  (void)::setpgid(child.pid, child.pid);  // whichever of the two comes first
  return child;
}

}  // namespace smelt
