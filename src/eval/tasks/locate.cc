// Names to files.
#include "eval/tasks/locate.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/mapped_file.h"
#include "base/text.h"
#include "eval/tasks/items.h"
#include "eval/tasks/sha256.h"

namespace smelt {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

std::string shown(const std::string& path) { return escape_for_display(path, 4096); }

std::vector<std::string> names_in(const std::vector<std::string>& folders) {
  std::vector<std::string> out;
  for (const std::string& folder : folders) {
    std::error_code code;
    for (const auto& entry : fs::directory_iterator(folder, code))
      if (entry.path().extension() == ".toml") out.push_back(entry.path().stem().string());
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

Result<std::string> find_definition(const std::string& task, const std::vector<std::string>& folders) {
  if (task.ends_with(".toml") || task.find('/') != std::string::npos) return task;
  for (const std::string& folder : folders)
    if (is_there(fs::path(folder) / (task + ".toml"))) return (fs::path(folder) / (task + ".toml")).string();
  const auto known = names_in(folders);
  const std::string nearest = find_nearest(task, known);
  std::string advice = nearest.empty() ? "" : fmt::format("; did you mean '{}'?", nearest);
  if (nearest.empty())
    advice = known.empty() ? "; there are none" : fmt::format("; there are {}", fmt::join(known, ", "));
  return usage_error(
      fmt::format("no task '{}' in {}{}", shown(task), shown(fmt::format("{}", fmt::join(folders, ", "))), advice));
}

Error missing_data(const TaskDefinition& definition, const DataSpec& spec, const fs::path& looked_for) {
  const std::string form = spec.form.empty() ? "" : fmt::format(" ({})", spec.form);
  return input_error(
      fmt::format("{}: no such file; task '{}' wants '{}'{}; give the file, or the folder that holds it, by --data",
                  shown(looked_for.string()), shown(definition.name), shown(spec.file), form));
}

// Below the folder that was given; a file there under its mere name is as good.
Result<std::string> find_data(const TaskDefinition& definition, const DataSpec& spec, const fs::path& folder) {
  const fs::path whole = folder / spec.file, name = folder / fs::path(spec.file).filename();
  if (is_there(whole)) return whole.string();
  if (is_there(name)) return name.string();
  return missing_data(definition, spec, whole);
}

Result<std::string> find_items(const TaskDefinition& definition, const fs::path& data, const fs::path& folder) {
  std::error_code ignored;
  if (fs::is_directory(data, ignored) || data.empty()) return find_data(definition, definition.data, folder);
  if (is_there(data)) return data.string();
  return missing_data(definition, definition.data, data);
}

}  // namespace

Result<TaskInputs> load_task_inputs(const std::string& task, const TaskPlaces& places) {
  TaskInputs out;
  SMELT_ASSIGN(const std::string path, find_definition(task, places.folders));
  SMELT_ASSIGN(out.definition, load_task_definition(path));
  const TaskDefinition& definition = out.definition;
  std::error_code ignored;
  fs::path folder = places.data.empty() ? fs::path(path).parent_path() : fs::path(places.data);
  if (!places.data.empty() && !fs::is_directory(folder, ignored)) folder = folder.parent_path();
  SMELT_ASSIGN(out.data_path, find_items(definition, places.data, folder));
  SMELT_ASSIGN(const auto data, MappedFile::open(out.data_path));
  SMELT_ASSIGN(out.data_sha256, sha256_hex(data->text()));
  SMELT_ASSIGN(out.items, parse_items(data->text(), definition.data, out.data_path));
  out.shots = definition.shots;
  if (!definition.shots_data) return out;
  // Wanted only if examples are: task.cc tells where they are missing.
  const auto shots_path = find_data(definition, *definition.shots_data, folder);
  if (!shots_path) return out;
  SMELT_ASSIGN(const auto shots, MappedFile::open(*shots_path));
  SMELT_ASSIGN(out.shots, parse_items(shots->text(), *definition.shots_data, *shots_path));
  return out;
}

Result<std::vector<TaskDefinition>> list_tasks(const std::vector<std::string>& folders) {
  std::vector<TaskDefinition> out;
  for (const std::string& name : names_in(folders)) {
    SMELT_ASSIGN(const std::string path, find_definition(name, folders));
    SMELT_ASSIGN(TaskDefinition definition, load_task_definition(path));
    out.push_back(std::move(definition));
  }
  return out;
}

}  // namespace smelt
