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

Result<std::unique_ptr<TaskRunner>> make_choice_runner(const RunnerContext& context);

// Without the tokens cut off at the begin; a begin token of the vocabulary stays.
std::vector<TokenId> cut_begin(std::vector<TokenId> ids, int64_t n_cut, const Vocab& vocab);

}  // namespace smelt
