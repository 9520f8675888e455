// smelt classify: labels of texts, or of places in them.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/command.h"
#include "apps/options.h"
#include "apps/output.h"
#include "apps/signals.h"
#include "apps/text_list.h"
#include "base/text.h"
#include "runtime/classifier.h"

namespace smelt {
namespace {

using nlohmann::ordered_json;

struct ClassifyArguments {
  std::string model;
  TextList texts;
  int64_t n_threads = 0;
  Compute compute = Compute::int8;
  bool json = false;
};

std::string part_of(const std::string& text, const LabelledSpan& span) {
  return text.substr(span.begin, span.end - span.begin);
}

ordered_json text_json(const std::string& text, const TextLabels& result, bool labels_tokens) {
  ordered_json out = {{"text", text}};
  ordered_json list = ordered_json::array();
  for (const LabelProbability& label : result.labels) {
    list.push_back({{"label", label.label}, {"probability", label.probability}});
  }
  for (const LabelledSpan& span : result.spans) {
    list.push_back({{"label", span.label},
                    {"begin", span.begin},
                    {"end", span.end},
                    {"text", part_of(text, span)},
                    {"probability", span.probability}});
  }
  out[labels_tokens ? "spans" : "labels"] = std::move(list);
  return out;
}

std::string format_json(const Classifier& model, const std::vector<std::string>& texts,
                        const std::vector<TextLabels>& results) {
  ordered_json out = {{"model", model.config().name}, {"texts", ordered_json::array()}};
  for (size_t i = 0; i < texts.size(); ++i) {
    out["texts"].push_back(text_json(texts[i], results[i], model.labels_tokens()));
  }
  return out.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

// "good 0.931, bad 0.042, …" or "0-4 PER 0.98 'Anna'"; a line a text, its parts separated by tabs.
std::string format_line(const std::string& text, const TextLabels& result) {
  std::vector<std::string> parts;
  for (const LabelProbability& label : result.labels) {
    parts.push_back(fmt::format("{} {:.4f}", escape_for_display(label.label), label.probability));
  }
  for (const LabelledSpan& span : result.spans) {
    parts.push_back(fmt::format("{}-{} {} {:.4f} '{}'", span.begin, span.end, escape_for_display(span.label),
                                span.probability, escape_for_display(part_of(text, span))));
  }
  return fmt::format("{}\n", fmt::join(parts, "\t"));
}

Status run_classify(const ClassifyArguments& arguments) {
  SMELT_ASSIGN(const std::vector<std::string> texts, read_texts(arguments.texts));
  SMELT_ASSIGN(Classifier model,
               Classifier::open(arguments.model, {static_cast<int>(arguments.n_threads), arguments.compute}));
  SMELT_ASSIGN(const std::vector<TextLabels> results, model.classify(texts, &interrupt_token()));
  if (arguments.json) return print(format_json(model, texts, results));
  for (size_t i = 0; i < texts.size(); ++i) SMELT_TRY(print(format_line(texts[i], results[i])));
  return {};
}

Action add(CLI::App& app) {
  auto arguments = std::make_shared<ClassifyArguments>();
  add_model(app, arguments->model);
  add_text_list(app, arguments->texts);
  add_threads(app, arguments->n_threads);
  add_compute(app, arguments->compute);
  add_json(app, arguments->json);
  return [arguments] { return run_classify(*arguments); };
}

}  // namespace

extern const Command classify_command;
const Command classify_command = {
    .name = "classify",
    .summary = "Label texts, or the names in them",
    .details =
        "For encoders with a head (…ForSequenceClassification, …ForTokenClassification). A line a text: all labels "
        "with "
        "their probabilities, the most probable first; or, of models that label tokens, the places found, as bytes "
        "from "
        "the text's beginning, with neighbouring tokens of one kind (B-X, I-X) taken together.",
    .examples =
        "  smelt classify sentiment --text \"I loved this film\"\n"
        "  smelt classify entities --text \"Anna lives in Paris.\" --json\n"
        "  smelt classify sentiment --file reviews.txt\n",
    .add = add,
};

}  // namespace smelt
