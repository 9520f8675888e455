// Tasks in which the model writes: texts are those of the main path, programs are judged by running them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "eval/tasks/test_tasks.h"
#include "sandbox/sandbox.h"

namespace smelt {
namespace {

using nlohmann::json;
using testing::HasSubstr;

std::map<int64_t, json> read_items(const std::string& path) {
  std::istringstream lines(read_all(path));
  std::map<int64_t, json> out;
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    json item = json::parse(line);
    out.emplace(item["item"].get<int64_t>(), std::move(item));
  }
  return out;
}

constexpr const char* kText = R"(name = "t"
title = "t"
[data]
file = "t.jsonl"
[prompt]
text = "{{ begin }}"
[text]
metric = "exact_match"
gold = "{{ gold }}"
max_tokens = 12
stop = ["."]
)";

TaskOptions options_for(const TestFolder& folder, int n_threads = 1) {
  TaskOptions options;
  options.n_threads = n_threads;
  options.items_path = folder.file("items.jsonl");
  return options;
}

TEST(TextTask, WritesWhatTheMainPathWrites) {
  const LoadedModel model = load_books(Compute::int8);
  const TestFolder folder;
  const std::string definition = folder.write("t.toml", kText);
  const std::vector<std::string> begins = {"Once upon a time there", "Once upon a time the king", "The sea"};
  std::string data;
  std::vector<std::string> wanted;
  for (const std::string& begin : begins) {
    auto session = Session::create(model.model, {.n_ctx = 64, .n_threads = 1});
    ASSERT_TRUE(session);
    GenerateOptions options{.n_predict = 12, .sampling = {.temperature = 0}, .stop = {"."}};
    const auto text = generate(*session, *model.tokenizer, model.tokenizer->encode(begin, {.add_special = true}),
                               options, [](std::string_view) { return true; });
    ASSERT_TRUE(text);
    wanted.push_back(text->text);
    data += json{{"begin", begin}, {"gold", wanted.size() == 2 ? "something else" : wanted.back()}}.dump() + "\n";
  }
  folder.write("t.jsonl", data);
  const TaskReport report = run_or_die(model, load_inputs(definition), options_for(folder));
  EXPECT_NEAR(report.metrics[0].estimate.value, 2.0 / 3, 1e-12);
  EXPECT_EQ(report.metrics[0].name, "exact_match");
  const auto items = read_items(folder.file("items.jsonl"));
  for (size_t i = 0; i < wanted.size(); ++i) EXPECT_EQ(items.at(static_cast<int64_t>(i))["text"], wanted[i]);
}

TEST(TextTask, SampledTextsDependOnSeedAndItemOnly) {
  const LoadedModel model = load_books(Compute::int8);
  const TestFolder folder, other;
  const std::string definition = folder.write("t.toml", kText);
  std::string data;
  for (int i = 0; i < 6; ++i)
    data += R"({"begin": "Once upon a time", "gold": "x"})"
            "\n";
  folder.write("t.jsonl", data);
  const TaskInputs inputs = load_inputs(definition);
  TaskOptions options = options_for(folder);
  options.temperature = 1;
  run_or_die(model, inputs, options);
  const auto once = read_items(folder.file("items.jsonl"));
  EXPECT_NE(once.at(0)["text"], once.at(1)["text"]);
  options = options_for(other, 2);
  options.temperature = 1;
  options.limit = 3;
  run_or_die(model, inputs, options);
  for (const auto& [index, item] : read_items(other.file("items.jsonl"))) EXPECT_EQ(item, once.at(index));
  options.items_mode = ItemsMode::replace;
  options.seed = 1;
  run_or_die(model, inputs, options);
  for (const auto& [index, item] : read_items(other.file("items.jsonl"))) EXPECT_NE(item, once.at(index));
}

// The programs do not depend on what the model writes: they are the item's, so that each verdict is known.
constexpr const char* kCode = R"py(name = "c"
title = "t"
[data]
file = "c.jsonl"
[prompt]
text = "def f():"
[code]
program = "{{ program }}"
max_tokens = 3
seconds = 3
k = [1, 2]
)py";

TEST(CodeTask, ProgramsAreJudgedByRunningThem) {
  if (const auto sandbox = Sandbox::isolated(); !sandbox) GTEST_SKIP() << sandbox.error().message;
  const TestFolder folder;
  const std::string definition = folder.write("c.toml", kCode);
  const std::vector<std::pair<std::string, std::string>> programs = {
      {"assert 1 + 1 == 2", "passed"},
      {"assert 1 + 1 == 3", "exit code 1: AssertionError"},
      {"import os; os._exit(0)", "ended early"},
      {"raise SystemExit(0)", "ended early"},
      {"while True: pass", "too much: time"},
      {"print('x' * 3000000)", "too much: output"},
      {"import os, signal; os.kill(os.getpid(), signal.SIGABRT)", "killed by signal 6"},
      {"def broken(:", "exit code 1: SyntaxError: invalid syntax"},
  };
  std::string data;
  for (const auto& [program, verdict] : programs) data += json{{"program", program}}.dump() + "\n";
  folder.write("c.jsonl", data);
  TaskOptions options = options_for(folder);
  options.n_samples = 2;
  options.temperature = 1;
  const TaskReport report = run_or_die(load_books(Compute::int8), load_inputs(definition), options);
  const auto items = read_items(folder.file("items.jsonl"));
  for (size_t i = 0; i < programs.size(); ++i) {
    const auto verdicts = items.at(static_cast<int64_t>(i))["verdicts"].get<std::vector<std::string>>();
    EXPECT_EQ(verdicts, std::vector<std::string>(2, programs[i].second)) << programs[i].first;
  }
  ASSERT_EQ(report.metrics.size(), 2U);
  EXPECT_EQ(report.metrics[0].name, "pass@1");
  EXPECT_DOUBLE_EQ(report.metrics[0].estimate.value, 1.0 / 8);
  EXPECT_EQ(report.metrics[1].name, "pass@2");
}

TEST(CodeTask, SamplesNeedATemperature) {
  const TestFolder folder;
  const std::string definition = folder.write("c.toml", kCode);
  folder.write("c.jsonl", "{\"program\": \"\"}\n");
  TaskOptions options = options_for(folder);
  options.n_samples = 2;
  const auto report = run_task(load_books(), load_inputs(definition), options, {});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::usage);
  EXPECT_THAT(report.error().message, HasSubstr("give a temperature"));
}

}  // namespace
}  // namespace smelt
