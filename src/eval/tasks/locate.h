// Where definitions and their data lie.
#pragma once

#include <string>
#include <vector>

#include "eval/tasks/task.h"

namespace smelt {

// Definitions (*.toml) are looked for in `folders`, the first one that has the name wins.
struct TaskPlaces {
  std::vector<std::string> folders;
  std::string data;  // a file, or the folder below which the definition's files lie; empty: the definition's folder
};

// `task`: a name, or the path of a .toml file. Errors of a missing data file say which file is wanted in which form.
Result<TaskInputs> load_task_inputs(const std::string& task, const TaskPlaces& places);

// All definitions of the folders, by name; a name that occurs twice is taken from the first folder.
Result<std::vector<TaskDefinition>> list_tasks(const std::vector<std::string>& folders);

}  // namespace smelt
