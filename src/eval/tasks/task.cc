// A task on one page: items and examples → prompts → a session as long as they need → answers, each judged and written
// down → figures.
#include "eval/tasks/task.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>

#include "base/hash.h"
#include "eval/stopwatch.h"
#include "eval/tasks/metrics.h"
#include "eval/tasks/runner.h"
#include "eval/windows.h"

namespace smelt {
namespace {

// The first n of 0 … total - 1 in an order that the seed gives, by Fisher and Yates; more of them begin with the fewer.
std::vector<int64_t> draw(int64_t total, int64_t n, uint64_t seed) {
  std::vector<int64_t> order(static_cast<size_t>(total));
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 random(seed);
  for (int64_t i = 0; i < n; ++i) {
    const auto left = static_cast<uint64_t>(total - i);
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(i) + random() % left]);
  }
  order.resize(static_cast<size_t>(n));
  return order;
}

Result<std::vector<TaskItem>> choose_shots(const TaskInputs& inputs, const TaskOptions& options) {
  const TaskDefinition& definition = inputs.definition;
  const int64_t n = options.n_shots.value_or(definition.n_shots);
  if (n == 0) return std::vector<TaskItem>();
  if (inputs.shots.empty())
    return input_error(fmt::format(
        "{}: {} examples are wanted, but there are none{}; take --shots 0", definition.file, n,
        definition.shots_data ? fmt::format(" ('{}' is not beside the data)", definition.shots_data->file) : ""));
  const int64_t total = std::ssize(inputs.shots);
  if (n > total) return usage_error(fmt::format("--shots {}: the task has {} examples", n, total));
  if (!definition.shots_data) return std::vector<TaskItem>(inputs.shots.begin(), inputs.shots.begin() + n);
  std::vector<TaskItem> out;
  for (const int64_t i : draw(total, n, options.seed ^ 0x73686f7473ULL))
    out.push_back(inputs.shots[static_cast<size_t>(i)]);
  return out;
}

std::vector<int64_t> choose_items(const TaskInputs& inputs, const TaskOptions& options) {
  const int64_t total = std::ssize(inputs.items);
  std::vector<int64_t> out = draw(total, options.limit > 0 ? std::min(options.limit, total) : 0, options.seed);
  if (options.limit > 0) return out;
  out.resize(static_cast<size_t>(total));
  std::iota(out.begin(), out.end(), 0);
  return out;
}

// Of all files with weights, and of the vocabulary.
std::string hash_model(const LoadedModel& model) {
  Hasher hasher;
  for (const auto& file : model.model->checkpoint().files()) hasher.add(hash_bytes(file->bytes()));
  hasher.add(hash_vocab(model.tokenizer->vocab()));
  return fmt::format("{:016x}", hasher.value());
}

RunSettings settings_of(const TaskInputs& inputs, const TaskOptions& options, const TaskReport& report) {
  return {
      {"task", report.task},
      {"definition_hash", inputs.definition.hash},
      {"data_sha256", report.data_sha256},
      {"model_hash", report.model_hash},
      {"seed", fmt::format("{}", report.seed)},
      {"shots", fmt::format("{}", report.n_shots)},
      {"chat", options.chat ? "yes" : "no"},
      {"method", options.method ? (*options.method == ChoiceMethod::likelihood ? "likelihood" : "constrained") : ""},
      {"context", fmt::format("{}", options.n_ctx)},
      {"kv_type", fmt::format("{}", static_cast<int>(options.kv_type))},
      {"compute", options.compute == Compute::int8 ? "int8" : "f32"}};
}

Result<std::vector<PreparedItem>> prepare_all(TaskRunner& runner, const TaskInputs& inputs,
                                              const std::vector<int64_t>& order) {
  std::vector<PreparedItem> out;
  for (const int64_t i : order) {
    auto prepared = runner.prepare(inputs.items[static_cast<size_t>(i)]);
    if (!prepared) return std::move(prepared).error().with_context(inputs.data_path);
    out.push_back(std::move(*prepared));
  }
  return out;
}

// Prompts that leave no room for the answer lose their begin; texts that the model writes have half of the context at
// most. Gives the context that all need.
Result<int64_t> fit_context(std::vector<PreparedItem>& prepared, TaskKind kind, int64_t n_ctx) {
  int64_t most = 2;
  for (PreparedItem& each : prepared) {
    const int64_t n_prompt = std::ssize(each.prompt.ids);
    if (kind != TaskKind::choice) each.n_answer = std::min(each.n_answer, n_ctx / 2);
    if (each.n_answer + 2 > n_ctx)
      return input_error(fmt::format("item {}: the answer may take {} tokens, the context has {}", each.item->index,
                                     each.n_answer, n_ctx));
    each.n_cut = std::max<int64_t>(0, n_prompt + each.n_answer - n_ctx);
    most = std::max(most, n_prompt + each.n_answer - each.n_cut);
  }
  return most;
}

// What the first prompts of the data have in common, whichever are asked.
Result<std::vector<TokenId>> common_prefix(const Prompter& prompter, const TaskInputs& inputs, int64_t n_ctx) {
  SMELT_ASSIGN(const TaskPrompt first, prompter.ask(inputs.items.front()));
  SMELT_ASSIGN(const TaskPrompt other, prompter.ask(inputs.items[std::min<size_t>(1, inputs.items.size() - 1)]));
  const auto end = std::mismatch(first.ids.begin(), first.ids.end(), other.ids.begin(), other.ids.end()).first;
  return std::vector<TokenId>(first.ids.begin(),
                              std::min(end, first.ids.begin() + std::min(n_ctx, std::ssize(first.ids))));
}

Result<std::unique_ptr<TaskRunner>> make_runner(const RunnerContext& context) {
  const TaskKind kind = context.definition.kind;
  const TaskOptions& options = context.options;
  if (options.method && kind != TaskKind::choice) return usage_error("--method is for tasks with choices");
  if (options.n_samples > 1 && kind != TaskKind::code) return usage_error("--samples is for tasks of code");
  if (options.n_samples > 1 && options.temperature == 0)
    return usage_error("--samples: all would be equal at --temp 0; give a temperature, such as 0.8");
  if (kind == TaskKind::code) return make_code_runner(context);
  return kind == TaskKind::choice ? make_choice_runner(context) : make_text_runner(context);
}

struct Work {
  TaskRunner& runner;
  PrefixSession& session;
  ItemsFile& file;
  const LoadedModel& model;
  const JobControl& job;
};

Status answer_all(const Work& work, std::vector<PreparedItem>& prepared, std::map<int64_t, TaskRecord>& records) {
  uint64_t n_done = 0;
  for (const PreparedItem& each : prepared) {
    if (work.job.cancelled()) return cancelled_error();
    work.job.update("items", n_done++, prepared.size(), "items");
    if (records.contains(each.item->index)) continue;
    const auto ids = cut_begin(each.prompt.ids, each.n_cut, work.model.tokenizer->vocab());
    SMELT_TRY(work.session.begin(ids, work.job.cancel));
    SMELT_ASSIGN(TaskRecord record, work.runner.run(each, work.session));
    SMELT_TRY(work.file.add(record));
    records.emplace(record.index, std::move(record));
  }
  work.job.update("items", n_done, prepared.size(), "items");
  return {};
}

Result<PrefixSession> make_session(const LoadedModel& model, const TaskOptions& options, int64_t n_ctx,
                                   std::vector<TokenId> prefix) {
  SMELT_ASSIGN(Session session, Session::create(model.model, {.n_ctx = n_ctx,
                                                              .n_threads = options.n_threads,
                                                              .kv_type = options.kv_type,
                                                              .prefill_chunk = kPieceTokens}));
  return PrefixSession(std::move(session), std::move(prefix));
}

}  // namespace

std::vector<TokenId> cut_begin(std::vector<TokenId> ids, int64_t n_cut, const Vocab& vocab) {
  const int64_t kept = !ids.empty() && vocab.bos && ids.front() == *vocab.bos ? 1 : 0;
  const auto begin = ids.begin() + std::min(kept, std::ssize(ids));
  ids.erase(begin, begin + std::min(n_cut, ids.end() - begin));
  return ids;
}

Result<TaskReport> run_task(const LoadedModel& model, const TaskInputs& inputs, const TaskOptions& options,
                            const JobControl& job) {
  const Stopwatch watch;
  SMELT_ASSIGN(const std::vector<TaskItem> shots, choose_shots(inputs, options));
  SMELT_ASSIGN(const Prompter prompter, Prompter::create(inputs.definition, model.tokenizer, shots, options.chat));
  SMELT_ASSIGN(const auto runner, make_runner({inputs.definition, options, model, prompter, job.cancel}));
  const std::vector<int64_t> order = choose_items(inputs, options);
  SMELT_ASSIGN(std::vector<PreparedItem> prepared, prepare_all(*runner, inputs, order));
  const int64_t longest = options.n_ctx > 0 ? options.n_ctx : model.model->config().n_ctx_train;
  SMELT_ASSIGN(const int64_t n_ctx, fit_context(prepared, inputs.definition.kind, longest));
  SMELT_ASSIGN(std::vector<TokenId> prefix, common_prefix(prompter, inputs, n_ctx));
  SMELT_ASSIGN(PrefixSession session, make_session(model, options, n_ctx, std::move(prefix)));

  TaskReport report;
  report.task = inputs.definition.name;
  report.n_items = std::ssize(prepared);
  report.n_shots = std::ssize(shots);
  report.n_samples = options.n_samples;
  report.seed = options.seed;
  report.model_hash = hash_model(model);
  report.data_sha256 = inputs.data_sha256;
  for (const PreparedItem& each : prepared) report.n_cut += each.n_cut > 0 ? 1 : 0;
  SMELT_ASSIGN(ItemsFile file,
               ItemsFile::open(options.items_path, options.items_mode, settings_of(inputs, options, report)));
  std::map<int64_t, TaskRecord> records;  // by item
  for (TaskRecord& record : file.take_records()) records.emplace(record.index, std::move(record));
  for (const int64_t i : order)
    report.n_resumed += records.contains(inputs.items[static_cast<size_t>(i)].index) ? 1 : 0;
  SMELT_TRY(answer_all({*runner, session, file, model, job}, prepared, records));

  std::vector<TaskRecord> counted;  // by item, whatever the order they were asked in
  std::sort(prepared.begin(), prepared.end(),
            [](const auto& a, const auto& b) { return a.item->index < b.item->index; });
  for (const PreparedItem& each : prepared) counted.push_back(records.at(each.item->index));
  report.metrics = make_metrics(inputs.definition, counted, options.seed);
  report.seconds = watch.seconds();
  return report;
}

}  // namespace smelt
