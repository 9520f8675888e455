// smelt list: what this build knows: the families of models, with the names that files have for them.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/command.h"
#include "apps/options.h"
#include "apps/output.h"
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

Action add(CLI::App& app) {
  auto what = std::make_shared<std::string>("families");
  auto json = std::make_shared<bool>(false);
  app.add_option("WHAT", *what, "families: of models")->check(CLI::IsMember({"families"}));
  add_json(app, *json);
  return [json, what] { return print(*json ? format_families_json() : format_families()); };
}

}  // namespace

extern const Command list_command;
const Command list_command = {
    .name = "list",
    .summary = "List the families of models that can be read",
    .details =
        "A model's family is known by general.architecture of a GGUF file or by \"architectures\" of config.json. Two "
        "families share a name in GGUF where one has experts and the other has none.",
    .examples =
        "  smelt list families\n"
        "  smelt list families --json\n",
    .add = add,
};

}  // namespace smelt
