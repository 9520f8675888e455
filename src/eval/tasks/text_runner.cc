// Texts that the model writes: exact match, ROUGE, named spans.
#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"
#include "eval/tasks/rouge.h"
#include "eval/tasks/runner.h"

namespace smelt {
namespace {

class TextRunner final : public TaskRunner {
 public:
  explicit TextRunner(const RunnerContext& context) : context_(context), spec_(context.definition.text) {}

  Result<PreparedItem> prepare(const TaskItem& item) override {
    PreparedItem out;
    out.item = &item;
    SMELT_ASSIGN(out.prompt, context_.prompter.ask(item));
    out.n_answer = context_.definition.writing.max_tokens;
    if (spec_.metric == TextMetric::span_f1) return out;
    SMELT_ASSIGN(out.golds, list_golds(item));
    return out;
  }

  Result<TaskRecord> run(const PreparedItem& prepared, PrefixSession& session) override {
    SMELT_ASSIGN(const std::string text, write_answer(context_, prepared, 0, session));
    const std::string answer = extract_answer(context_, text);
    TaskRecord out;
    out.index = prepared.item->index;
    if (spec_.metric == TextMetric::exact_match) judge_match(prepared, answer, out);
    if (spec_.metric == TextMetric::rouge) judge_rouge(prepared, answer, out);
    if (spec_.metric == TextMetric::span_f1) judge_spans(*prepared.item, answer, out);
    out.details.emplace_back("text", text);
    return out;
  }

 private:
  Result<std::vector<std::string>> list_golds(const TaskItem& item) const;
  void judge_match(const PreparedItem& prepared, const std::string& answer, TaskRecord& out) const;
  static void judge_rouge(const PreparedItem& prepared, const std::string& answer, TaskRecord& out);
  static void judge_spans(const TaskItem& item, const std::string& answer, TaskRecord& out);

  const RunnerContext context_;
  const TextSpec& spec_;
};

std::vector<std::string> texts_of(const TaskItem& item, const std::string& name) {
  std::vector<std::string> out;
  const jinja::Value* field = item.find(name);
  const jinja::ListNode* list = field == nullptr ? nullptr : field->find_list();
  if (list == nullptr) return out;
  for (const jinja::Value& each : list->items)
    if (const jinja::Text* text = each.find_text()) out.push_back(text->bytes());
  return out;
}

Result<std::vector<std::string>> TextRunner::list_golds(const TaskItem& item) const {
  std::vector<std::string> out;
  if (spec_.gold) {
    SMELT_ASSIGN(std::string gold, spec_.gold->render(item));
    out.push_back(std::move(gold));
  } else {
    out = texts_of(item, spec_.golds);
  }
  if (out.empty())
    return input_error(fmt::format("item {}: field '{}' is not a list of texts", item.index, spec_.golds));
  if (!spec_.gold_extract) return out;
  for (std::string& gold : out) {
    const auto found = spec_.gold_extract->find(gold, Pattern::Which::first);
    if (!found) return input_error(fmt::format("item {}: text.gold_extract does not match the right text", item.index));
    gold = *found;
  }
  return out;
}

void TextRunner::judge_match(const PreparedItem& prepared, const std::string& answer, TaskRecord& out) const {
  const std::string found = normalize_answer(answer, spec_.normalize);
  const bool right = std::any_of(prepared.golds.begin(), prepared.golds.end(), [&](const std::string& gold) {
    return normalize_answer(gold, spec_.normalize) == found;
  });
  out.scores = {{"exact_match", right ? 1 : 0}};
  out.details = {{"gold", prepared.golds}, {"answer", found}};
}

void TextRunner::judge_rouge(const PreparedItem& prepared, const std::string& answer, TaskRecord& out) {
  const RougeScores scores = best_rouge(prepared.golds, answer);
  out.scores = {{"rougeL", scores.rouge_l.f}, {"rouge1", scores.rouge1.f}, {"rouge2", scores.rouge2.f}};
  out.details = {{"gold", prepared.golds}};
}

void TextRunner::judge_spans(const TaskItem& item, const std::string& answer, TaskRecord& out) {
  const SpanCounts counts =
      compare_spans(spans_of_tags(texts_of(item, "tags")), read_spans(answer, texts_of(item, "tokens")));
  out.scores = {{"right", static_cast<double>(counts.right)},
                {"wanted", static_cast<double>(counts.wanted)},
                {"found", static_cast<double>(counts.found)}};
}

}  // namespace

Result<std::string> write_answer(const RunnerContext& context, const PreparedItem& prepared, int64_t sample,
                                 PrefixSession& session) {
  const WritingSpec& writing = context.definition.writing;
  Hasher seed;
  for (const auto each :
       {context.options.seed, static_cast<uint64_t>(prepared.item->index), static_cast<uint64_t>(sample)})
    seed.add(each);
  GenerateOptions options;
  options.n_predict = prepared.n_answer;
  options.sampling = {.temperature = static_cast<float>(context.options.temperature),
                      .top_k = 0,
                      .top_p = 1,
                      .min_p = 0,
                      .seed = seed.value()};
  options.stop = writing.stop;
  const auto more = context.prompter.stop_strings();
  options.stop.insert(options.stop.end(), more.begin(), more.end());
  options.cancel = context.cancel;
  const auto ids = cut_begin(prepared.prompt.ids, prepared.n_cut, context.model.tokenizer->vocab());
  SMELT_ASSIGN(auto result, generate(session.session(), *context.model.tokenizer, ids, options,
                                     [](std::string_view) { return true; }));
  if (result.reason == FinishReason::cancelled) return cancelled_error();
  return std::move(result.text);
}

std::string extract_answer(const RunnerContext& context, const std::string& text) {
  const TaskDefinition& definition = context.definition;
  const auto& pattern =
      context.options.chat && definition.chat.extract ? definition.chat.extract : definition.writing.extract;
  return pattern ? pattern->find(text, definition.writing.which).value_or(text) : text;
}

std::unique_ptr<TaskRunner> make_text_runner(const RunnerContext& context) {
  return std::make_unique<TextRunner>(context);
}

}  // namespace smelt
