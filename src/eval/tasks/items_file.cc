// Writing lines, and reading them again.
#include "eval/tasks/items_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/json_tree.h"
#include "base/mapped_file.h"
#include "base/text.h"

namespace smelt {
namespace {

using nlohmann::ordered_json;

constexpr uint64_t kMaxItemsBytes = uint64_t{4} << 30;
constexpr const char* kMark = "smelt_items";

std::string to_line(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::string format_settings(const RunSettings& settings) {
  ordered_json out = {{kMark, 1}};
  for (const auto& [name, value] : settings) out[name] = value;
  return to_line(out);
}

std::string format_record(const TaskRecord& record) {
  ordered_json out = {{"item", record.index}, {"scores", ordered_json::object()}};
  for (const auto& [name, value] : record.scores) out["scores"][name] = value;
  for (const auto& [name, value] : record.details) std::visit([&](const auto& each) { out[name] = each; }, value);
  return to_line(out);
}

Status check_settings(const JsonValue& line, const RunSettings& settings) {
  const JsonField root(line, "");
  if (!root.find(kMark)) return input_error("not an items file of smelt eval task");
  for (const auto& [name, value] : settings) {
    SMELT_ASSIGN(const std::string found, root.get_string(name, ""));
    if (found != value)
      return input_error(fmt::format("made with {} {}, now it is {}; take another file, or --force to begin anew", name,
                                     escape_for_display(found), escape_for_display(value)));
  }
  return {};
}

Result<TaskRecord> parse_record(const JsonValue& line) {
  const JsonField root(line, "");
  TaskRecord out;
  SMELT_ASSIGN(const JsonField index, root.get("item"));
  SMELT_ASSIGN(out.index, index.integer());
  SMELT_ASSIGN(const JsonField scores, root.get("scores"));
  SMELT_ASSIGN(const JsonValue::Object* members, scores.object());
  for (const JsonMember& member : *members) {
    SMELT_ASSIGN(const double value, JsonField(member.value, "scores." + member.key).number());
    out.scores.emplace_back(member.key, value);
  }
  return out;
}

}  // namespace

double TaskRecord::score(std::string_view name) const {
  for (const auto& [key, value] : scores)
    if (key == name) return value;
  return std::numeric_limits<double>::quiet_NaN();
}

Error ItemsFile::system_error(const char* what) const {
  return input_error(fmt::format("{}: {}: {}", escape_for_display(path_, 4096), what, std::strerror(errno)));
}

Result<ItemsFile> ItemsFile::open(const std::string& path, ItemsMode mode, const RunSettings& settings) {
  ItemsFile out;
  out.path_ = path;
  if (path.empty()) return out;
  std::error_code ignored;
  const bool goes_on = mode == ItemsMode::resume && std::filesystem::exists(path, ignored);
  if (goes_on) SMELT_TRY(out.read(settings));
  if (!goes_on) SMELT_TRY(out.create(mode != ItemsMode::replace, settings));
  return out;
}

Status ItemsFile::create(bool exclusive, const RunSettings& settings) {
  const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (exclusive ? O_EXCL : O_TRUNC);
  const int fd = ::open(path_.c_str(), flags, 0666);
  if (fd < 0 && errno == EEXIST)
    return input_error(fmt::format("{}: exists already; --resume goes on with it, --force replaces it",
                                   escape_for_display(path_, 4096)));
  if (fd < 0) return system_error("cannot be written");
  file_.reset(::fdopen(fd, "w"));
  if (file_ == nullptr) return system_error("cannot be written");
  return write(format_settings(settings));
}

Status ItemsFile::read(const RunSettings& settings) {
  SMELT_ASSIGN(const std::string text, read_file(path_, kMaxItemsBytes));
  int64_t line_number = 0;
  size_t begin = 0;
  for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    const std::string name = fmt::format("{}:{}", escape_for_display(path_, 4096), ++line_number);
    SMELT_ASSIGN(const JsonValue line, parse_json_tree(std::string_view(text).substr(begin, end - begin), name));
    begin = end + 1;
    if (line_number == 1) {
      SMELT_TRY(check_settings(line, settings).with_context(name));
      continue;
    }
    SMELT_ASSIGN(TaskRecord record, parse_record(line).with_context(name));
    records_.push_back(std::move(record));
  }
  if (line_number == 0) return input_error(fmt::format("{}: has no whole line; begin anew with --force", path_));
  if (::truncate(path_.c_str(), static_cast<off_t>(begin)) != 0) return system_error("cannot be cut to whole lines");
  file_.reset(std::fopen(path_.c_str(), "ae"));
  return file_ == nullptr ? system_error("cannot be written") : Status();
}

Status ItemsFile::write(const std::string& line) {
  const bool ok = std::fwrite(line.data(), 1, line.size(), file_.get()) == line.size() && std::fflush(file_.get()) == 0;
  return ok ? Status() : system_error("write error");
}

Status ItemsFile::add(const TaskRecord& record) { return file_ == nullptr ? Status() : write(format_record(record)); }

}  // namespace smelt
