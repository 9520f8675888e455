// smelt chat: a conversation on the terminal. The dialogue is chat_loop.h's, the conversation chat_conversation.h's.
#include <CLI/CLI.hpp>
#include <memory>

#include "apps/chat_loop.h"
#include "apps/command.h"
#include "apps/options.h"
#include "apps/options_sampling.h"

namespace smelt {
namespace {

struct ChatArguments {
  std::string model, system;
  bool no_history = false;
  GenerationArguments generation;
};

Status run_chat(ChatArguments& arguments) {
  GenerationArguments& generation = arguments.generation;
  SMELT_TRY(finish_generation_options(generation));
  SMELT_ASSIGN(LoadedModel loaded, load_model(arguments.model, generation.compute));
  SMELT_ASSIGN(const ChatForm form, detect_chat_form(loaded.tokenizer->vocab()).with_context(arguments.model));
  SMELT_ASSIGN(Session session, Session::create(loaded.model, generation.session));
  SMELT_ASSIGN(auto speculation,
               make_speculation(generation.speculation, loaded, session, generation.session, generation.compute));
  if (speculation) generation.generate.speculation = &*speculation;
  Conversation conversation(std::move(loaded), std::move(session), form, generation.generate);
  conversation.set_system(arguments.system);
  const std::string history_file = arguments.no_history ? "" : chat_history_path();
  return ChatLoop(std::move(conversation), generation.generate.sampling.seed, history_file).run();
}

Action add(CLI::App& app) {
  auto arguments = std::make_shared<ChatArguments>();
  add_model(app, arguments->model);
  app.add_option("--system", arguments->system, "what the model is told before the conversation")->type_name("TEXT");
  app.add_flag("--no-history", arguments->no_history,
               "neither read nor keep what is typed (else in $XDG_STATE_HOME/smelt/chat_history, for the arrow keys)");
  add_generation_options(app, arguments->generation);
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
        "standard input is a message, and answers go to standard output.",
    .examples =
        "  smelt chat small.gguf\n"
        "  smelt chat small.gguf --system \"You answer in one sentence.\" --temp 0.5\n"
        "  echo \"What is a smelt?\" | smelt chat small.gguf --seed 1\n",
    .add = add,
};

}  // namespace smelt
