// Messages and commands out of lines.
#include "apps/chat_input.h"

#include <cctype>
#include <utility>

namespace smelt {
namespace {

constexpr const char* kQuotes = "\"\"\"";
constexpr const char* kBlanks = " \t\r\n";

}  // namespace

std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

bool MessageReader::add_block_line(const std::string& line) {
  const bool closes = trimmed(line).ends_with(kQuotes);
  text_ += closes ? line.substr(0, line.rfind(kQuotes)) : line + "\n";
  state_ = closes ? State::empty : State::block;
  if (closes && text_.ends_with('\n')) text_.pop_back();
  return closes;
}

bool MessageReader::add_line(const std::string& line) {
  if (state_ == State::block) return add_block_line(line);
  if (state_ == State::empty && line.starts_with(kQuotes)) {
    const std::string rest = line.substr(3);
    state_ = State::block;
    return rest.empty() ? false : add_block_line(rest);
  }
  if (line.ends_with('\\')) {
    text_ += line.substr(0, line.size() - 1) + "\n";
    state_ = State::continued;
    return false;
  }
  text_ += line;
  state_ = State::empty;
  return true;
}

std::string MessageReader::take() {
  state_ = State::empty;
  return std::exchange(text_, "");
}

std::optional<ChatCommand> parse_chat_command(const std::string& message) {
  const std::string text = trimmed(message);
  if (text.size() < 2 || text[0] != '/' || std::isalpha(static_cast<unsigned char>(text[1])) == 0) return std::nullopt;
  if (text.find('\n') != std::string::npos) return std::nullopt;
  const size_t blank = text.find_first_of(kBlanks);
  // A path or a comment ("/usr/bin is …") is a message.
  if (text.find('/', 1) < blank) return std::nullopt;
  if (blank == std::string::npos) return ChatCommand{text.substr(1), ""};
  return ChatCommand{text.substr(1, blank - 1), trimmed(text.substr(blank))};
}

}  // namespace smelt
