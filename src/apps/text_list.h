// Several texts on the command line or in the lines of a file. Called by `smelt embed` and `smelt classify`.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace CLI {
class App;
}

namespace smelt {

struct TextList {
  std::vector<std::string> texts;
  std::string file;
};
// --text TEXT, any number of times; --file FILE ("-": standard input), a text a line.
void add_text_list(CLI::App& app, TextList& list);
// At least one; lines without their ends, empty ones left out.
Result<std::vector<std::string>> read_texts(const TextList& list);

}  // namespace smelt
