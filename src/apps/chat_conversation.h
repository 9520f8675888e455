// A conversation with a model: messages, answers, and the file they are saved in. Called by cmd_chat.cc; prints
// nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/generate.h"
#include "tokenizers/chat.h"

namespace smelt {

class Conversation {
 public:
  // `options.stop` is completed by the form's own. Seeds count up from options.sampling.seed, one an answer.
  Conversation(LoadedModel model, Session session, ChatForm form, GenerateOptions options);

  const std::string& system() const { return system_; }
  void set_system(std::string text) { system_ = std::move(text); }
  void clear() { messages_.clear(); }
  const std::vector<ChatMessage>& messages() const { return messages_; }
  const Session& session() const { return session_; }
  const LoadedModel& model() const { return model_; }
  ChatForm form() const { return form_; }

  // Adds the message and the model's answer to it. On an error the conversation is as it was before.
  Result<GenerateResult> ask(const std::string& message, const EmitText& emit);
  // Replaces the last answer. A usage error if there is none.
  Result<GenerateResult> answer_again(const EmitText& emit);

  // JSON: {"system": …, "messages": [{"role": "user", "text": …}, …]}. load leaves all as it is on an error.
  std::string to_json() const;
  Status load_json(const std::string& json);

 private:
  Result<GenerateResult> answer(const EmitText& emit);

  LoadedModel model_;
  Session session_;
  ChatForm form_;
  GenerateOptions options_;
  std::string system_;
  std::vector<ChatMessage> messages_;  // user and assistant in turn
};

}  // namespace smelt
