// What was typed in earlier chats, for the arrow keys: one line each in $XDG_STATE_HOME/smelt/chat_history (by default
// ~/.local/state/…), readable by its owner only. Called by chat_loop.cc, on a terminal only. Without a home, or where
// it cannot be written, there is no history; a chat is never stopped by that.
#pragma once

#include <string>
#include <vector>

namespace smelt {

class ChatHistory {
 public:
  // `path` empty: nothing is read or kept.
  explicit ChatHistory(std::string path);

  // The last kHistoryLines lines, oldest first.
  const std::vector<std::string>& lines() const { return lines_; }
  // Appended to the file at once, so that it survives the end of the process.
  void add(const std::string& line);

 private:
  std::string path_;
  std::vector<std::string> lines_;
};

inline constexpr size_t kHistoryLines = 500;

// Where the history lies by the XDG Base Directory rules; "" if neither variable names an absolute path.
std::string chat_history_path();

}  // namespace smelt
