// The rows of a task's data: JSON lines, CSV with a header, or CoNLL columns (a token and its tag on each line, an
// empty line behind each sentence).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "eval/tasks/definition.h"

namespace smelt {

// Items of CoNLL files have `tokens`, `tags`, `text` (the tokens with spaces between) and `spans`: a list of `label`,
// `text`, `start`, `end` (in tokens, end not included). Errors are "FILE:LINE: …".
Result<std::vector<TaskItem>> parse_items(std::string_view text, const DataSpec& spec, const std::string& file_name);

}  // namespace smelt
