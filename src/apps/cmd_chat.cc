// smelt chat: a conversation on the terminal. The dialogue is chat_loop.h's, the conversation chat_conversation.h's.
#include <CLI/CLI.hpp>
#include <memory>

#include "apps/chat_loop.h"
#include "apps/command.h"
#include "apps/options.h"
#include "apps/options_constraint.h"
#include "apps/options_sampling.h"
#include "base/mapped_file.h"
#include "base/text.h"

namespace smelt {
namespace {

struct ChatArguments {
  std::string model, system, tools, form, think;
  bool no_history = false, json = false;
  GenerationArguments generation;
  ConstraintArguments constraint;  // of every answer
};

constexpr uint64_t kMaxToolsBytes = uint64_t{16} << 20;

Result<ChatFormat> make_format(const ChatArguments& arguments, const std::shared_ptr<const Tokenizer>& tokenizer) {
  if (arguments.form.empty()) return ChatFormat::of(tokenizer).with_context(arguments.model);
  const auto form = find_chat_form(arguments.form);
  if (!form) return usage_error("--form: '" + escape_for_display(arguments.form) + "' is no built-in chat form");
  return ChatFormat::built_in(tokenizer, *form);
}

Result<ChatOptions> make_chat_options(const ChatArguments& arguments, const ChatFormat& format) {
  ChatOptions options;
  if (!arguments.think.empty()) options.thinking = arguments.think == "on";
  if (arguments.tools.empty()) return options;
  if (!format.has_template())
    return input_error(arguments.model + ": has no chat template, so it cannot be told of tools");
  SMELT_ASSIGN(const std::string json, read_file(arguments.tools, kMaxToolsBytes));
  SMELT_ASSIGN(options.tools, parse_chat_tools(json, arguments.tools));
  return options;
}

Result<std::shared_ptr<const Nfa>> read_constraint(const ChatArguments& arguments) {
  SMELT_TRY(check_constraint(arguments.constraint, arguments.generation.generate));
  if (arguments.constraint.wanted() && !arguments.tools.empty()) {
    return usage_error("--tools: a constraint leaves no room for calls; take one of the two");
  }
  return compile_constraint(arguments.constraint);
}

Status run_chat(ChatArguments& arguments) {
  GenerationArguments& generation = arguments.generation;
  SMELT_TRY(finish_generation_options(generation));
  SMELT_ASSIGN(auto grammar, read_constraint(arguments));
  SMELT_ASSIGN(LoadedModel loaded, load_model(arguments.model, generation.compute));
  SMELT_ASSIGN(auto constraint, make_constraint(std::move(grammar), loaded.tokenizer));
  if (constraint) generation.generate.constraint = &*constraint;
  SMELT_ASSIGN(ChatFormat format, make_format(arguments, loaded.tokenizer));
  SMELT_ASSIGN(ChatOptions chat, make_chat_options(arguments, format));
  SMELT_ASSIGN(Session session, Session::create(loaded.model, generation.session));
  SMELT_ASSIGN(auto speculation,
               make_speculation(generation.speculation, loaded, session, generation.session, generation.compute));
  if (speculation) generation.generate.speculation = &*speculation;
  Conversation conversation(std::move(loaded), std::move(session), std::move(format), std::move(chat),
                            generation.generate);
  conversation.set_system(arguments.system);
  const std::string history_file = arguments.no_history ? "" : chat_history_path();
  return ChatLoop(std::move(conversation), generation.generate.sampling.seed, history_file, arguments.json).run();
}

Action add(CLI::App& app) {
  auto arguments = std::make_shared<ChatArguments>();
  add_model(app, arguments->model);
  app.add_option("--system", arguments->system, "what the model is told before the conversation")->type_name("TEXT");
  app.add_flag("--no-history", arguments->no_history,
               "neither read nor keep what is typed (else in $XDG_STATE_HOME/smelt/chat_history, for the arrow keys)");
  app.add_option("--tools", arguments->tools, "tools that the model may call: a JSON list as chat templates take it")
      ->type_name("FILE");
  app.add_option("--think", arguments->think, "switch thoughts on or off, where the model's template knows that")
      ->type_name("on|off")
      ->check(CLI::IsMember({"on", "off"}));
  app.add_option("--form", arguments->form, "a built-in chat form in place of the model's template")
      ->type_name("NAME")
      ->check(CLI::IsMember(chat_form_names()));
  app.add_flag("--json", arguments->json, "each answer as a line of JSON: text, thinking, calls, end");
  add_generation_options(app, arguments->generation);
  add_constraint_options(app, arguments->constraint);
  return [arguments] { return run_chat(*arguments); };
}

}  // namespace

extern const Command chat_command;
const Command chat_command = {
    .name = "chat",
    .summary = "Talk with a model on the terminal",
    .details =
        "Ctrl-C stops an answer, Ctrl-D or /exit leaves, /help lists the commands. A line that ends with \\ goes "
        "on in the next, and \"\"\" encloses a message of several lines. Without a terminal, every line of "
        "standard input is a message, and answers go to standard output. The conversation is written by the chat "
        "template "
        "that the model's files bring; models without one get plain text. Thoughts (<think>) are grey, and left out "
        "where "
        "standard output is no terminal. A model that knows tools (--tools) calls them as {\"name\": …, \"arguments\": "
        "…}; "
        "nothing is run, /result TEXT answers. With a constraint every answer is held to it.",
    .examples =
        "  smelt chat small.gguf\n"
        "  smelt chat small.gguf --system \"You answer in one sentence.\" --temp 0.5\n"
        "  echo \"What is a smelt?\" | smelt chat small.gguf --seed 1\n",
    .add = add,
};

}  // namespace smelt
