// smelt list: what this build knows: the families of models, with the names that files have for them; the tasks.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/command.h"
#include "apps/options.h"
#include "apps/output.h"
#include "apps/task_places.h"
#include "eval/tasks/locate.h"
#include "models/family.h"

namespace smelt {
namespace {

using nlohmann::ordered_json;

std::string hf_names(const ModelFamily& family) {
  std::string names;
  for (const char* name : family.hf_architectures) names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

std::string format_families() {
  std::string out = fmt::format("{:<12}{:<12}{}\n", "family", "in GGUF", "in config.json");
  for (const ModelFamily* family : all_families()) {
    out += fmt::format("{:<12}{:<12}{}\n", family->name, family->gguf_architecture, hf_names(*family));
  }
  return out;
}

std::string format_families_json() {
  ordered_json families = ordered_json::array();
  for (const ModelFamily* family : all_families()) {
    families.push_back({{"name", family->name},
                        {"gguf_architecture", family->gguf_architecture},
                        {"hf_architectures",
                         std::vector<std::string>(family->hf_architectures.begin(), family->hf_architectures.end())}});
  }
  return ordered_json{{"families", families}}.dump(2) + "\n";
}

std::string format_tasks(const std::vector<TaskDefinition>& tasks) {
  std::string out = fmt::format("{:<12}{:<32}{}\n", "task", "data", "what");
  for (const TaskDefinition& task : tasks)
    out += fmt::format("{:<12}{:<32}{}\n", task.name, task.data.file, task.title);
  return out;
}

std::string format_tasks_json(const std::vector<TaskDefinition>& tasks) {
  ordered_json out = ordered_json::array();
  for (const TaskDefinition& task : tasks)
    out.push_back({{"name", task.name},
                   {"title", task.title},
                   {"file", task.file},
                   {"data_file", task.data.file},
                   {"data_form", task.data.form}});
  return ordered_json{{"tasks", out}}.dump(2) + "\n";
}

struct ListArguments {
  std::string what = "families", tasks;
  bool json = false;
};

Status run(const ListArguments& arguments) {
  if (arguments.what == "families") return print(arguments.json ? format_families_json() : format_families());
  SMELT_ASSIGN(const auto tasks, list_tasks(task_folders(arguments.tasks)));
  return print(arguments.json ? format_tasks_json(tasks) : format_tasks(tasks));
}

Action add(CLI::App& app) {
  auto arguments = std::make_shared<ListArguments>();
  app.add_option("WHAT", arguments->what, "families: of models; tasks: of 'smelt eval task'")
      ->check(CLI::IsMember({"families", "tasks"}));
  app.add_option("--tasks", arguments->tasks, "folder of more definitions of tasks")->type_name("DIR");
  add_json(app, arguments->json);
  return [arguments] { return run(*arguments); };
}

}  // namespace

extern const Command list_command;
const Command list_command = {
    .name = "list",
    .summary = "List the families of models that can be read, or the tasks to measure them by",
    .details =
        "A model's family is known by general.architecture of a GGUF file or by \"architectures\" of config.json. Two "
        "families share a name in GGUF where one has experts and the other has none.",
    .examples =
        "  smelt list families\n"
        "  smelt list families --json\n"
        "  smelt list tasks\n",
    .add = add,
};

}  // namespace smelt
