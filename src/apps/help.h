// The help pages, written from CLI11's tree so that they show every option there is.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace smelt {

// What every command shares: --help, our help page, and left-over words kept for our own error messages.
void prepare_app(CLI::App& app);
// Text under the options of this command's page.
void set_help(CLI::App& app, const std::string& details, const std::string& examples);
// "smelt eval kl"
std::string full_name(const CLI::App& app);
// Names of the commands below it.
std::vector<std::string> child_names(const CLI::App& app);
std::string help_page(const CLI::App& app);

}  // namespace smelt
