// encode_chat: conversations in the built-in forms. A form writes a list of parts, marks and plain text; a mark becomes
// its token where the vocabulary has one, and what lies between two tokens is encoded as one text.
#include "tokenizers/chat.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"
#include "tokenizers/byte_token.h"

namespace smelt {
namespace {

using Role = ChatMessage::Role;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\n\v\f\r";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

const char* role_name(Role role) {
  switch (role) {
    case Role::system:
      return "system";
    case Role::user:
      return "user";
    case Role::assistant:
      break;
  }
  return "assistant";
}

// Collects text until a token comes, then encodes it.
class ChatWriter {
 public:
  explicit ChatWriter(const Tokenizer& tokenizer) : tokenizer_(tokenizer) { find_marks(); }

  void text(std::string_view piece) { text_ += piece; }
  // The token of this text, or the text where there is none.
  void mark(std::string_view name) {
    const std::optional<TokenId> id = find_mark(name);
    if (id) {
      token(*id);
    } else {
      text(name);
    }
  }
  void begin() {
    const Vocab& vocab = tokenizer_.vocab();
    if (vocab.add_bos && vocab.bos) token(*vocab.bos);
  }
  void end() {
    const std::optional<TokenId>& eos = tokenizer_.vocab().eos;
    if (eos) {
      token(*eos);
    } else {
      text("</s>");
    }
  }
  std::vector<TokenId> take() {
    flush();
    return std::move(ids_);
  }

 private:
  struct Mark {
    std::string_view text;
    TokenId id;
  };
  void find_marks();
  std::optional<TokenId> find_mark(std::string_view name) const;
  bool is_mark(TokenId id) const;
  void token(TokenId id) {
    flush();
    ids_.push_back(id);
  }
  void flush();
  void append_spelled(std::string_view spelled);

  const Tokenizer& tokenizer_;
  std::vector<Mark> marks_;
  std::array<TokenId, 256> byte_ids_ = {};
  std::string text_;
  std::vector<TokenId> ids_;
};

constexpr std::string_view kMarks[] = {
    "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>",    "<|im_start|>", "<|im_end|>", "[INST]", "[/INST]",
    "<|system|>",          "<|user|>",          "<|assistant|>", "<<SYS>>",      "<</SYS>>"};

bool may_be_mark(const Token& token) {
  return token.type == TokenType::control || token.type == TokenType::user_defined;
}

void ChatWriter::find_marks() {
  byte_ids_.fill(-1);
  const std::vector<Token>& tokens = tokenizer_.vocab().tokens;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    if (tokens[i].type == TokenType::byte) {
      if (const auto byte = byte_of_token(tokens[i].text)) byte_ids_[*byte] = id;
    }
    if (!may_be_mark(tokens[i])) continue;
    const auto* found = std::find(std::begin(kMarks), std::end(kMarks), tokens[i].text);
    if (found != std::end(kMarks)) marks_.push_back({*found, id});
  }
}

std::optional<TokenId> ChatWriter::find_mark(std::string_view name) const {
  for (const Mark& mark : marks_) {
    if (mark.text == name) return mark.id;
  }
  return std::nullopt;
}

// One character alone is none, whatever the file says of it.
bool ChatWriter::is_mark(TokenId id) const {
  const Vocab& vocab = tokenizer_.vocab();
  const std::string& name = vocab.tokens[static_cast<size_t>(id)].text;
  if (utf8_length(name, 0) == name.size()) return false;
  if (id == vocab.bos || id == vocab.eos || id == vocab.eot || tokenizer_.is_end(id)) return true;
  return std::any_of(marks_.begin(), marks_.end(), [&](const Mark& mark) { return mark.id == id; });
}

// Encodes what has come together. Control tokens never come of it; some vocabularies have marks as user-defined tokens,
// which do and are spelled out.
void ChatWriter::flush() {
  if (text_.empty()) return;
  for (const TokenId id : tokenizer_.encode(text_, {.goes_on = !ids_.empty()})) {
    if (!is_mark(id)) {
      ids_.push_back(id);
    } else if (id != tokenizer_.vocab().unknown) {  // which spells nothing
      append_spelled(tokenizer_.vocab().tokens[static_cast<size_t>(id)].text);
    }
  }
  text_.clear();
}

// Byte by byte where there are tokens for that, else character by character: no mark is that short.
void ChatWriter::append_spelled(std::string_view spelled) {
  while (!spelled.empty()) {
    const TokenId byte = byte_ids_[static_cast<uint8_t>(spelled.front())];
    const size_t length = byte >= 0 ? 1 : std::max<size_t>(utf8_length(spelled, 0), 1);
    if (byte >= 0) {
      ids_.push_back(byte);
    } else {
      for (const TokenId id : tokenizer_.encode(spelled.substr(0, length), {.goes_on = true})) {
        if (!is_mark(id)) ids_.push_back(id);
      }
    }
    spelled.remove_prefix(length);
  }
}

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
    out.text(role_name(role));
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
    out.text(role_name(role));
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
    out.mark(std::string("<|") + role_name(role) + "|>");
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

std::vector<TokenId> encode_chat(const Tokenizer& tokenizer, ChatForm form, const std::vector<ChatMessage>& messages) {
  ChatWriter out(tokenizer);
  find_form(form).write(out, messages);
  return out.take();
}

std::vector<std::string> chat_stop_strings(ChatForm form) { return find_form(form).stops; }

}  // namespace smelt
