// The history file. It grows by appended lines and is shortened when read, once it has twice the lines that are kept.
#include "apps/chat_history.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "base/atomic_file.h"
#include "base/mapped_file.h"

namespace smelt {
namespace {

constexpr uint64_t kMaxHistoryBytes = uint64_t{1} << 24;

std::string absolute_path_in(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && value[0] == '/' ? value : "";
}

// Folders that others cannot look into, as the XDG rules ask.
void make_folders(const std::filesystem::path& folder) {
  if (folder.empty() || ::access(folder.c_str(), F_OK) == 0) return;
  make_folders(folder.parent_path());
  (void)::mkdir(folder.c_str(), 0700);
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

}  // namespace

std::string chat_history_path() {
  std::string state = absolute_path_in("XDG_STATE_HOME");
  const std::string home = absolute_path_in("HOME");
  if (state.empty() && !home.empty()) state = home + "/.local/state";
  return state.empty() ? "" : state + "/smelt/chat_history";
}

ChatHistory::ChatHistory(std::string path) : path_(std::move(path)) {
  if (path_.empty()) return;
  const auto text = read_file(path_, kMaxHistoryBytes);
  if (!text) return;
  std::istringstream stream(*text);
  for (std::string line; std::getline(stream, line);) lines_.push_back(line);
  if (lines_.size() <= kHistoryLines) return;
  const bool shorten = lines_.size() > 2 * kHistoryLines;
  lines_.erase(lines_.begin(), lines_.end() - static_cast<int64_t>(kHistoryLines));
  if (shorten) (void)write_file(path_, joined(lines_), Overwrite::replace).has_value();
}

void ChatHistory::add(const std::string& line) {
  if (path_.empty() || line.find('\n') != std::string::npos) return;
  if (!lines_.empty() && lines_.back() == line) return;
  lines_.push_back(line);
  make_folders(std::filesystem::path(path_).parent_path());
  const int fd = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  if (fd < 0) return;
  const std::string text = line + "\n";
  (void)!::write(fd, text.data(), text.size());
  ::close(fd);
}

}  // namespace smelt
