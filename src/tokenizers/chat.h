// Conversations, and the built-in chat forms for models that bring no template of their own. Templates are
// chat_format.h's.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizers/tokenizer.h"

namespace smelt {

enum class ChatForm { plain, llama2, llama3, chatml, zephyr };

// A call of a tool that the assistant made.
struct ChatCall {
  std::string id;
  std::string name;
  std::string arguments;  // JSON
};

struct ChatMessage {
  enum class Role { system, user, assistant, tool } role;
  std::string text;
  std::string thinking{};         // of the assistant, apart from its answer
  std::vector<ChatCall> calls{};  // of the assistant
  std::string call_id{};          // of a tool's result: the call that it answers
};

const char* chat_role_name(ChatMessage::Role role);

const char* chat_form_name(ChatForm form);
std::vector<std::string> chat_form_names();
std::optional<ChatForm> find_chat_form(std::string_view name);
// The family whose template has the marks of this one ("ChatML", "Gemma", …), for people to read; "" if none is known.
std::string name_template(std::string_view text);
// The whole conversation as ids, ending where the assistant's answer begins. Message text never becomes special tokens.
// include_bos adds what the vocabulary asks for at the start.
std::vector<TokenId> encode_chat(const Tokenizer& tokenizer, ChatForm form, const std::vector<ChatMessage>& messages);
// Texts that end an answer besides the vocabulary's end tokens.
std::vector<std::string> chat_stop_strings(ChatForm form);

}  // namespace smelt
