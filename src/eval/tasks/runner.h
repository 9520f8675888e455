// One kind of task: how an item is prepared, asked and judged. task.cc drives it; choice_runner.cc is one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/progress.h"
#include "eval/tasks/prefix_session.h"
#include "eval/tasks/prompts.h"
#include "eval/tasks/record.h"
#include "eval/tasks/task.h"
#include "runtime/generate.h"

namespace smelt {

// All that is known of an item before the model is asked.
struct PreparedItem {
  const TaskItem* item = nullptr;
  TaskPrompt prompt;
  int64_t n_answer = 0;              // tokens that the answer takes at most
  int64_t n_cut = 0;                 // tokens cut off at the prompt's begin, because the context is too short
  std::vector<std::string> choices;  // texts behind the prompt
  std::vector<std::string> golds;    // right answers
  int64_t gold_index = 0;            // the right choice
};

// What runners use. The members outlive them.
struct RunnerContext {
  const TaskDefinition& definition;
  const TaskOptions& options;
  const LoadedModel& model;
  const Prompter& prompter;
  const CancelToken* cancel = nullptr;
};

class TaskRunner {
 public:
  virtual ~TaskRunner() = default;
  virtual Result<PreparedItem> prepare(const TaskItem& item) = 0;
  // A cancelled run is an error of kind cancelled.
  virtual Result<TaskRecord> run(const PreparedItem& prepared, PrefixSession& session) = 0;
};

std::unique_ptr<TaskRunner> make_choice_runner(const RunnerContext& context);
std::unique_ptr<TaskRunner> make_text_runner(const RunnerContext& context);
// An error where no sandbox is to be had, unless the options do without.
Result<std::unique_ptr<TaskRunner>> make_code_runner(const RunnerContext& context);

// What the model writes behind the prompt, as the definition bounds it; `sample` counts texts of one item.
Result<std::string> write_answer(const RunnerContext& context, const PreparedItem& prepared, int64_t sample,
                                 PrefixSession& session);
// What of it counts: the definition's pattern; the whole text where that is not found.
std::string extract_answer(const RunnerContext& context, const std::string& text);

// Without the tokens cut off at the begin; a begin token of the vocabulary stays.
std::vector<TokenId> cut_begin(std::vector<TokenId> ids, int64_t n_cut, const Vocab& vocab);

}  // namespace smelt
