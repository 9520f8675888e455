// An item as the model is asked it: examples in front, in the model's chat template if wanted, as tokens.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eval/tasks/definition.h"
#include "tokenizers/chat_format.h"

namespace smelt {

struct TaskPrompt {
  std::string text;          // without a chat template
  std::vector<TokenId> ids;  // at least one
};

class Prompter {
 public:
  // The definition must outlive it. `shots`: the examples of every prompt, in order; they need the definition's answer.
  static Result<Prompter> create(const TaskDefinition& definition, std::shared_ptr<const Tokenizer> tokenizer,
                                 std::span<const TaskItem> shots, bool chat);

  Result<TaskPrompt> ask(const TaskItem& item) const;
  // The prompt's tokens with a text behind it. Those of the prompt may end otherwise than without it, where a token
  // reaches over the seam. In a chat the text begins without its spaces.
  std::vector<TokenId> with(const TaskPrompt& prompt, std::string_view continuation) const;
  // Texts that end an answer of the chat template.
  std::vector<std::string> stop_strings() const;

 private:
  Prompter(const TaskDefinition& definition, std::shared_ptr<const Tokenizer> tokenizer)
      : definition_(&definition), tokenizer_(std::move(tokenizer)) {}
  const TaskTemplate& question_template() const;
  const TaskTemplate& answer_template() const;
  Status add_shot(const TaskItem& shot);
  std::vector<TokenId> encode(std::string_view text) const;

  const TaskDefinition* definition_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::optional<ChatFormat> chat_;
  std::string shots_text_;
  std::vector<ChatMessage> messages_;
};

}  // namespace smelt
