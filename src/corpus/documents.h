// Documents out of text files (.txt: a file is a document, or is cut at a separator) and JSON lines (.jsonl: a line is
// a document). Called by `smelt tokenizer train` and by the trainer. Everything wrong is told with file and line.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"

namespace smelt {

// Some files of one form.
struct TextFiles {
  std::vector<std::string> patterns;  // of paths, relative to the data folder; *, ? and [] as in the shell
  std::string separator = {};         // .txt: what stands between documents; empty: a file is one document
  // .jsonl: the document, with the line's fields in braces ("{question}\n{answer}"). A field is a text or a number, or
  // a list of objects (the turns of a dialogue), each of which is put down by `turn`.
  std::string format = "{text}";
  std::string turn = "{role}: {text}\n";
};

struct Document {
  std::string text;  // valid UTF-8, not only blanks
  std::string file;  // as the pattern found it, without the data folder
  uint64_t line = 1;
};

// Calls `visit` with every document, files in the order of their names; an error of it ends the reading. Refuses: a
// pattern that finds nothing, a name that ends in neither .txt nor .jsonl, a file without a document, ill-formed UTF-8,
// a line that is no JSON object or lacks a field of the format, a document of blanks only.
Status for_each_document(const TextFiles& files, const std::string& data_folder, const JobControl& job,
                         const std::function<Status(const Document&)>& visit);

// The files that the patterns find, without the data folder, in the order of their names.
Result<std::vector<std::string>> find_text_files(const TextFiles& files, const std::string& data_folder);

// The pattern that finds the file of this name only.
std::string glob_literal(const std::string& name);

}  // namespace smelt
