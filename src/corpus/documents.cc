#include "corpus/documents.h"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "base/json_tree.h"
#include "base/mapped_file.h"
#include "base/text.h"

namespace smelt {
namespace {

Error error_at(const std::string& file, uint64_t line, const std::string& what) {
  return input_error(fmt::format("{}: line {}: {}", escape_for_display(file, 4096), line, what));
}

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos; }

std::string join(const std::string& folder, const std::string& name) {
  return folder.empty() || name.starts_with('/') ? name : (std::filesystem::path(folder) / name).string();
}

// The text with "{name}" replaced by what `value` gives for the name; braces that hold no name stand for themselves.
Result<std::string> fill(const std::string& format,
                         const std::function<Result<std::string>(const std::string&)>& value) {
  std::string out;
  for (size_t at = 0; at < format.size();) {
    const size_t end = format[at] == '{' ? format.find('}', at) : std::string::npos;
    if (end == std::string::npos || end == at + 1) {
      out += format[at++];
      continue;
    }
    SMELT_ASSIGN(const std::string part, value(format.substr(at + 1, end - at - 1)));
    out += part;
    at = end + 1;
  }
  return out;
}

Result<std::string> scalar_text(const JsonField& field) {
  const JsonValue& value = field.value();
  if (const std::string* text = value.text()) return *text;
  if (const int64_t* integer = value.integer()) return fmt::format("{}", *integer);
  if (const auto number = value.number()) return fmt::format("{}", *number);
  return field.error("must be a text or a number");
}

Result<std::string> text_of_field(const JsonField& object, const std::string& name, const std::string& turn) {
  SMELT_ASSIGN(const JsonField field, object.get(name));
  const JsonValue::Array* list = field.value().array();
  if (list == nullptr) return scalar_text(field);
  std::string out;
  for (size_t i = 0; i < list->size(); ++i) {
    const JsonField item = field.at(i);
    SMELT_TRY(item.object());
    SMELT_ASSIGN(const std::string part, fill(turn, [&](const std::string& key) -> Result<std::string> {
                   SMELT_ASSIGN(const JsonField member, item.get(key));
                   return scalar_text(member);
                 }));
    out += part;
  }
  return out;
}

class FileReader {
 public:
  FileReader(const TextFiles& files, std::string shown, const std::function<Status(const Document&)>& visit)
      : files_(files), visit_(visit), shown_(std::move(shown)) {}

  Status read(const std::string& path) {
    SMELT_ASSIGN(const auto file, MappedFile::open(path));
    SMELT_TRY(check_utf8(file->text()));
    const bool is_lines = shown_.ends_with(".jsonl");
    SMELT_TRY(is_lines ? read_lines(file->text()) : read_text(file->text()));
    if (n_documents_ > 0) return {};
    return input_error(fmt::format("{}: holds no document: it is empty", escape_for_display(shown_, 4096)));
  }

 private:
  Status check_utf8(std::string_view text) const {
    if (is_valid_utf8(text)) return {};
    size_t at = 0;
    while (const size_t length = utf8_length(text, at)) at += length;
    const auto line = static_cast<uint64_t>(std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(at), '\n'));
    return error_at(shown_, line + 1, fmt::format("byte {} is no UTF-8; convert the file (iconv -t UTF-8)", at));
  }

  Status give(std::string text, uint64_t line) {
    if (is_blank(text)) return error_at(shown_, line, "the document is empty");
    ++n_documents_;
    return visit_({std::move(text), shown_, line});
  }

  Status read_text(std::string_view text) {
    if (is_blank(text)) return {};
    if (files_.separator.empty()) return give(std::string(text), 1);
    uint64_t line = 1;
    while (!text.empty()) {
      const size_t end = std::min(text.find(files_.separator), text.size());
      const std::string_view part = text.substr(0, end);
      if (!is_blank(part)) SMELT_TRY(give(std::string(part), line));
      const std::string_view passed = text.substr(0, std::min(end + files_.separator.size(), text.size()));
      line += static_cast<uint64_t>(std::count(passed.begin(), passed.end(), '\n'));
      text.remove_prefix(passed.size());
    }
    return {};
  }

  Status read_lines(std::string_view text) {
    for (uint64_t line = 1; !text.empty(); ++line) {
      const size_t end = std::min(text.find('\n'), text.size());
      const std::string_view row = text.substr(0, end);
      if (!is_blank(row)) SMELT_TRY(read_row(row, line));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    return {};
  }

  Status read_row(std::string_view row, uint64_t line) {
    const auto tree = parse_json_tree(row, "");
    if (!tree) return error_at(shown_, line, "not JSON: " + without_place(tree.error().message));
    const JsonField object(*tree, "");
    if (tree->object() == nullptr) return error_at(shown_, line, "not a JSON object");
    auto filled =
        fill(files_.format, [&](const std::string& name) { return text_of_field(object, name, files_.turn); });
    if (!filled) return error_at(shown_, line, filled.error().message);
    return give(std::move(*filled), line);
  }

  // ": line 1:17: what" is that of the row alone.
  static std::string without_place(const std::string& message) {
    constexpr std::string_view kPlace = ": line 1:";
    return message.starts_with(kPlace) ? "column " + message.substr(kPlace.size()) : message;
  }

  const TextFiles& files_;
  const std::function<Status(const Document&)>& visit_;
  std::string shown_;
  uint64_t n_documents_ = 0;
};

Status check_name(const std::string& name) {
  if (name.ends_with(".txt") || name.ends_with(".jsonl")) return {};
  return input_error(
      fmt::format("{}: neither .txt nor .jsonl; rename it, or name other files", escape_for_display(name, 4096)));
}

}  // namespace

Result<std::vector<std::string>> find_text_files(const TextFiles& files, const std::string& data_folder) {
  std::vector<std::string> found;
  for (const std::string& pattern : files.patterns) {
    const std::string full = join(data_folder, pattern);
    glob_t result{};
    const std::unique_ptr<glob_t, void (*)(glob_t*)> owner(&result, [](glob_t* g) { ::globfree(g); });
    if (::glob(full.c_str(), GLOB_NOSORT, nullptr, &result) != 0)
      return input_error(fmt::format("{}: no such file{}", escape_for_display(full, 4096),
                                     data_folder.empty() ? "" : "; --data-dir names the folder of the data"));
    const size_t prefix = full.size() - pattern.size();
    for (size_t i = 0; i < result.gl_pathc; ++i) found.emplace_back(std::string(result.gl_pathv[i]).substr(prefix));
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  for (const std::string& name : found) SMELT_TRY(check_name(name));
  return found;
}

std::string glob_literal(const std::string& name) {
  std::string out;
  for (const char c : name) {
    if (c == '*' || c == '?' || c == '[' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

Status for_each_document(const TextFiles& files, const std::string& data_folder, const JobControl& job,
                         const std::function<Status(const Document&)>& visit) {
  SMELT_ASSIGN(const std::vector<std::string> names, find_text_files(files, data_folder));
  uint64_t done = 0;
  for (const std::string& name : names) {
    if (job.cancelled()) return cancelled_error();
    SMELT_TRY(FileReader(files, name, visit).read(join(data_folder, name)));
    job.update("read", ++done, names.size(), "files");
  }
  return {};
}

}  // namespace smelt
