// Help pages: summary, usage, arguments, options, commands, details, examples.
#include "apps/help.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

namespace smelt {
namespace {

constexpr size_t kColumn = 30;  // where descriptions begin
constexpr size_t kWidth = 100;

std::string wrapped(const std::string& text, size_t indent) {
  std::string out;
  size_t column = indent;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (column + word.size() + 1 > kWidth && column > indent) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out;
}

std::string entry(const std::string& left, const std::string& description) {
  std::string out = "  " + left;
  if (description.empty()) return out + "\n";
  if (out.size() + 2 > kColumn) {
    out += "\n" + std::string(kColumn, ' ');
  } else {
    out.resize(kColumn, ' ');
  }
  return out + wrapped(description, kColumn) + "\n";
}

// A list of choices that is too long for the left column is told in the description.
bool has_long_choice(const CLI::Option& option) {
  const std::string type_name = option.get_type_name();
  return type_name.size() > 20 && type_name.find('|') != std::string::npos;
}

std::string option_text(const CLI::Option& option) {
  if (!has_long_choice(option)) return option.get_description();
  std::string choices;
  for (const char c : option.get_type_name()) choices += c == '|' ? std::string(", ") : std::string(1, c);
  return option.get_description() + "; one of " + choices;
}

// "-n, --n-predict N"; options without a short form are moved in, so that the long ones stand in one column.
std::string option_label(const CLI::Option& option) {
  std::string out = option.get_snames().empty() ? "    " : "-" + option.get_snames().front();
  for (const std::string& name : option.get_lnames()) out += (out == "    " ? "--" : ", --") + name;
  if (option.get_type_size() != 0) out += " " + (has_long_choice(option) ? "TYPE" : option.get_type_name());
  return out;
}

std::string positional_label(const CLI::Option& option) {
  const std::string dots = option.get_expected_max() > 1 ? "…" : "";
  return option.get_name(true) + dots;
}

std::string usage_line(const CLI::App& app) {
  std::string out = "Usage: " + full_name(app);
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) continue;
    out += option->get_required() ? " " + positional_label(*option) : " [" + positional_label(*option) + "]";
  }
  if (!app.get_subcommands({}).empty()) out += " COMMAND";
  return out + " [OPTION]…\n";
}

std::string section(const std::string& title, const std::string& body) {
  return body.empty() ? "" : "\n" + title + ":\n" + body;
}

}  // namespace

std::string full_name(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name() : full_name(*app.get_parent()) + " " + app.get_name();
}

std::vector<std::string> child_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* child : app.get_subcommands({})) names.push_back(child->get_name());
  return names;
}

std::string help_page(const CLI::App& app) {
  std::string arguments, options, commands;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) {
      arguments += entry(positional_label(*option), option->get_description());
    } else {
      options += entry(option_label(*option), option_text(*option));
    }
  }
  for (const CLI::App* child : app.get_subcommands({})) commands += entry(child->get_name(), child->get_description());
  return app.get_description() + "\n\n" + usage_line(app) + section("Commands", commands) +
         section("Arguments", arguments) + section("Options", options) + app.get_footer();
}

void prepare_app(CLI::App& app) {
  app.set_help_flag("-h,--help", "this page");
  app.allow_extras();
  app.formatter_fn([](const CLI::App* shown, const std::string&, CLI::AppFormatMode) { return help_page(*shown); });
}

void set_help(CLI::App& app, const std::string& details, const std::string& examples) {
  const std::string text = details.empty() ? "" : "\n" + wrapped(details, 0) + "\n";
  app.footer(text + "\nExamples:\n" + examples);
}

}  // namespace smelt
