#include "apps/completion_end.h"

namespace smelt {

CompletionEnd::CompletionEnd(CompletionStop stop, std::string_view prefix) : stop_(stop) {
  const size_t line_end = prefix.rfind('\n');
  const std::string_view line = line_end == std::string_view::npos ? prefix : prefix.substr(line_end + 1);
  const size_t text = line.find_first_not_of(" \t");
  indentation_ = text == std::string_view::npos ? line.size() : text;
}

// Whether the text ends in front of the line that is held back, of which c is the first character behind its blanks.
bool CompletionEnd::ends_at(char c) const {
  if (!has_text_) return false;
  if (indentation_ == 0) return c == '\n';
  return c != '\n' && c != '\r' && line_indentation_ < indentation_;
}

std::string CompletionEnd::push(std::string_view piece) {
  std::string out;
  for (const char c : piece) {
    if (stopped_) break;
    const bool blank = c == ' ' || c == '\t';
    if (stop_ == CompletionStop::line && c == '\n' && has_text_) {
      stopped_ = true;
    } else if (stop_ == CompletionStop::block && at_line_start_) {
      if (!blank && ends_at(c)) {
        stopped_ = true;
        continue;
      }
      held_ += c;
      if (blank) ++line_indentation_;
      if (c == '\n') line_indentation_ = 0;
      if (blank || c == '\n' || c == '\r') continue;
      out += held_;
      held_.clear();
      at_line_start_ = false;
      has_text_ = true;
    } else if (stop_ == CompletionStop::block && c == '\n') {
      at_line_start_ = true;
      line_indentation_ = 0;
      held_ += c;
    } else {
      out += c;
      has_text_ = has_text_ || !(blank || c == '\n' || c == '\r');
    }
  }
  return out;
}

std::string CompletionEnd::finish() {
  std::string out = stopped_ ? std::string() : held_;
  held_.clear();
  return out;
}

}  // namespace smelt
