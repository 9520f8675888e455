// What the program may see, and the watch over it.
#include "sandbox/sandbox.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/text.h"
#include "sandbox/child.h"
#include "sandbox/watch.h"

namespace smelt {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kTickMs = 20;
constexpr const char* kBwrapPaths[] = {"/usr/bin/bwrap", "/usr/local/bin/bwrap"};
constexpr const char* kPrlimit = "/usr/bin/prlimit";

const std::vector<std::string> kEnvironment = {"PATH=/usr/bin", "LC_ALL=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1"};

// The namespaces and the few places of the file system. /bin and the like are links into /usr, as on the machine.
std::vector<std::string> isolation(const std::string& bwrap, const SandboxLimits& limits) {
  std::vector<std::string> out = {bwrap, "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop",
                                  "ALL", "--clearenv",    "--ro-bind",         "/usr",          "/usr"};
  for (const char* name : {"bin", "sbin", "lib", "lib32", "lib64"}) {
    std::error_code ignored;
    const std::string path = fmt::format("/{}", name);
    if (fs::is_symlink(path, ignored))
      out.insert(out.end(), {"--symlink", fmt::format("usr/{}", name), path});
    else if (fs::is_directory(path, ignored))
      out.insert(out.end(), {"--ro-bind", path, path});
  }
  for (const char* device : {"/dev/null", "/dev/zero", "/dev/urandom"})
    out.insert(out.end(), {"--dev-bind", device, device});
  for (const char* variable :
       {"PATH=/usr/bin", "HOME=/sandbox", "TMPDIR=/sandbox", "LC_ALL=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1"}) {
    const std::string text = variable;
    const size_t at = text.find('=');
    out.insert(out.end(), {"--setenv", text.substr(0, at), text.substr(at + 1)});
  }
  out.insert(out.end(), {"--size", fmt::format("{}", limits.file_bytes), "--tmpfs", "/sandbox"});
  return out;
}

// A folder that is removed with all it holds.
class WorkFolder {
 public:
  WorkFolder() = default;
  WorkFolder(WorkFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  WorkFolder& operator=(WorkFolder&&) = delete;
  ~WorkFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  static Result<WorkFolder> make(const SandboxProgram& program) {
    WorkFolder out;
    std::error_code code;
    std::string pattern = (fs::temp_directory_path(code) / "smelt-program-XXXXXX").string();
    if (code || ::mkdtemp(pattern.data()) == nullptr)
      return input_error(fmt::format("no temporary folder for the program: {}", std::strerror(errno)));
    out.path_ = pattern;
    fs::permissions(pattern, fs::perms::all, code);  // root's programs run as nobody
    for (const auto& [name, text] : program.files) {
      std::ofstream file(fs::path(pattern) / name, std::ios::binary);
      if (!(file << text).flush()) return input_error(fmt::format("{}/{}: cannot be written", pattern, name));
    }
    return out;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Follows one program to its end.
class Watch {
 public:
  Watch(Child child, const SandboxLimits& limits, bool isolated, const CancelToken* cancel)
      : child_(std::move(child)), limits_(limits), isolated_(isolated), cancel_(cancel) {}
  ~Watch() {
    if (!reaped_) kill_all(SandboxEnd::killed);
    if (!reaped_) (void)::waitpid(child_.pid, nullptr, 0);
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  SandboxOutcome follow() {
    while (!reaped_ || is_open_) {
      wait();
      read_output();
      reap();
      if (!killed_) check();
      if (killed_ && seconds() > killed_at_ + 2) break;  // a process outside of the namespaces holds the pipe
    }
    if (!killed_) kill_group();  // what it left behind, where nothing else ends that
    outcome_.seconds = seconds();
    return std::move(outcome_);
  }

 private:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  void wait() const {
    pollfd wanted{is_open_ ? child_.output.get() : -1, POLLIN, 0};
    (void)::poll(&wanted, 1, is_open_ && !reaped_ ? kTickMs : 1);
  }
  void read_output();
  void reap();
  void check();
  void kill_group() const { (void)::kill(-child_.pid, SIGKILL); }
  void kill_all(SandboxEnd why) {
    kill_group();
    killed_ = true;
    killed_at_ = seconds();
    outcome_.end = why;
  }

  Child child_;
  const SandboxLimits& limits_;
  bool isolated_;
  const CancelToken* cancel_;
  Clock::time_point start_ = Clock::now();
  SandboxOutcome outcome_;
  bool reaped_ = false, is_open_ = true, killed_ = false;
  double killed_at_ = 0;
};

void Watch::read_output() {
  pollfd wanted{is_open_ ? child_.output.get() : -1, POLLIN, 0};
  if (::poll(&wanted, 1, 0) <= 0) return;
  char buffer[1 << 14];
  const ssize_t n = ::read(child_.output.get(), buffer, sizeof(buffer));
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (n <= 0) {
    is_open_ = false;
    return;
  }
  const uint64_t room = limits_.output_bytes - outcome_.output.size();
  outcome_.output.append(buffer, std::min<uint64_t>(room, static_cast<uint64_t>(n)));
  if (static_cast<uint64_t>(n) > room && !killed_) kill_all(SandboxEnd::output);
}

void Watch::reap() {
  int status = 0;
  if (reaped_ || ::waitpid(child_.pid, &status, WNOHANG) != child_.pid) return;
  reaped_ = true;
  if (!isolated_ && is_open_ && !killed_) kill_group();  // or what it left behind would hold the pipe
  if (killed_) return;
  const bool signalled = WIFSIGNALED(status) || WEXITSTATUS(status) > 128;  // bwrap tells a signal as a shell does
  outcome_.end = signalled ? SandboxEnd::killed : SandboxEnd::exited;
  outcome_.code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) - (signalled ? 128 : 0);
  if (signalled && outcome_.code == SIGXCPU) outcome_.end = SandboxEnd::time;
}

void Watch::check() {
  if (reaped_) return;
  if (cancel_ != nullptr && cancel_->cancelled()) return kill_all(SandboxEnd::cancelled);
  if (seconds() > limits_.seconds) return kill_all(SandboxEnd::time);
  const SandboxUse use = measure_use(child_.pid, isolated_ ? limits_.file_bytes : 0);
  if (use.resident_bytes > limits_.memory_bytes) return kill_all(SandboxEnd::memory);
  // bwrap's own two are not the program's.
  if (use.processes > limits_.processes + 2) return kill_all(SandboxEnd::processes);
  if (use.files > limits_.files) return kill_all(SandboxEnd::files);
}

}  // namespace

const char* sandbox_end_name(SandboxEnd end) {
  constexpr const char* kNames[] = {"exited", "killed", "time", "memory", "processes", "files", "output", "cancelled"};
  return kNames[static_cast<size_t>(end)];
}

Result<SandboxOutcome> Sandbox::run(const SandboxProgram& program, const SandboxLimits& limits,
                                    const CancelToken* cancel) const {
  ChildSettings settings;
  settings.environment = kEnvironment;
  std::vector<OwnedFd> files;
  WorkFolder folder;
  if (is_isolated()) {
    settings.arguments = isolation(bwrap_, limits);
    for (const auto& [name, text] : program.files) {
      SMELT_ASSIGN(OwnedFd file, make_memory_file(text));
      settings.inherited.push_back(file.get());
      settings.arguments.insert(settings.arguments.end(),
                                {"--ro-bind-data", fmt::format("{}", file.get()), "/sandbox/" + name});
      files.push_back(std::move(file));
    }
    // Only inside its own user namespace does a limit on processes count those alone.
    settings.arguments.insert(settings.arguments.end(), {"--remount-ro", "/", "--chdir", "/sandbox", kPrlimit,
                                                         fmt::format("--nproc={}", limits.processes), "--"});
    settings.arguments.insert(settings.arguments.end(), program.arguments.begin(), program.arguments.end());
    SMELT_ASSIGN(Child child, start_child(settings, limits));
    return Watch(std::move(child), limits, true, cancel).follow();
  }
  settings.arguments = program.arguments;
  SMELT_ASSIGN(const WorkFolder work, WorkFolder::make(program));
  settings.folder = work.path();
  SMELT_ASSIGN(Child child, start_child(settings, limits));
  return Watch(std::move(child), limits, false, cancel).follow();
}

Result<Sandbox> Sandbox::isolated() {
  std::string bwrap;
  for (const char* path : kBwrapPaths)
    if (bwrap.empty() && ::access(path, X_OK) == 0) bwrap = path;
  if (bwrap.empty())
    return input_error("no sandbox for programs: bwrap is not installed; install the package bubblewrap");
  Sandbox out(bwrap);
  SMELT_ASSIGN(const SandboxOutcome tried, out.run({{"/usr/bin/true"}, {}}, {}));
  if (tried.end == SandboxEnd::exited && tried.code == 0) return out;
  return input_error(fmt::format("no sandbox for programs: bwrap cannot make one here ({}); allow user namespaces",
                                 escape_for_display(tried.output, 200)));
}

}  // namespace smelt
