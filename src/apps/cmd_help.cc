// smelt help: the same pages as --help.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "apps/command.h"
#include "apps/help.h"
#include "apps/output.h"
#include "base/text.h"

namespace smelt {
namespace {

Status run_help(const CLI::App& root, const std::vector<std::string>& words) {
  const CLI::App* shown = &root;
  for (const std::string& word : words) {
    const std::vector<const CLI::App*> found =
        shown->get_subcommands([&](const CLI::App* child) { return child->get_name() == word; });
    if (found.empty()) {
      const std::string nearest = find_nearest(word, child_names(*shown));
      return usage_error(fmt::format("unknown command '{}'{}", escape_for_display(word),
                                     nearest.empty() ? "" : "; did you mean " + nearest + "?"));
    }
    shown = found.front();
  }
  return print(help_page(*shown));
}

Action add(CLI::App& app) {
  auto words = std::make_shared<std::vector<std::string>>();
  app.add_option("COMMAND", *words, "the command, such as run or eval kl (default: all in short)")
      ->type_name(fmt::format("{}", fmt::join(child_names(*app.get_parent()), "|")));
  app.prefix_command();  // names of commands are words here
  return [&app, words] { return run_help(*app.get_parent(), *words); };
}

}  // namespace

extern const Command help_command;
const Command help_command = {
    .name = "help",
    .summary = "Show the page of a command",
    .details = "",
    .examples =
        "  smelt help quantize\n"
        "  smelt help eval kl\n",
    .add = add,
};

}  // namespace smelt
