// Three small readers, one a format.
#include "eval/tasks/items.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "eval/tasks/spans.h"
#include "templates/json.h"

namespace smelt {
namespace {

using jinja::Value;

constexpr std::string_view kGzipMagic = "\x1f\x8b";

Error error_at(const std::string& file, int64_t line, const std::string& what) {
  return input_error(fmt::format("{}:{}: {}", escape_for_display(file, 4096), line, what));
}

std::string_view take_line(std::string_view& rest) {
  const size_t end = std::min(rest.find('\n'), rest.size());
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }

class ItemReader {
 public:
  ItemReader(std::string_view text, const DataSpec& spec, const std::string& file)
      : rest_(text), spec_(spec), file_(file) {}

  Result<std::vector<TaskItem>> read() {
    if (rest_.starts_with("\xef\xbb\xbf")) rest_.remove_prefix(3);
    switch (spec_.format) {
      case DataFormat::jsonl:
        SMELT_TRY(read_jsonl());
        break;
      case DataFormat::csv:
        SMELT_TRY(read_csv());
        break;
      case DataFormat::conll:
        SMELT_TRY(read_conll());
        break;
    }
    if (items_.empty()) return input_error(fmt::format("{}: no items", escape_for_display(file_, 4096)));
    return std::move(items_);
  }

 private:
  Status read_jsonl();
  Status read_csv();
  Status read_conll();
  Result<std::vector<std::string>> csv_row();
  Result<std::string> csv_quoted();
  Status add_sentence(std::vector<std::string>& tokens, std::vector<std::string>& tags);
  Status add(TaskItem item, int64_t line);

  std::string_view rest_;
  const DataSpec& spec_;
  const std::string& file_;
  std::vector<TaskItem> items_;
  int64_t line_ = 0, n_rows_ = 0;
};

Status ItemReader::add(TaskItem item, int64_t line) {
  for (const std::string& name : spec_.fields)
    if (item.find(name) == nullptr) return error_at(file_, line, fmt::format("has no '{}'", name));
  item.index = n_rows_++;
  if (spec_.keep) {
    auto kept = spec_.keep->render(item);
    if (!kept) return std::move(kept).error().with_context(file_);
    if (*kept != "True") return {};
  }
  items_.push_back(std::move(item));
  return {};
}

Status ItemReader::read_jsonl() {
  while (!rest_.empty()) {
    const std::string_view line = take_line(rest_);
    ++line_;
    if (is_blank(line)) continue;
    const auto value = jinja::parse_json(line, fmt::format("{}:{}", escape_for_display(file_, 4096), line_));
    if (!value) return value.error();
    const auto* dict = value->find_dict();
    if (dict == nullptr) return error_at(file_, line_, "not a JSON object");
    TaskItem item;
    for (const auto& [key, field] : dict->entries) item.fields.emplace_back(key.find_text()->bytes(), field);
    SMELT_TRY(add(std::move(item), line_));
  }
  return {};
}

// Behind the opening quotation mark; RFC 4180: two marks stand for one.
Result<std::string> ItemReader::csv_quoted() {
  const int64_t begin = line_;
  std::string out;
  while (!rest_.empty()) {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    if (c == '"' && !rest_.starts_with('"')) return out;
    if (c == '"') rest_.remove_prefix(1);
    if (c == '\n') ++line_;
    out += c;
  }
  return error_at(file_, begin, "a quotation mark is not closed");
}

Result<std::vector<std::string>> ItemReader::csv_row() {
  std::vector<std::string> row(1);
  ++line_;
  while (!rest_.empty()) {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    if (c == '"' && row.back().empty()) {
      SMELT_ASSIGN(row.back(), csv_quoted());
    } else if (c == ',') {
      row.emplace_back();
    } else if (c == '\n') {
      break;
    } else if (c != '\r' || !rest_.starts_with('\n')) {
      row.back() += c;
    }
  }
  return row;
}

Status ItemReader::read_csv() {
  SMELT_ASSIGN(const std::vector<std::string> names, csv_row());
  while (!rest_.empty()) {
    const int64_t line = line_ + 1;
    SMELT_ASSIGN(const std::vector<std::string> row, csv_row());
    if (row.size() == 1 && row[0].empty()) continue;
    if (row.size() != names.size())
      return error_at(file_, line, fmt::format("{} columns, the first line has {}", row.size(), names.size()));
    TaskItem item;
    for (size_t i = 0; i < row.size(); ++i) item.fields.emplace_back(names[i], Value::text(row[i], true));
    SMELT_TRY(add(std::move(item), line));
  }
  return {};
}

Value list_of(const std::vector<std::string>& texts) {
  std::vector<Value> out;
  for (const std::string& text : texts) out.push_back(Value::text(text, true));
  return Value::list(std::move(out));
}

Value to_value(const Span& span, const std::vector<std::string>& tokens) {
  const auto entry = [](const char* key, Value value) {
    return jinja::Entry{Value::text(key, true), std::move(value)};
  };
  return Value::dict({entry("label", Value::text(span.label, true)),
                      entry("text", Value::text(span_text(span, tokens), true)),
                      entry("start", Value::integer(span.start)), entry("end", Value::integer(span.end))});
}

Status ItemReader::add_sentence(std::vector<std::string>& tokens, std::vector<std::string>& tags) {
  if (tokens.empty()) return {};
  std::vector<Value> spans;
  for (const Span& span : spans_of_tags(tags)) spans.push_back(to_value(span, tokens));
  const std::string text = fmt::format("{}", fmt::join(tokens, " "));
  TaskItem item{.index = 0,
                .fields = {{"tokens", list_of(tokens)},
                           {"tags", list_of(tags)},
                           {"text", Value::text(text, true)},
                           {"spans", Value::list(std::move(spans))}}};
  tokens.clear();
  tags.clear();
  return add(std::move(item), line_);
}

Status ItemReader::read_conll() {
  std::vector<std::string> tokens, tags;
  while (!rest_.empty()) {
    const std::string_view line = take_line(rest_);
    ++line_;
    if (is_blank(line)) {
      SMELT_TRY(add_sentence(tokens, tags));
      continue;
    }
    const size_t first = line.find_first_of(" \t"), last = line.find_last_of(" \t");
    if (first == std::string_view::npos || first == 0 || last + 1 == line.size())
      return error_at(file_, line_, "not a token, a space or tab, and a tag");
    const std::string_view tag = line.substr(last + 1);
    if (tag != "O" && !tag.starts_with("B-") && !tag.starts_with("I-"))
      return error_at(file_, line_, fmt::format("tag '{}' is not O, B-… or I-…", escape_for_display(tag)));
    tokens.emplace_back(line.substr(0, first));
    tags.emplace_back(tag);
  }
  return add_sentence(tokens, tags);
}

}  // namespace

Result<std::vector<TaskItem>> parse_items(std::string_view text, const DataSpec& spec, const std::string& file_name) {
  if (text.starts_with(kGzipMagic))
    return input_error(
        fmt::format("{}: compressed by gzip; unpack it first (gunzip -k)", escape_for_display(file_name, 4096)));
  return ItemReader(text, spec, file_name).read();
}

}  // namespace smelt
