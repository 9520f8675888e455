// Parsing, the one place where errors become messages and exit codes, and the log sink.
#include "apps/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <set>

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

// A word that CLI11 could not place.
Error unexpected_word(const CLI::App& app, const std::string& word) {
  const bool is_option = word.size() > 1 && word.front() == '-';
  const std::vector<std::string> children = child_names(app);
  const std::string kind = is_option ? "option" : children.empty() ? "argument" : "command";
  const std::string name = is_option ? word.substr(0, word.find('=')) : word;
  const std::string nearest = find_nearest(name, is_option ? option_names(app) : children);
  return usage_error(fmt::format("{} {} '{}'{}", kind == "argument" ? "unexpected" : "unknown", kind,
                                 escape_for_display(name), nearest.empty() ? "" : "; did you mean " + nearest + "?"));
}

// Options below `app` that take a value: "--temp", "-n".
void collect_value_options(const CLI::App& app, std::set<std::string>& out) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_type_size() == 0) continue;
    for (const std::string& name : option->get_lnames()) out.insert("--" + name);
    for (const std::string& name : option->get_snames()) out.insert("-" + name);
  }
  for (const CLI::App* child : app.get_subcommands({})) collect_value_options(*child, out);
}

// CLI11 takes the word after "--stop=" for its value; it is the empty text, as `--stop ''` is.
std::vector<std::string> read_words(const CLI::App& app, int argc, char** argv) {
  std::set<std::string> value_options;
  collect_value_options(app, value_options);
  std::vector<std::string> words;
  bool all_arguments = false;  // after "--"
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool is_value = i > 1 && value_options.contains(argv[i - 1]);
    all_arguments = all_arguments || (word == "--" && !is_value);
    const bool is_empty = word.size() > 3 && word.find('=') == word.size() - 1 && !is_value && !all_arguments &&
                          value_options.contains(word.substr(0, word.size() - 1));
    words.push_back(is_empty ? word.substr(0, word.size() - 1) : word);
    if (is_empty) words.emplace_back();
  }
  return words;
}

Status check_all_placed(const CLI::App& app) {
  for (const CLI::App* level = &chosen_app(app); level != nullptr; level = level->get_parent()) {
    const std::vector<std::string> words = level->remaining();
    if (!words.empty()) return unexpected_word(*level, words.front());
  }
  return {};
}

Status parse(CLI::App& app, int argc, char** argv) {
  try {
    std::vector<std::string> words = read_words(app, argc, argv);
    std::reverse(words.begin(), words.end());  // as CLI11 wants it
    app.parse(std::move(words));
  } catch (const CLI::Success&) {
    throw;
  } catch (const CLI::ArgumentMismatch& error) {
    // "--temp: 1 required X missing"
    const std::string what = error.what();
    return usage_error(what.ends_with(" missing") ? what.substr(0, what.find(':')) + ": its value is missing" : what);
  } catch (const CLI::RequiredError& error) {
    SMELT_TRY(check_all_placed(app));  // an option misspelt is worth more words than an argument that is missing, too
    return usage_error(error.what());
  } catch (const CLI::ParseError& error) {
    return usage_error(error.what());
  }
  return check_all_placed(app);
}

// Control characters and ill-formed bytes, which can come from the command line and from files, are shown as escapes.
std::string one_line(const std::string& message) {
  std::string out;
  for (size_t at = 0; at < message.size();) {
    const size_t length = utf8_length(message, at);
    const bool shown =
        length > 1 || (length == 1 && static_cast<unsigned char>(message[at]) >= ' ' && message[at] != 127);
    if (shown) out.append(message, at, length);
    if (!shown) out += message[at] == '\n' ? " " : fmt::format("\\x{:02x}", static_cast<unsigned char>(message[at]));
    at += std::max<size_t>(1, length);
  }
  return out;
}

void print_log(LogLevel level, std::string_view message) {
  if (level == LogLevel::debug) return;
  note(fmt::format("smelt: {}: {}", level == LogLevel::note ? "note" : "warning", one_line(std::string(message))));
}

// What was printed before the error comes out first.
int report(const Error& error, const CLI::App& app) {
  (void)flush_output();
  const bool cancelled = error.kind == ErrorKind::cancelled;
  if (cancelled && output_is_closed()) return 0;
  std::string line = one_line(error.message);
  if (error.kind == ErrorKind::usage) line += (line.ends_with('?') ? " See " : "; see ") + full_name(app) + " --help";
  note(fmt::format("{} {}", in_red("smelt:", stderr), line));
  if (cancelled) return interrupted_exit_code();
  return error.kind == ErrorKind::usage ? 2 : 1;
}

Status run_parsed(CLI::App& app, const Action& action) {
  if (!child_names(chosen_app(app)).empty()) {
    return usage_error("a command is missing; one of " +
                       fmt::format("{}", fmt::join(child_names(chosen_app(app)), ", ")));
  }
  if (Status isa = check_isa_override(); !isa) print_log(LogLevel::warning, isa.error().message);
  return action();
}

Status parse_and_run(CLI::App& app, const Action& action, int argc, char** argv) {
  try {
    SMELT_TRY(parse(app, argc, argv));
  } catch (const CLI::CallForHelp&) {
    return print(help_page(chosen_app(app)));
  } catch (const CLI::CallForVersion&) {
    return print(std::string("smelt ") + kVersion + "\n");
  }
  return run_parsed(app, action);
}

// The last door for what the standard library throws: memory that is not there, a limit on threads.
Status guarded_run(CLI::App& app, const Action& action, int argc, char** argv) {
  try {
    SMELT_TRY(parse_and_run(app, action, argc, argv));
    return flush_output();
  } catch (const std::bad_alloc&) {
    return input_error("not enough memory; free some, or raise the limit that is set on this process (ulimit -v)");
  } catch (const std::exception& error) {
    return input_error(std::string("unexpected error: ") + error.what());
  }
}

int run_program(const Program& program, int argc, char** argv) {
  install_signal_handlers();
  set_log_sink(print_log);
  CLI::App app(program.description, program.name);
  prepare_app(app);
  set_help(app, program.details, program.examples);
  app.set_version_flag("--version", std::string("smelt ") + kVersion, "the version");
  const Action action = add_commands(app, program.commands);
  const Status done = guarded_run(app, action, argc, argv);
  return done ? 0 : report(done.error(), chosen_app(app));
}

}  // namespace

const Program& smelt_program() {
  static const Program kProgram{"smelt", kDescription, kDetails, kExamples, all_commands()};
  return kProgram;
}

int run_command_line(const Program& program, int argc, char** argv) {
  keep_standard_streams();
  try {
    return run_program(program, argc, argv);
  } catch (const std::exception&) {  // not even enough for the options or for a message
    note("smelt: not enough memory");
    return 1;
  }
}

}  // namespace smelt
