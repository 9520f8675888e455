// The dialogue on the terminal: prompts, commands, answers as they come. Called by cmd_chat.cc.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "apps/chat_conversation.h"
#include "apps/chat_history.h"
#include "apps/chat_input.h"
#include "apps/line_reader.h"

namespace smelt {

class ChatLoop {
 public:
  // `seed` is what the first answer is drawn with. `history_file` is used on a terminal only; "" for none.
  // `json`: each answer is one line of JSON on standard output, written when it is whole.
  ChatLoop(Conversation conversation, uint64_t seed, const std::string& history_file, bool json);

  // Until /exit or the end of input. On a terminal errors are shown and the chat goes on; elsewhere they end it.
  Status run();

 private:
  Status step();
  void show_banner() const;
  void interrupted_at_prompt();
  Status handle(const std::string& message);
  Status do_command(const ChatCommand& command);
  Status show_answer(Result<GenerateResult> result, const Status& printed);
  bool emit(const AnswerPart& part);
  bool write(const std::string& text);
  Status show_json(FinishReason reason) const;

#define SMELT_CHAT_COMMAND(name, argument, description) Status do_##name(const std::string& given);
#include "apps/chat_commands.inc"
#undef SMELT_CHAT_COMMAND

  Conversation conversation_;
  uint64_t seed_;
  std::unique_ptr<LineReader> lines_;
  MessageReader message_;
  bool interactive_;
  ChatHistory history_;
  bool done_ = false;
  bool asked_to_leave_ = false;  // Ctrl-C at the prompt; the second leaves
  std::string own_file_;         // saved or loaded here: may be replaced
  std::optional<GenerateResult> last_;
  Status printed_;
  char last_character_ = '\n';
  bool json_;
  AnswerPart::Kind last_kind_ = AnswerPart::Kind::text;
};

}  // namespace smelt
