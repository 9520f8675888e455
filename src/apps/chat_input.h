// What a user types in a chat: lines joined to messages, and commands that begin with a slash. Pure functions of text;
// reading the terminal is line_reader.h's.
#pragma once

#include <optional>
#include <string>

namespace smelt {

// Joins lines: one that ends with a backslash goes on in the next; a line that begins with """ opens a block that goes
// on to the next """ at a line's end.
class MessageReader {
 public:
  // `line` without its newline. True if the message is complete.
  bool add_line(const std::string& line);
  // In the middle of a message.
  bool is_open() const { return state_ != State::empty; }
  // The complete message, or what there is of it at the end of input; the reader is empty again.
  std::string take();

 private:
  enum class State : unsigned char { empty, continued, block };
  bool add_block_line(const std::string& line);
  State state_ = State::empty;
  std::string text_;
};

struct ChatCommand {
  std::string name;      // "save", without the slash
  std::string argument;  // "chat.json", blanks around it removed
};

// A message of one line that begins with a slash and a letter.
std::optional<ChatCommand> parse_chat_command(const std::string& message);

std::string trimmed(const std::string& text);

}  // namespace smelt
