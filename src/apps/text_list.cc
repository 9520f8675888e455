#include "apps/text_list.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "apps/options.h"

namespace smelt {

void add_text_list(CLI::App& app, TextList& list) {
  add_strings(app, "--text", list.texts, "TEXT", "a text; may be given several times");
  app.add_option("--file", list.file, "a text a line; - for standard input")->type_name("FILE");
}

Result<std::vector<std::string>> read_texts(const TextList& list) {
  std::vector<std::string> texts = list.texts;
  if (!list.file.empty()) {
    SMELT_ASSIGN(const std::string content, read_text_file(list.file));
    for (size_t at = 0; at < content.size();) {
      const size_t end = std::min(content.find('\n', at), content.size());
      std::string line = content.substr(at, end - at);
      if (line.ends_with('\r')) line.pop_back();
      if (!line.empty()) texts.push_back(std::move(line));
      at = end + 1;
    }
  }
  if (!texts.empty()) return texts;
  if (list.file.empty()) return usage_error("no text: give it with --text TEXT, or a file of lines with --file FILE");
  return input_error(fmt::format("{}: no line with text", list.file));
}

}  // namespace smelt
