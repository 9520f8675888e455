// What a task is: where its items come from, how they are asked, what counts as right. Read from a TOML file
// (docs/tasks.md has all fields); share/smelt/tasks/ has those that come with smelt.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "eval/tasks/answers.h"
#include "eval/tasks/pattern.h"
#include "sandbox/sandbox.h"
#include "templates/template.h"

namespace smelt {

// One row of the data.
struct TaskItem {
  int64_t index = 0;  // in the file, from 0
  std::vector<std::pair<std::string, jinja::Value>> fields;
  const jinja::Value* find(std::string_view name) const;
};

// A text with places for fields of an item, in the language of chat templates.
class TaskTemplate {
 public:
  static Result<TaskTemplate> parse(std::string_view source, std::string name);
  using Variables = std::vector<std::pair<std::string, jinja::Value>>;
  // `more`: variables besides the item's fields. Errors name template and item.
  Result<std::string> render(const TaskItem& item, const Variables& more = {}) const;

 private:
  TaskTemplate(jinja::Template parsed, std::string name) : parsed_(std::move(parsed)), name_(std::move(name)) {}
  jinja::Template parsed_;
  std::string name_;
};

enum class DataFormat : uint8_t { jsonl, csv, conll };

struct DataSpec {
  std::string file;  // relative to the folder that the user gives
  DataFormat format = DataFormat::jsonl;
  std::string form;                  // what the file is and who publishes it: told where it is missing
  std::vector<std::string> fields;   // that every row must have
  std::optional<TaskTemplate> keep;  // rows of which it gives "True"; else all
};

enum class ChoiceMethod : uint8_t { likelihood, constrained };

// The right one of several texts.
struct ChoiceSpec {
  std::vector<std::string> labels;     // the same for all items; empty: …
  std::string field;                   // … the item's field that lists them
  std::optional<TaskTemplate> text;    // what the model would write: of `choice` and `index`; else the choice itself
  std::optional<TaskTemplate> gold;    // gives the right choice, or …
  std::optional<TaskTemplate> number;  // … its number from 0
  ChoiceMethod method = ChoiceMethod::likelihood;
};

enum class TextMetric : uint8_t { exact_match, rouge, span_f1 };

// How the model writes: of text and code tasks.
struct WritingSpec {
  int64_t max_tokens = 256;
  std::vector<std::string> stop;
  std::optional<Pattern> extract;  // what of the text counts: its first group
  Pattern::Which which = Pattern::Which::first;
};

// A text, compared with one or several right ones.
struct TextSpec {
  TextMetric metric = TextMetric::exact_match;
  std::optional<TaskTemplate> gold;     // the right text, or …
  std::string golds;                    // … the item's field that lists several
  std::optional<Pattern> gold_extract;  // what of it counts
  std::vector<Normalize> normalize;
};

// A program, run with its tests.
struct CodeSpec {
  std::optional<TaskTemplate> program;  // of `completion`: Python
  std::vector<int64_t> k;               // of pass@k
  SandboxLimits limits;
};

// What differs where the model is asked through its chat template.
struct ChatSpec {
  std::optional<TaskTemplate> prompt, answer, program;
  std::optional<Pattern> extract;
};

enum class TaskKind : uint8_t { choice, text, code };

struct TaskDefinition {
  std::string file, name, title;
  std::string hash;  // of the file's bytes
  DataSpec data;
  std::optional<DataSpec> shots_data;  // from which examples are drawn, or …
  std::vector<TaskItem> shots;         // … the examples themselves
  int64_t n_shots = 0;                 // unless the user says otherwise
  std::string system;                  // with a chat template
  std::optional<TaskTemplate> prompt, answer;
  std::string separator;  // between examples
  TaskKind kind = TaskKind::choice;
  ChoiceSpec choice;
  WritingSpec writing;
  TextSpec text;
  CodeSpec code;
  ChatSpec chat;
};

// Errors name file, line and field; unknown fields are refused.
Result<TaskDefinition> parse_task_definition(std::string_view text, const std::string& file_name);
Result<TaskDefinition> load_task_definition(const std::string& path);

}  // namespace smelt
