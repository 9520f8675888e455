// How a model wants its conversations: by the template that its checkpoint brings, or in a built-in form. One object
// for each model; immutable.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "templates/template.h"
#include "tokenizers/chat.h"

namespace smelt {

struct ChatOptions {
  std::optional<jinja::Value> tools{};  // from parse_chat_tools
  std::optional<bool> thinking{};       // enable_thinking, for templates that know it
};

struct ChatPrompt {
  std::vector<TokenId> ids;
  bool begins_thinking = false;  // the prompt ends with <think>: the answer begins within thoughts
};

// Tools as JSON: a list of {"type": "function", "function": {"name": …, "parameters": …}}.
Result<jinja::Value> parse_chat_tools(std::string_view json, const std::string& name);

class ChatFormat {
 public:
  // The vocabulary's template, or plain text if it has none. A template that cannot be read is an error.
  static Result<ChatFormat> of(std::shared_ptr<const Tokenizer> tokenizer);
  static ChatFormat built_in(std::shared_ptr<const Tokenizer> tokenizer, ChatForm form);

  // "plain", "template (ChatML)", "template"
  std::string name() const;
  bool has_template() const { return template_.has_value(); }
  bool knows_thinking() const;  // the template speaks of <think>
  // The whole conversation, ending where the assistant's answer begins. Message text never becomes special tokens.
  // Errors are those of the template, which may refuse a conversation (roles out of order, no system role, …).
  Result<ChatPrompt> encode(const std::vector<ChatMessage>& messages, const ChatOptions& options = {}) const;
  // Texts that end an answer besides the vocabulary's end tokens.
  std::vector<std::string> stop_strings() const;

 private:
  ChatFormat(std::shared_ptr<const Tokenizer> tokenizer, ChatForm form)
      : tokenizer_(std::move(tokenizer)), form_(form) {}
  Result<jinja::Text> render(const std::vector<ChatMessage>& messages, const ChatOptions& options) const;

  std::shared_ptr<const Tokenizer> tokenizer_;
  ChatForm form_ = ChatForm::plain;
  std::optional<jinja::Template> template_;
};

}  // namespace smelt
