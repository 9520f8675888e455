// A conversation with a model: messages, answers, and the file they are saved in. Called by cmd_chat.cc; prints
// nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/generate.h"
#include "tokenizers/chat_answer.h"
#include "tokenizers/chat_format.h"

namespace smelt {

// Called with each part of an answer as it comes: text and thoughts in pieces, calls whole. False ends the answer.
using EmitPart = std::function<bool(const AnswerPart&)>;

class Conversation {
 public:
  // `options.stop` is completed by the form's own. Seeds count up from options.sampling.seed, one an answer.
  Conversation(LoadedModel model, Session session, ChatFormat format, ChatOptions chat, GenerateOptions options);

  const std::string& system() const { return system_; }
  void set_system(std::string text) { system_ = std::move(text); }
  void clear() { messages_.clear(); }
  const std::vector<ChatMessage>& messages() const { return messages_; }
  const Session& session() const { return session_; }
  const LoadedModel& model() const { return model_; }
  const ChatFormat& format() const { return format_; }
  // Calls of the last answer whose results are not there yet.
  std::vector<ChatCall> open_calls() const;

  // Adds the message and the model's answer to it. On an error the conversation is as it was before.
  Result<GenerateResult> ask(const std::string& message, const EmitPart& emit);
  // The result of the first open call. While more are open nothing is generated.
  Status add_result(const std::string& text);
  // Goes on behind the results of calls.
  Result<GenerateResult> go_on(const EmitPart& emit) { return answer(emit); }
  // Replaces the last answer. A usage error if there is none.
  Result<GenerateResult> answer_again(const EmitPart& emit);

  // JSON: {"system": …, "messages": [{"role": "user", "text": …}, …]}; an answer may have "thinking" and "calls". load
  // leaves all as it is on an error.
  std::string to_json() const;
  Status load_json(const std::string& json);

 private:
  Result<GenerateResult> answer(const EmitPart& emit);

  LoadedModel model_;
  Session session_;
  ChatFormat format_;
  ChatOptions chat_;
  GenerateOptions options_;
  std::string system_;
  std::vector<ChatMessage> messages_;  // user and assistant in turn, results of tools between
};

// {"name": …, "arguments": {…}}, with its "id" if it has one. Arguments that are no JSON stand there as a string.
std::string format_call(const ChatCall& call);
// {"text": …, "thinking": …, "calls": […]} of the last answer; how it ended as "end".
std::string format_answer(const ChatMessage& answer, FinishReason reason);

}  // namespace smelt
