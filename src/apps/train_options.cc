#include "apps/train_options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "apps/options.h"
#include "apps/output.h"

namespace smelt {
namespace {

constexpr const char* kTrainer = "smelt-train";

// PATH is looked through by execvp.
std::string trainer_program() {
  std::error_code ignored;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  const std::string beside = (self.parent_path() / kTrainer).string();
  return !ignored && ::access(beside.c_str(), X_OK) == 0 ? beside : kTrainer;
}

}  // namespace

void add_train_options(CLI::App& app, TrainArguments& arguments) {
  app.add_option("--config", arguments.config, "the run, in TOML")->required()->type_name("FILE");
  app.add_option("--out", arguments.output, "folder to write")->required()->type_name("FILE");
  app.add_option("--data-dir", arguments.data_folder, "folder that the names of text files are relative to")
      ->type_name("FILE");
  app.add_flag("--resume", arguments.resume, "go on with what OUTPUT.work holds of a run that was cut short");
  app.add_flag("--force", arguments.force, "replace the output, and begin anew, whatever is there");
  add_threads(app, arguments.n_threads);
}

std::vector<std::string> train_words(const TrainArguments& arguments) {
  std::vector<std::string> words = {"train", "--config", arguments.config, "--out", arguments.output};
  if (!arguments.data_folder.empty()) words.insert(words.end(), {"--data-dir", arguments.data_folder});
  if (arguments.n_threads > 0) words.insert(words.end(), {"--threads", fmt::format("{}", arguments.n_threads)});
  if (arguments.resume) words.emplace_back("--resume");
  if (arguments.force) words.emplace_back("--force");
  return words;
}

Error become_trainer(const std::vector<std::string>& words) {
  if (Status flushed = flush_output(); !flushed) return flushed.error();
  std::string program = trainer_program();
  std::vector<std::string> copy = words;
  std::vector<char*> argv = {program.data()};
  for (std::string& word : copy) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execvp(program.c_str(), argv.data());
  if (errno != ENOENT) return input_error(fmt::format("{}: {}", program, std::strerror(errno)));
  return input_error(
      "training needs the program 'smelt-train', which is neither beside this one nor on PATH: the package "
      "smelt-train has it; from source, 'setup/install.sh train' and build again");
}

}  // namespace smelt
