// A task, put to a model: `smelt eval task`. task.cc is the page that shows the way: items → prompts → answers →
// figures.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "eval/evaluate.h"
#include "eval/tasks/definition.h"
#include "eval/tasks/items_file.h"
#include "runtime/generate.h"

namespace smelt {

// A definition with its data, as load_task_inputs (locate.h) finds them.
struct TaskInputs {
  TaskDefinition definition;
  std::string data_path, data_sha256;
  std::vector<TaskItem> items;
  std::vector<TaskItem> shots;  // from which the examples are taken
};

struct TaskOptions {
  int64_t limit = 0;  // items, drawn by the seed; 0: all
  std::optional<int64_t> n_shots;
  uint64_t seed = 0;  // of examples, of the choice of items, of sampling and of the bootstrap
  bool chat = false;  // ask through the model's chat template
  std::optional<ChoiceMethod> method;
  int64_t n_samples = 1;    // programs written for each item of a code task
  double temperature = 0;   // of text and code; 0: always the likeliest token
  bool unconfined = false;  // run programs without a sandbox
  int64_t n_ctx = 0;        // at most; 0: the training context
  int n_threads = 0;
  KvType kv_type = KvType::f16;
  Compute compute = Compute::int8;  // of the model that is given; told in the items file
  std::string items_path;
  ItemsMode items_mode = ItemsMode::create;
};

struct TaskMetric {
  std::string name;  // "acc", "acc_norm", …
  Estimate estimate;
};

struct TaskReport {
  std::string task;
  std::vector<TaskMetric> metrics;  // the first is the task's own
  int64_t n_items = 0;
  int64_t n_resumed = 0;  // of them taken from the items file
  int64_t n_cut = 0;      // of them with a prompt cut to the context
  int64_t n_shots = 0;
  int64_t n_samples = 1;
  uint64_t seed = 0;
  std::string model_hash, data_sha256;
  double seconds = 0;
};

// Interrupted, what was done is in the items file, if there is one. The figures do not depend on the number of threads,
// nor on how often the run was interrupted.
Result<TaskReport> run_task(const LoadedModel& model, const TaskInputs& inputs, const TaskOptions& options,
                            const JobControl& job);

}  // namespace smelt
