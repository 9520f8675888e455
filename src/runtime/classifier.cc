#include "runtime/classifier.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/kernels.h"
#include "models/embedding_config.h"
#include "runtime/embedder.h"

namespace smelt {
namespace {

struct SpanTag {
  std::string_view kind;  // empty: none
  bool begins = false;
};

SpanTag parse_tag(std::string_view label) {
  if (label == "O") return {};
  const bool has_mark = label.size() > 2 && label[1] == '-' && (label[0] == 'B' || label[0] == 'I');
  return has_mark ? SpanTag{label.substr(2), label[0] == 'B'} : SpanTag{label, false};
}

void to_probabilities(std::span<float> logits, bool each_for_itself) {
  if (!each_for_itself) return softmax_in_place(logits.data(), static_cast<int64_t>(logits.size()));
  for (float& value : logits) value = 1.0F / (1.0F + std::exp(-value));
}

}  // namespace

std::vector<LabelledSpan> merge_spans(std::span<const LabelProbability> labels, std::span<const TokenPlace> places) {
  std::vector<LabelledSpan> spans;
  int n_tokens = 0;  // of the last span
  bool is_open = false;
  for (size_t i = 0; i < labels.size(); ++i) {
    const auto [begin, end] = places[i];
    const SpanTag tag = begin < end ? parse_tag(labels[i].label) : SpanTag{};
    const bool goes_on = is_open && !tag.begins && spans.back().label == tag.kind;
    is_open = !tag.kind.empty();
    if (!is_open) continue;
    if (!goes_on) {
      spans.push_back({std::string(tag.kind), begin, end, labels[i].probability});
      n_tokens = 1;
      continue;
    }
    LabelledSpan& last = spans.back();
    last.end = end;
    ++n_tokens;
    last.probability += (labels[i].probability - last.probability) / static_cast<float>(n_tokens);
  }
  return spans;
}

Result<Classifier> Classifier::open(const std::string& path, const Options& options) {
  SMELT_ASSIGN(Checkpoint opened, Checkpoint::open(path));
  const auto checkpoint = std::make_shared<const Checkpoint>(std::move(opened));
  SMELT_ASSIGN(auto encoder, Encoder::load(checkpoint, options.compute));
  if (encoder->encoder_config().head == LabelHead::none) {
    return input_error(path + ": this encoder has no head that gives labels; use 'smelt embed'");
  }
  SMELT_ASSIGN(auto tokenizer, load_tokenizer(*checkpoint));
  SMELT_ASSIGN(const EmbeddingConfig limits, parse_embedding_config(*checkpoint, encoder->config()));
  SMELT_ASSIGN(auto threads, make_threads(options.n_threads));
  return Classifier(TextEncoder(std::move(encoder), std::move(threads)), std::move(tokenizer), limits.max_tokens);
}

// Labels of each row: all of them by their probability, or the best alone.
std::vector<LabelProbability> Classifier::label_rows(std::span<const float> rows, bool only_best) {
  const EncoderConfig& c = encoder_.encoder().encoder_config();
  const size_t n_labels = c.labels.size();
  const size_t n_rows = rows.size() / static_cast<size_t>(config().d_model);
  std::vector<float> logits(n_rows * n_labels);
  encoder_.encoder().label_rows(rows, logits, encoder_.threads());
  std::vector<LabelProbability> out;
  for (size_t i = 0; i < n_rows; ++i) {
    const std::span<float> row = std::span(logits).subspan(i * n_labels, n_labels);
    to_probabilities(row, c.multi_label || n_labels == 1);
    const auto best = static_cast<size_t>(std::max_element(row.begin(), row.end()) - row.begin());
    if (only_best) out.push_back({c.labels[best], row[best]});
    for (size_t j = 0; j < n_labels && !only_best; ++j) out.push_back({c.labels[j], row[j]});
  }
  return out;
}

Result<std::vector<TextLabels>> Classifier::classify(std::span<const std::string> texts, const CancelToken* cancel) {
  SMELT_ASSIGN(const auto ids, encode_texts(*tokenizer_, texts, max_tokens_));
  std::vector<TextLabels> out(texts.size());
  const auto label = [&](size_t text, std::span<const float> rows) -> Status {
    if (labels_tokens()) {
      out[text].spans = merge_spans(label_rows(rows, true), locate_tokens(*tokenizer_, texts[text], ids[text]));
      return {};
    }
    std::vector<float> pooled(static_cast<size_t>(config().d_model));
    pool_into(config().encoder->head_pooling, rows, pooled);
    out[text].labels = label_rows(pooled, false);
    std::stable_sort(out[text].labels.begin(), out[text].labels.end(),
                     [](const auto& a, const auto& b) { return a.probability > b.probability; });
    return {};
  };
  SMELT_TRY(encoder_.run(ids, cancel, label));
  return out;
}

}  // namespace smelt
