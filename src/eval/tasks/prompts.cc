// Examples, question and their tokens.
#include "eval/tasks/prompts.h"

#include <fmt/format.h>

namespace smelt {
namespace {

std::string_view without_leading_spaces(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  return text;
}

}  // namespace

Result<Prompter> Prompter::create(const TaskDefinition& definition, std::shared_ptr<const Tokenizer> tokenizer,
                                  std::span<const TaskItem> shots, bool chat) {
  Prompter out(definition, std::move(tokenizer));
  if (chat) {
    SMELT_ASSIGN(out.chat_, ChatFormat::of(out.tokenizer_));
    if (!out.chat_->has_template()) return usage_error("the model brings no chat template; leave out --chat");
    if (!definition.system.empty()) out.messages_.push_back({ChatMessage::Role::system, definition.system});
  } else if (!definition.system.empty()) {
    out.shots_text_ = definition.system + definition.separator;
  }
  if (!shots.empty() && !definition.answer)
    return usage_error(fmt::format("{}: examples need prompt.answer, which says how an answer looks", definition.file));
  for (const TaskItem& shot : shots) SMELT_TRY(out.add_shot(shot).with_context("example"));
  return out;
}

const TaskTemplate& Prompter::question_template() const {
  return chat_ && definition_->chat.prompt ? *definition_->chat.prompt : *definition_->prompt;
}

const TaskTemplate& Prompter::answer_template() const {
  return chat_ && definition_->chat.answer ? *definition_->chat.answer : *definition_->answer;
}

Status Prompter::add_shot(const TaskItem& shot) {
  SMELT_ASSIGN(const std::string question, question_template().render(shot));
  SMELT_ASSIGN(const std::string answer, answer_template().render(shot));
  if (chat_) {
    messages_.push_back({ChatMessage::Role::user, question});
    messages_.push_back({ChatMessage::Role::assistant, std::string(without_leading_spaces(answer))});
  } else {
    shots_text_ += question + answer + definition_->separator;
  }
  return {};
}

std::vector<TokenId> Prompter::encode(std::string_view text) const {
  std::vector<TokenId> ids = tokenizer_->encode(text, {.add_special = true});
  // An end token behind the prompt would end the text before it begins.
  while (!ids.empty() && tokenizer_->vocab().add_eos && tokenizer_->is_end(ids.back())) ids.pop_back();
  return ids;
}

Result<TaskPrompt> Prompter::ask(const TaskItem& item) const {
  SMELT_ASSIGN(const std::string question, question_template().render(item));
  TaskPrompt out;
  if (chat_) {
    std::vector<ChatMessage> messages = messages_;
    messages.push_back({ChatMessage::Role::user, question});
    SMELT_ASSIGN(ChatPrompt prompt, chat_->encode(messages));
    out.ids = std::move(prompt.ids);
  } else {
    out.text = shots_text_ + question;
    out.ids = encode(out.text);
  }
  if (out.ids.empty())
    return input_error(fmt::format("item {}: the prompt is empty, and the vocabulary has no begin token", item.index));
  return out;
}

std::vector<TokenId> Prompter::with(const TaskPrompt& prompt, std::string_view continuation) const {
  if (!chat_) return encode(prompt.text + std::string(continuation));
  std::vector<TokenId> ids = prompt.ids;
  const auto more = tokenizer_->encode(without_leading_spaces(continuation), {.goes_on = true});
  ids.insert(ids.end(), more.begin(), more.end());
  return ids;
}

std::vector<std::string> Prompter::stop_strings() const {
  return chat_ ? chat_->stop_strings() : std::vector<std::string>();
}

}  // namespace smelt
