// Built-in chat forms. A model's Jinja template is recognised as one of these by its marks, or refused by name; models
// without a template get plain text. (An engine for templates is a later piece of work.)
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tokenizers/tokenizer.h"

namespace smelt {

enum class ChatForm { plain, llama2, llama3, chatml, zephyr };

struct ChatMessage {
  enum class Role { system, user, assistant } role;
  std::string text;
};

const char* chat_form_name(ChatForm form);
Result<ChatForm> detect_chat_form(const Vocab& vocab);
// The whole conversation as ids, ending where the assistant's answer begins. Message text never becomes special tokens.
// include_bos adds what the vocabulary asks for at the start.
std::vector<TokenId> encode_chat(const Tokenizer& tokenizer, ChatForm form, const std::vector<ChatMessage>& messages);
// Texts that end an answer besides the vocabulary's end tokens.
std::vector<std::string> chat_stop_strings(ChatForm form);

}  // namespace smelt
