// The tree of processes, read from /proc/PID/stat.
#include "sandbox/watch.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace smelt {
namespace {

struct Process {
  pid_t pid = 0, parent = 0;
  int64_t pages = 0;
};

// "pid (name) state ppid … rss …"; a name may hold parentheses and spaces.
bool read_process(pid_t pid, Process& out) {
  std::array<char, 1024> text{};
  std::array<char, 64> path{};
  std::snprintf(path.data(), path.size(), "/proc/%d/stat", pid);
  const int fd = ::open(path.data(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t n = ::read(fd, text.data(), text.size() - 1);
  ::close(fd);
  const char* name_end = n > 0 ? std::strrchr(text.data(), ')') : nullptr;
  if (name_end == nullptr) return false;
  int parent = 0;
  long pages = 0;
  const int found = std::sscanf(
      name_end + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %*u %*u %ld", &parent,
      &pages);
  out = {pid, parent, pages};
  return found == 2;
}

std::vector<Process> all_processes() {
  std::vector<Process> out;
  DIR* folder = ::opendir("/proc");
  if (folder == nullptr) return out;
  while (const dirent* entry = ::readdir(folder)) {
    const int pid = std::atoi(entry->d_name);
    Process process;
    if (pid > 0 && read_process(pid, process)) out.push_back(process);
  }
  ::closedir(folder);
  return out;
}

// Before a program has its own root, /sandbox may be the machine's: told apart by kind and size.
int64_t count_files(pid_t pid, uint64_t work_bytes) {
  struct statfs found {};
  const std::string path = "/proc/" + std::to_string(pid) + "/root/sandbox";
  if (::statfs(path.c_str(), &found) != 0 || found.f_type != TMPFS_MAGIC) return 0;
  const auto block = static_cast<uint64_t>(found.f_bsize);
  if (block == 0 || found.f_blocks != (work_bytes + block - 1) / block) return 0;
  return static_cast<int64_t>(found.f_files) - static_cast<int64_t>(found.f_ffree);
}

}  // namespace

SandboxUse measure_use(pid_t root, uint64_t work_bytes) {
  std::vector<Process> left = all_processes();
  std::vector<pid_t> tree = {root};
  SandboxUse use;
  const auto page_bytes = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  for (size_t i = 0; i < tree.size(); ++i) {
    const auto others = std::partition(left.begin(), left.end(), [&](const Process& p) { return p.parent != tree[i]; });
    for (auto child = others; child != left.end(); ++child) {
      tree.push_back(child->pid);
      ++use.processes;
      use.resident_bytes += static_cast<uint64_t>(std::max<int64_t>(child->pages, 0)) * page_bytes;
    }
    left.erase(others, left.end());
  }
  if (work_bytes > 0 && tree.size() > 1) use.files = count_files(tree.back(), work_bytes);
  return use;
}

}  // namespace smelt
