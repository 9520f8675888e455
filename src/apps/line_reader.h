// Lines from standard input: on a terminal with editing and history (libedit), else as they come.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"

namespace smelt {

class LineReader {
 public:
  virtual ~LineReader() = default;
  // The next line without its newline, or nothing at the end of input. A cancelled error after Ctrl-C.
  virtual Result<std::optional<std::string>> read_line(const std::string& prompt) = 0;
  // After such an error: whether there was text on the line, which is gone now.
  virtual bool dropped_text() const = 0;
  // For the arrow keys.
  virtual void remember(const std::string& line) = 0;
};

// `name` is what ~/.editrc calls the program. Prompts are shown on a terminal only, on standard error.
std::unique_ptr<LineReader> make_line_reader(const std::string& name);

}  // namespace smelt
