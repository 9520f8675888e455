// Where the definitions of tasks lie: for `smelt eval task` and `smelt list tasks`.
#pragma once

#include <string>
#include <vector>

namespace smelt {

// The folder that the user named, if any, then the one that was installed with this program: ../share/smelt/tasks
// beside its folder.
std::vector<std::string> task_folders(const std::string& given);

}  // namespace smelt
