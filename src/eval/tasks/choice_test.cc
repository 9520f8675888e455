// Tasks with choices: log-likelihoods equal those of transformers (tests/golden/scripts/make_task_fixtures.py), and
// nothing but the item decides on its numbers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "eval/tasks/test_tasks.h"

namespace smelt {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// f32 against f32 in another order of sums, over texts of up to 12 tokens.
constexpr double kTolerance = 2e-4;

TaskInputs choice_inputs() { return load_inputs(kTaskGolden + "choice.toml"); }
TaskOptions exact(const TestFolder& folder, int n_threads = 1) {
  TaskOptions options;
  options.kv_type = KvType::f32;
  options.compute = Compute::f32;
  options.n_threads = n_threads;
  options.items_path = folder.file("items.jsonl");
  return options;
}

// The lines behind the first, by item.
std::vector<json> read_items(const TestFolder& folder) {
  std::istringstream lines(folder.read("items.jsonl"));
  std::string line;
  std::getline(lines, line);
  EXPECT_TRUE(json::parse(line).contains("smelt_items"));
  std::vector<json> out;
  while (std::getline(lines, line)) out.push_back(json::parse(line));
  std::sort(out.begin(), out.end(), [](const json& a, const json& b) { return a["item"] < b["item"]; });
  return out;
}

TEST(Choice, LogLikelihoodsAreThoseOfTransformers) {
  const TestFolder folder;
  const TaskInputs inputs = choice_inputs();
  const TaskReport report = run_or_die(load_books(), inputs, exact(folder));
  const json golden = json::parse(read_all(kTaskGolden + "choice.json"));
  const auto items = read_items(folder);
  ASSERT_EQ(items.size(), golden.size());
  double n_right = 0, n_right_by_byte = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    const auto found = items[i]["log_likelihoods"].get<std::vector<double>>();
    const auto wanted = golden[i]["log_likelihoods"].get<std::vector<double>>();
    ASSERT_EQ(found.size(), wanted.size());
    std::vector<double> by_byte;
    const auto& ends = inputs.items[i].find("ends")->find_list()->items;
    for (size_t j = 0; j < found.size(); ++j) {
      EXPECT_NEAR(found[j], wanted[j], kTolerance) << "item " << i << ", choice " << j;
      const std::string& end = ends[j].find_text()->bytes();
      by_byte.push_back(wanted[j] / static_cast<double>(end.size() - end.find_first_not_of(' ')));
    }
    const auto best = [](const std::vector<double>& v) { return std::max_element(v.begin(), v.end()) - v.begin(); };
    const int64_t right = *inputs.items[i].find("right")->get<int64_t>();
    n_right += best(wanted) == right ? 1 : 0;
    n_right_by_byte += best(by_byte) == right ? 1 : 0;
  }
  const auto n = static_cast<double>(items.size());
  ASSERT_EQ(report.metrics.size(), 2U);
  EXPECT_EQ(report.metrics[0].name, "acc");
  EXPECT_DOUBLE_EQ(report.metrics[0].estimate.value, n_right / n);
  EXPECT_NEAR(report.metrics[0].estimate.standard_error, std::sqrt(n_right / n * (1 - n_right / n) / (n - 1)), 1e-12);
  EXPECT_DOUBLE_EQ(report.metrics[1].estimate.value, n_right_by_byte / n);
  EXPECT_NE(n_right, n_right_by_byte);  // else this would not tell them apart
}

TEST(Choice, ThreadsOrderAndResumptionDoNotChangeABit) {
  const LoadedModel model = load_books(Compute::int8);
  const TaskInputs inputs = choice_inputs();
  const TestFolder whole, part;
  TaskOptions options = exact(whole);
  options.compute = Compute::int8;
  options.kv_type = KvType::f16;
  const TaskReport once = run_or_die(model, inputs, options);
  const auto wanted = read_items(whole);

  options.items_path = part.file("items.jsonl");
  options.n_threads = 2;
  options.limit = 5;
  EXPECT_EQ(run_or_die(model, inputs, options).n_items, 5);
  EXPECT_EQ(read_items(part).size(), 5U);
  part.write("items.jsonl", part.read("items.jsonl") + R"({"item": 11, "scores": {"ac)");  // cut by a crash
  options.limit = 0;
  options.items_mode = ItemsMode::resume;
  const TaskReport again = run_or_die(model, inputs, options);
  EXPECT_EQ(again.n_resumed, 5);
  EXPECT_EQ(read_items(part), wanted);
  ASSERT_EQ(again.metrics.size(), once.metrics.size());
  for (size_t i = 0; i < once.metrics.size(); ++i) {
    EXPECT_EQ(again.metrics[i].estimate.value, once.metrics[i].estimate.value);
    EXPECT_EQ(again.metrics[i].estimate.standard_error, once.metrics[i].estimate.standard_error);
  }
}

TEST(Choice, ResumptionNeedsTheSameRun) {
  const LoadedModel model = load_books();
  const TaskInputs inputs = choice_inputs();
  const TestFolder folder;
  TaskOptions options = exact(folder);
  options.limit = 1;
  run_or_die(model, inputs, options);
  const auto exists = run_task(model, inputs, options, {});
  ASSERT_FALSE(exists);
  EXPECT_THAT(exists.error().message, HasSubstr("--resume"));
  options.items_mode = ItemsMode::resume;
  options.n_shots = 1;
  const auto other = run_task(model, inputs, options, {});
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("items.jsonl:1: made with shots 2, now it is 1"));
}

TEST(Choice, WrittenUnderAConstraintIsOneOfTheChoices) {
  const TestFolder folder;
  TaskOptions options = exact(folder);
  options.method = ChoiceMethod::constrained;
  const TaskInputs inputs = choice_inputs();
  run_or_die(load_books(), inputs, options);
  for (const json& item : read_items(folder)) {
    const auto& ends = inputs.items[item["item"].get<size_t>()].find("ends")->find_list()->items;
    const auto chosen = item["chosen"].get<size_t>();
    ASSERT_LT(chosen, ends.size());
    EXPECT_EQ(item["text"], " " + ends[chosen].find_text()->bytes());
  }
}

TEST(Choice, LongPromptsLoseTheirBeginAndAreCounted) {
  const TestFolder folder;
  TaskOptions options = exact(folder);
  options.n_ctx = 24;
  const TaskReport report = run_or_die(load_books(), choice_inputs(), options);
  EXPECT_GT(report.n_cut, 0);
  EXPECT_EQ(read_items(folder).size(), 12U);
}

TEST(Choice, InterruptedRunsKeepWhatIsDone) {
  const TestFolder folder;
  CancelToken cancel;
  struct CancelAtFive final : ProgressSink {
    CancelToken* cancel = nullptr;
    void update(const std::string&, uint64_t done, uint64_t, const std::string&) override {
      if (done == 5) cancel->cancel();
    }
  } sink;
  sink.cancel = &cancel;
  const auto report = run_task(load_books(), choice_inputs(), exact(folder), {&sink, &cancel});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::cancelled);
  EXPECT_EQ(read_items(folder).size(), 5U);
}

}  // namespace
}  // namespace smelt
