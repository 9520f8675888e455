// The right one of several texts: by the likelihood of each, or by letting the model write one of them.
//   acc       the likeliest text is the right one
//   acc_norm  … by likelihood per byte of the text, spaces in front not counted, so that long ones are not put behind
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/text.h"
#include "eval/tasks/runner.h"
#include "grammar/grammar.h"

namespace smelt {
namespace {

constexpr size_t kMaxChoices = 10'000;

class ChoiceRunner final : public TaskRunner {
 public:
  explicit ChoiceRunner(const RunnerContext& context)
      : context_(context),
        spec_(context.definition.choice),
        method_(context.options.method.value_or(context.definition.choice.method)) {}

  Result<PreparedItem> prepare(const TaskItem& item) override;
  Result<TaskRecord> run(const PreparedItem& prepared, PrefixSession& session) override;

 private:
  Result<std::vector<std::string>> list_choices(const TaskItem& item) const;
  Result<int64_t> find_gold(const TaskItem& item, const std::vector<std::string>& choices) const;
  Result<std::vector<std::string>> render_choices(const TaskItem& item, const std::vector<std::string>& choices) const;
  Result<TaskRecord> score(const PreparedItem& prepared, PrefixSession& session);
  Result<TaskRecord> write(const PreparedItem& prepared, PrefixSession& session);
  Result<double> log_likelihood(const PreparedItem& prepared, const std::string& choice, PrefixSession& session) const;

  const RunnerContext context_;
  const ChoiceSpec& spec_;
  ChoiceMethod method_;
  std::shared_ptr<const TokenTrie> trie_;
};

Error item_error(const TaskItem& item, const std::string& what) {
  return input_error(fmt::format("item {}: {}", item.index, what));
}

Result<std::vector<std::string>> ChoiceRunner::list_choices(const TaskItem& item) const {
  if (!spec_.labels.empty()) return spec_.labels;
  const jinja::Value* field = item.find(spec_.field);
  const jinja::ListNode* list = field == nullptr ? nullptr : field->find_list();
  if (list == nullptr) return item_error(item, fmt::format("field '{}' is not a list of choices", spec_.field));
  std::vector<std::string> out;
  for (const jinja::Value& each : list->items) {
    const jinja::Text* text = each.find_text();
    if (text == nullptr) return item_error(item, fmt::format("field '{}' is not a list of texts", spec_.field));
    out.push_back(text->bytes());
  }
  if (out.size() < 2 || out.size() > kMaxChoices)
    return item_error(item, fmt::format("{} choices; there must be 2 to {}", out.size(), kMaxChoices));
  return out;
}

Result<int64_t> ChoiceRunner::find_gold(const TaskItem& item, const std::vector<std::string>& choices) const {
  const bool by_number = spec_.number.has_value();
  SMELT_ASSIGN(const std::string gold, (by_number ? *spec_.number : *spec_.gold).render(item));
  if (!by_number) {
    const auto found = std::find(choices.begin(), choices.end(), gold);
    if (found != choices.end()) return found - choices.begin();
    return item_error(item, fmt::format("the right choice '{}' is none of the choices", escape_for_display(gold)));
  }
  int64_t number = -1;
  const auto read = std::from_chars(gold.data(), gold.data() + gold.size(), number);
  if (read.ec == std::errc() && read.ptr == gold.data() + gold.size() && number >= 0 && number < std::ssize(choices))
    return number;
  return item_error(item, fmt::format("choice.gold_index gives '{}', not a number from 0 to {}",
                                      escape_for_display(gold), choices.size() - 1));
}

Result<std::vector<std::string>> ChoiceRunner::render_choices(const TaskItem& item,
                                                              const std::vector<std::string>& choices) const {
  if (!spec_.text) return choices;
  std::vector<std::string> out;
  for (const std::string& choice : choices) {
    SMELT_ASSIGN(std::string text, spec_.text->render(item, {{"choice", jinja::Value::text(choice, true)},
                                                             {"index", jinja::Value::integer(std::ssize(out))}}));
    if (text.empty()) return item_error(item, "choice.text gives an empty text");
    out.push_back(std::move(text));
  }
  return out;
}

Result<PreparedItem> ChoiceRunner::prepare(const TaskItem& item) {
  PreparedItem out;
  out.item = &item;
  SMELT_ASSIGN(out.prompt, context_.prompter.ask(item));
  SMELT_ASSIGN(const auto choices, list_choices(item));
  SMELT_ASSIGN(out.gold_index, find_gold(item, choices));
  SMELT_ASSIGN(out.choices, render_choices(item, choices));
  for (const std::string& choice : out.choices) {
    const int64_t n_tokens = method_ == ChoiceMethod::constrained
                                 ? std::ssize(choice) + 1  // a token a byte, and the end
                                 : std::ssize(context_.prompter.with(out.prompt, choice)) - std::ssize(out.prompt.ids);
    out.n_answer = std::max(out.n_answer, n_tokens);
  }
  return out;
}

Result<TaskRecord> ChoiceRunner::run(const PreparedItem& prepared, PrefixSession& session) {
  return method_ == ChoiceMethod::likelihood ? score(prepared, session) : write(prepared, session);
}

Result<double> ChoiceRunner::log_likelihood(const PreparedItem& prepared, const std::string& choice,
                                            PrefixSession& session) const {
  const std::vector<TokenId>& ids = prepared.prompt.ids;
  std::vector<TokenId> whole = context_.prompter.with(prepared.prompt, choice);
  int64_t first = std::mismatch(ids.begin(), ids.end(), whole.begin(), whole.end()).first - ids.begin();
  first = std::min(first, std::ssize(whole) - 1) - prepared.n_cut;
  whole = cut_begin(std::move(whole), prepared.n_cut, context_.model.tokenizer->vocab());
  if (first < 1) return item_error(*prepared.item, "nothing stands in front of the choice, not even a begin token");
  return session.log_likelihood(whole, first, context_.cancel);
}

// Of the lowest index where several are the most.
int64_t index_of_most(const std::vector<double>& values) {
  return std::max_element(values.begin(), values.end()) - values.begin();
}

size_t bytes_without_spaces(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\n");
  return begin == std::string::npos ? text.size() : text.size() - begin;
}

Result<TaskRecord> ChoiceRunner::score(const PreparedItem& prepared, PrefixSession& session) {
  std::vector<double> sums, per_byte;
  for (const std::string& choice : prepared.choices) {
    if (context_.cancel != nullptr && context_.cancel->cancelled()) return cancelled_error();
    SMELT_ASSIGN(const double sum, log_likelihood(prepared, choice, session));
    sums.push_back(sum);
    per_byte.push_back(sum / static_cast<double>(bytes_without_spaces(choice)));
  }
  const int64_t best = index_of_most(sums), best_per_byte = index_of_most(per_byte);
  TaskRecord out;
  out.index = prepared.item->index;
  out.scores = {{"acc", best == prepared.gold_index ? 1 : 0},
                {"acc_norm", best_per_byte == prepared.gold_index ? 1 : 0}};
  out.details = {
      {"gold", prepared.gold_index}, {"chosen", best}, {"chosen_norm", best_per_byte}, {"log_likelihoods", sums}};
  return out;
}

std::string as_pattern(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("\\^$.|?*+()[]{}/-").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

// The likeliest token again and again, of those that lead to one of the texts.
Result<TaskRecord> ChoiceRunner::write(const PreparedItem& prepared, PrefixSession& session) {
  std::string pattern;
  for (const std::string& choice : prepared.choices) pattern += (pattern.empty() ? "" : "|") + as_pattern(choice);
  SMELT_ASSIGN(const Grammar grammar, parse_regex_grammar(pattern));
  SMELT_ASSIGN(Nfa nfa, Nfa::compile(grammar));
  if (trie_ == nullptr) {
    SMELT_ASSIGN(trie_, TokenTrie::build(context_.model.tokenizer));
  }
  Constraint constraint(std::make_shared<const Nfa>(std::move(nfa)), trie_);
  GenerateOptions options{.n_predict = -1, .sampling = {.temperature = 0}, .cancel = context_.cancel};
  options.constraint = &constraint;
  const auto ids = cut_begin(prepared.prompt.ids, prepared.n_cut, context_.model.tokenizer->vocab());
  SMELT_ASSIGN(const auto result, generate(session.session(), *context_.model.tokenizer, ids, options,
                                           [](std::string_view) { return true; }));
  if (result.reason == FinishReason::cancelled) return cancelled_error();
  const auto found = std::find(prepared.choices.begin(), prepared.choices.end(), result.text);
  TaskRecord out;
  out.index = prepared.item->index;
  out.scores = {{"acc", found - prepared.choices.begin() == prepared.gold_index ? 1 : 0}};
  out.details = {{"gold", prepared.gold_index}, {"chosen", found - prepared.choices.begin()}, {"text", result.text}};
  return out;
}

}  // namespace

std::unique_ptr<TaskRunner> make_choice_runner(const RunnerContext& context) {
  return std::make_unique<ChoiceRunner>(context);
}

}  // namespace smelt
