// encode_chat: conversations in the built-in forms. A form writes a list of parts, marks and plain text; a mark becomes
// its token where the vocabulary has one, and what lies between two tokens is encoded as one text.
#include "tokenizers/chat.h"

#include <array>

#include "tokenizers/chat_writer.h"

namespace smelt {
namespace {

using Role = ChatMessage::Role;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\n\v\f\r";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

}  // namespace

const char* chat_role_name(Role role) {
  switch (role) {
    case Role::system:
      return "system";
    case Role::user:
      return "user";
    case Role::tool:
      return "tool";
    case Role::assistant:
      break;
  }
  return "assistant";
}

namespace {

// Base models: an answer follows its message on the same line, each message begins a line.
void write_plain(ChatWriter& out, const std::vector<ChatMessage>& messages) {
  out.begin();
  for (size_t i = 0; i < messages.size(); ++i) {
    if (i > 0) out.text(messages[i].role == Role::assistant ? " " : "\n");
    out.text(messages[i].text);
  }
}

// <s>[INST] <<SYS>>\n … \n<</SYS>>\n\n … [/INST] … </s><s>[INST] … [/INST]
void write_llama2(ChatWriter& out, const std::vector<ChatMessage>& messages) {
  bool in_turn = false;
  const auto open_turn = [&] {
    if (!in_turn) {
      out.begin();
      out.mark("[INST]");
    }
    out.text(in_turn ? "\n" : " ");
    in_turn = true;
  };
  const auto close_turn = [&] {
    if (in_turn) {
      out.text(" ");
      out.mark("[/INST]");
    }
    in_turn = false;
  };
  for (const ChatMessage& message : messages) {
    if (message.role == Role::assistant) {
      close_turn();
      out.text(" ");
      out.text(trimmed(message.text));
      out.text(" ");
      out.end();
      continue;
    }
    open_turn();
    out.text(message.role == Role::system ? "<<SYS>>\n" : "");
    out.text(trimmed(message.text));
    out.text(message.role == Role::system ? "\n<</SYS>>\n" : "");
  }
  close_turn();
}

void write_llama3(ChatWriter& out, const std::vector<ChatMessage>& messages) {
  const auto open_turn = [&](Role role) {
    out.mark("<|start_header_id|>");
    out.text(chat_role_name(role));
    out.mark("<|end_header_id|>");
    out.text("\n\n");
  };
  out.begin();
  for (const ChatMessage& message : messages) {
    open_turn(message.role);
    out.text(trimmed(message.text));
    out.mark("<|eot_id|>");
  }
  open_turn(Role::assistant);
}

void write_chatml(ChatWriter& out, const std::vector<ChatMessage>& messages) {
  const auto open_turn = [&](Role role) {
    out.mark("<|im_start|>");
    out.text(chat_role_name(role));
    out.text("\n");
  };
  out.begin();
  for (const ChatMessage& message : messages) {
    open_turn(message.role);
    out.text(message.text);
    out.mark("<|im_end|>");
    out.text("\n");
  }
  open_turn(Role::assistant);
}

void write_zephyr(ChatWriter& out, const std::vector<ChatMessage>& messages) {
  const auto open_turn = [&](Role role) {
    out.mark(std::string("<|") + chat_role_name(role) + "|>");
    out.text("\n");
  };
  out.begin();
  for (const ChatMessage& message : messages) {
    open_turn(message.role);
    out.text(message.text);
    out.end();
    out.text("\n");
  }
  open_turn(Role::assistant);
}

struct Form {
  ChatForm form;
  const char* name;
  void (*write)(ChatWriter& out, const std::vector<ChatMessage>& messages);
  std::vector<std::string> stops;
};

const Form& find_form(ChatForm form) {
  static const std::array<Form, 5> forms = {{
      {ChatForm::plain, "plain", write_plain, {}},
      {ChatForm::llama2, "llama2", write_llama2, {"[INST]"}},
      {ChatForm::llama3, "llama3", write_llama3, {"<|eot_id|>", "<|start_header_id|>"}},
      {ChatForm::chatml, "chatml", write_chatml, {"<|im_end|>", "<|im_start|>"}},
      {ChatForm::zephyr, "zephyr", write_zephyr, {"<|user|>", "<|system|>", "<|assistant|>"}},
  }};
  for (const Form& each : forms) {
    if (each.form == form) return each;
  }
  return forms[0];
}

}  // namespace

const char* chat_form_name(ChatForm form) { return find_form(form).name; }

std::vector<std::string> chat_form_names() {
  std::vector<std::string> names;
  for (const ChatForm form : {ChatForm::plain, ChatForm::llama2, ChatForm::llama3, ChatForm::chatml, ChatForm::zephyr})
    names.emplace_back(chat_form_name(form));
  return names;
}

std::optional<ChatForm> find_chat_form(std::string_view name) {
  for (const ChatForm form :
       {ChatForm::plain, ChatForm::llama2, ChatForm::llama3, ChatForm::chatml, ChatForm::zephyr}) {
    if (name == chat_form_name(form)) return form;
  }
  return std::nullopt;
}

std::vector<TokenId> encode_chat(const Tokenizer& tokenizer, ChatForm form, const std::vector<ChatMessage>& messages) {
  ChatWriter out(tokenizer);
  find_form(form).write(out, messages);
  return out.take();
}

std::vector<std::string> chat_stop_strings(ChatForm form) { return find_form(form).stops; }

}  // namespace smelt
