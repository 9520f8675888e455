// Parsing, the one place where errors become messages and exit codes, and the log sink.
#include "apps/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "apps/command.h"
#include "apps/help.h"
#include "apps/output.h"
#include "apps/signals.h"
#include "apps/terminal.h"
#include "base/log.h"
#include "base/text.h"
#include "kernels/isa.h"
#include "smelt/version.h"

namespace smelt {
namespace {

constexpr const char* kDescription =
    "smelt refines large generative models into small ones that run on the device in your hand.";
constexpr const char* kDetails =
    "MODEL is a GGUF file, a Hugging Face folder, or a llama2.c .bin with its tokenizer beside it. Results are written "
    "to standard output, everything else to standard error. Exit codes: 0 done, 1 input, 2 usage, 130 interrupted.";
constexpr const char* kExamples =
    "  smelt quantize my-model/ small.gguf --type Q4_K_M\n"
    "  smelt run small.gguf -p \"Once upon a time\"\n"
    "  smelt eval kl small.gguf --against my-model/ --text book.txt\n"
    "  smelt run --help\n";

// The innermost command that was named.
const CLI::App& chosen_app(const CLI::App& app) {
  const std::vector<const CLI::App*> chosen =
      app.get_subcommands([](const CLI::App* child) { return child->parsed(); });
  return chosen.empty() ? app : chosen_app(*chosen.front());
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::vector<std::string> child_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* child : app.get_subcommands({})) names.push_back(child->get_name());
  return names;
}

// A word that CLI11 could not place.
Error unexpected_word(const CLI::App& app, const std::string& word) {
  const bool is_option = word.size() > 1 && word.front() == '-';
  const std::vector<std::string> children = child_names(app);
  const std::string kind = is_option ? "option" : children.empty() ? "argument" : "command";
  const std::string name = is_option ? word.substr(0, word.find('=')) : word;
  const std::string nearest = find_nearest(name, is_option ? option_names(app) : children);
  return usage_error(fmt::format("{} {} '{}'{}", kind == "argument" ? "unexpected" : "unknown", kind,
                                 escape_for_display(word), nearest.empty() ? "" : "; did you mean " + nearest + "?"));
}

Status parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success&) {
    throw;
  } catch (const CLI::ParseError& error) {
    return usage_error(error.what());
  }
  const CLI::App& chosen = chosen_app(app);
  for (const CLI::App* level = &chosen; level != nullptr; level = level->get_parent()) {
    const std::vector<std::string> words = level->remaining();
    if (!words.empty()) return unexpected_word(*level, words.front());
  }
  return {};
}

void print_log(LogLevel level, std::string_view message) {
  if (level == LogLevel::debug) return;
  note(fmt::format("smelt: {}: {}", level == LogLevel::note ? "note" : "warning", message));
}

// One line, whatever is in the message.
int report(const Error& error, const CLI::App& app) {
  if (error.kind == ErrorKind::cancelled) return output_is_closed() ? 0 : interrupted_exit_code();
  std::string line = error.message;
  std::replace(line.begin(), line.end(), '\n', ' ');
  if (error.kind == ErrorKind::usage) line += (line.ends_with('?') ? " See " : "; see ") + full_name(app) + " --help";
  note(fmt::format("{} {}", in_red("smelt:", stderr), line));
  return error.kind == ErrorKind::usage ? 2 : 1;
}

Status run_parsed(CLI::App& app, const Action& action) {
  if (!child_names(chosen_app(app)).empty()) {
    return usage_error("a command is missing; one of " +
                       fmt::format("{}", fmt::join(child_names(chosen_app(app)), ", ")));
  }
  if (Status isa = check_isa_override(); !isa) note("smelt: warning: " + isa.error().message);
  SMELT_TRY(action());
  return flush_output();
}

}  // namespace

int run_command_line(int argc, char** argv) {
  install_signal_handlers();
  set_log_sink(print_log);
  CLI::App app(kDescription, "smelt");
  prepare_app(app);
  set_help(app, kDetails, kExamples);
  app.set_version_flag("--version", std::string("smelt ") + kVersion, "the version");
  const Action action = add_commands(app, all_commands());
  Status done;
  try {
    done = parse(app, argc, argv);
  } catch (const CLI::CallForHelp&) {
    done = print(help_page(chosen_app(app)));
    if (done) done = flush_output();
    return done ? 0 : report(done.error(), app);
  } catch (const CLI::CallForVersion&) {
    done = print(std::string("smelt ") + kVersion + "\n");
    if (done) done = flush_output();
    return done ? 0 : report(done.error(), app);
  }
  if (done) done = run_parsed(app, action);
  return done ? 0 : report(done.error(), chosen_app(app));
}

}  // namespace smelt
