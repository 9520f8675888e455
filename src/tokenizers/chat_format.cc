#include "tokenizers/chat_format.h"

#include <fmt/format.h>

#include <algorithm>

#include "templates/json.h"
#include "tokenizers/chat_writer.h"

namespace smelt {
namespace {

using jinja::Entry;
using jinja::Text;
using jinja::Value;
using Role = ChatMessage::Role;

Value own(std::string_view text) { return Value::text(text, false); }

Value call_value(const ChatCall& call) {
  auto arguments = jinja::parse_json(call.arguments.empty() ? "{}" : call.arguments, "arguments");
  const Value parsed = arguments && arguments->find_dict() != nullptr ? *arguments : Value::text(call.arguments, true);
  std::vector<Entry> out = {
      {own("type"), own("function")},
      {own("function"), Value::dict({{own("name"), Value::text(call.name, true)}, {own("arguments"), parsed}})}};
  if (!call.id.empty()) out.emplace_back(own("id"), Value::text(call.id, true));
  return Value::dict(std::move(out));
}

// The role's name is the program's; all else is data.
Value message_value(const ChatMessage& message) {
  std::vector<Entry> out = {{own("role"), own(chat_role_name(message.role))},
                            {own("content"), Value::text(message.text, true)}};
  if (!message.thinking.empty()) out.emplace_back(own("reasoning_content"), Value::text(message.thinking, true));
  if (!message.call_id.empty()) out.emplace_back(own("tool_call_id"), Value::text(message.call_id, true));
  if (!message.calls.empty()) {
    std::vector<Value> calls;
    for (const ChatCall& call : message.calls) calls.push_back(call_value(call));
    out.emplace_back(own("tool_calls"), Value::list(std::move(calls)));
  }
  return Value::dict(std::move(out));
}

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

// <…> and […] without blanks in them.
std::vector<std::string> find_marks(std::string_view text) {
  std::vector<std::string> out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '<' && text[i] != '[') continue;
    const size_t end = text.find_first_of(" \n\t<[>]", i + 1);
    if (end == std::string_view::npos || end < i + 2 || text[end] != (text[i] == '<' ? '>' : ']')) continue;
    out.emplace_back(text.substr(i, end + 1 - i));
    i = end;
  }
  return out;
}

}  // namespace

Result<Value> parse_chat_tools(std::string_view json, const std::string& name) {
  SMELT_ASSIGN(Value tools, jinja::parse_json(json, name));
  if (tools.find_list() == nullptr)
    return input_error(name + ": a list of tools is wanted, [{\"type\": \"function\", …}]");
  return tools;
}

Result<ChatFormat> ChatFormat::of(std::shared_ptr<const Tokenizer> tokenizer) {
  ChatFormat out(std::move(tokenizer), ChatForm::plain);
  const std::string& source = out.tokenizer_->vocab().chat_template;
  if (is_blank(source)) return out;
  SMELT_ASSIGN(out.template_, jinja::Template::parse(source));
  return out;
}

ChatFormat ChatFormat::built_in(std::shared_ptr<const Tokenizer> tokenizer, ChatForm form) {
  return {std::move(tokenizer), form};
}

std::string ChatFormat::name() const {
  if (!template_) return chat_form_name(form_);
  const std::string family = name_template(tokenizer_->vocab().chat_template);
  return family.empty() ? "template" : fmt::format("template ({})", family);
}

bool ChatFormat::knows_thinking() const {
  return template_.has_value() && tokenizer_->vocab().chat_template.find("think>") != std::string::npos;
}

Result<Text> ChatFormat::render(const std::vector<ChatMessage>& messages, const ChatOptions& options) const {
  std::vector<Value> list;
  for (const ChatMessage& message : messages) list.push_back(message_value(message));
  std::vector<std::pair<std::string, Value>> variables = {{"messages", Value::list(std::move(list))},
                                                          {"tools", options.tools.value_or(Value::none())},
                                                          {"documents", Value::none()},
                                                          {"add_generation_prompt", Value::boolean(true)}};
  if (options.thinking) variables.emplace_back("enable_thinking", Value::boolean(*options.thinking));
  const Vocab& vocab = tokenizer_->vocab();
  const struct {
    const char* name;
    const std::optional<TokenId>& id;
  } tokens[] = {
      {"bos_token", vocab.bos}, {"eos_token", vocab.eos}, {"pad_token", vocab.padding}, {"unk_token", vocab.unknown}};
  for (const auto& [name, id] : tokens) {
    if (id) variables.emplace_back(name, own(vocab.tokens[static_cast<size_t>(*id)].text));
  }
  return template_->render(variables);
}

Result<ChatPrompt> ChatFormat::encode(const std::vector<ChatMessage>& messages, const ChatOptions& options) const {
  if (!template_) return ChatPrompt{encode_chat(*tokenizer_, form_, messages)};
  SMELT_ASSIGN(const Text text, render(messages, options));
  ChatWriter out(*tokenizer_);
  for (const Text::Piece& piece : text.pieces()) {
    if (piece.foreign) {
      out.text(piece.text);
    } else {
      out.template_text(piece.text);
    }
  }
  std::string_view end = text.bytes();
  end = end.substr(0, end.find_last_not_of(" \t\r\n") + 1);
  const bool thinks = end.ends_with("<think>") && !text.foreign_at(end.size() - 1);
  return ChatPrompt{out.take(), thinks};
}

// What the template writes between an answer and the next message: its marks, or its words where it has no marks.
std::vector<std::string> ChatFormat::stop_strings() const {
  if (!template_) return chat_stop_strings(form_);
  constexpr std::string_view kAnswer = "ANSWERHERE";
  constexpr std::string_view kNext = "NEXTHERE";
  const auto text = render(
      {{Role::user, "FIRSTHERE"}, {Role::assistant, std::string(kAnswer)}, {Role::user, std::string(kNext)}}, {});
  if (!text) return {};
  const std::string_view whole = text->bytes();
  const size_t begin = whole.find(kAnswer);
  const size_t end = whole.find(kNext);
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) return {};
  const std::string_view between = whole.substr(begin + kAnswer.size(), end - begin - kAnswer.size());
  std::vector<std::string> marks = find_marks(between);
  const size_t first = between.find_first_not_of(" \t\r\n");
  const size_t last = between.find_last_not_of(" \t\r\n");
  if (marks.empty() && first != std::string_view::npos && last - first >= 2)
    marks.emplace_back(between.substr(first, last + 1 - first));
  return marks;
}

}  // namespace smelt
