// save_reference and evaluate_kl_against_file: the reference's part of a comparison done once and kept.
#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"
#include "eval/kl.h"
#include "eval/reference_file.h"
#include "eval/stopwatch.h"

namespace smelt {
namespace {

ReferenceHeader make_header(const LoadedModel& model, std::string_view text, const Windows& windows) {
  const int64_t n_vocab = model.model->config().n_vocab;
  return {.n_vocab = n_vocab,
          .n_ctx = windows.settings.n_ctx,
          .first_scored = windows.settings.first_scored,
          .n_windows = windows.n_windows(),
          .text_bytes = text.size(),
          .text_hash = hash_bytes(text),
          .vocab_hash = hash_vocab(model.tokenizer->vocab()),
          .ids_hash = hash_ids(windows),
          .rows_per_block = rows_per_block_for(n_vocab)};
}

Status check_windows(const ReferenceHeader& header, const EvalOptions& options) {
  if (options.n_ctx != 0 && options.n_ctx != header.n_ctx)
    return input_error(
        fmt::format("was made with windows of {} tokens, not {}; use -c {}, or make another with 'smelt "
                    "eval save-reference -c {}'",
                    header.n_ctx, options.n_ctx, header.n_ctx, options.n_ctx));
  if (options.first_scored != -1 && options.first_scored != header.first_scored)
    return input_error(fmt::format("has scores from position {} of each window on, not {}; use --first-scored {}",
                                   header.first_scored, options.first_scored, header.first_scored));
  if (options.max_windows > header.n_windows)
    return input_error(fmt::format("has {} windows, not {}; use --windows {} or less", header.n_windows,
                                   options.max_windows, header.n_windows));
  return {};
}

Status check_model_and_text(const ReferenceHeader& header, const LoadedModel& model, std::string_view text) {
  const int64_t n_vocab = model.model->config().n_vocab;
  if (header.n_vocab != n_vocab || header.vocab_hash != hash_vocab(model.tokenizer->vocab()))
    return input_error(
        fmt::format("was made by a model of another vocabulary ({} tokens, this model has {}); only "
                    "models of one vocabulary can be compared",
                    header.n_vocab, n_vocab));
  if (header.text_bytes != text.size() || header.text_hash != hash_bytes(text))
    return input_error(
        fmt::format("was made from another text ({} bytes, this one has {}); give that text, or make a "
                    "reference from this one with 'smelt eval save-reference'",
                    header.text_bytes, text.size()));
  return {};
}

// All windows of the file; their tokens must be those that were scored.
Result<Windows> cut_windows_of(const ReferenceHeader& header, const LoadedModel& model, std::string_view text) {
  const WindowSettings settings = {
      .n_ctx = header.n_ctx, .first_scored = header.first_scored, .max_windows = header.n_windows};
  auto windows = cut_windows(*model.tokenizer, text, settings);
  if (!windows || windows->n_windows() != header.n_windows || hash_ids(*windows) != header.ids_hash)
    return input_error(
        "was made from the same text cut into other tokens, by another version or another form of the "
        "tokenizer; write it again with 'smelt eval save-reference'");
  return windows;
}

struct FileAndWindows {
  ReferenceReader file;
  Windows windows;
};

Result<FileAndWindows> open_for(const LoadedModel& model, const std::string& path, std::string_view text,
                                const EvalOptions& options) {
  SMELT_ASSIGN(ReferenceReader file, ReferenceReader::open(path));
  const ReferenceHeader& header = file.header();
  SMELT_TRY(check_model_and_text(header, model, text).with_context(file.name()));
  SMELT_TRY(check_windows(header, options).with_context(file.name()));
  SMELT_ASSIGN(Windows windows, cut_windows_of(header, model, text).with_context(file.name()));
  if (options.max_windows > 0)
    windows.ids.resize(static_cast<size_t>(std::min(options.max_windows, header.n_windows) * header.n_ctx));
  if (header.n_ctx > model.model->config().n_ctx_train)
    return input_error(fmt::format("{}: was made with windows of {} tokens, the model's context has {}", file.name(),
                                   header.n_ctx, model.model->config().n_ctx_train));
  return FileAndWindows{std::move(file), std::move(windows)};
}

}  // namespace

Result<PerplexityReport> save_reference(const LoadedModel& reference, std::string_view text,
                                        const ReferenceOutput& output, const EvalOptions& options,
                                        const JobControl& job) {
  const Stopwatch watch;
  SMELT_ASSIGN(const WindowSettings settings, make_window_settings(options, reference.model->config().n_ctx_train));
  SMELT_ASSIGN(const Windows windows, cut_windows(*reference.tokenizer, text, settings));
  SMELT_ASSIGN(WindowRun run, WindowRun::create(reference, windows, options));
  SMELT_ASSIGN(ReferenceWriter writer,
               ReferenceWriter::create(output.path, output.overwrite, make_header(reference, text, windows)));
  const TokenLengths lengths(*reference.tokenizer);
  PerplexitySums sums;
  ReferenceRowEncoder encoder;
  const auto write = [&](std::span<const float> logits, TokenId truth) -> Status {
    const auto row = encoder.encode(logits, truth);
    if (!row) return not_finite_error(reference);
    sums.add(-static_cast<double>(row->true_log_p), lengths.of(truth));
    return writer.add(*row);
  };
  SMELT_TRY(for_each_piece(windows, "reference", job, [&](int64_t window, int64_t begin, int64_t end) {
    return run.compute(window, begin, end, write);
  }));
  SMELT_TRY(writer.commit());
  return sums.report(windows, watch.seconds());
}

Result<KlReport> evaluate_kl_against_file(const LoadedModel& model, const std::string& reference_path,
                                          std::string_view text, const EvalOptions& options, const JobControl& job) {
  const Stopwatch watch;
  SMELT_ASSIGN(FileAndWindows opened, open_for(model, reference_path, text, options));
  const Windows& windows = opened.windows;
  SMELT_ASSIGN(WindowRun run, WindowRun::create(model, windows, options));
  const TokenLengths lengths(*model.tokenizer);
  KlSums sums;
  const auto compare = [&](std::span<const float> logits, TokenId truth) -> Status {
    SMELT_ASSIGN(const ReferenceRow row, opened.file.next());
    const auto token = compare_with_reference_row(row, logits, truth);
    if (!token) return not_finite_error(model);
    sums.add(*token, lengths.of(truth));
    return {};
  };
  SMELT_TRY(for_each_piece(windows, "comparison", job, [&](int64_t window, int64_t begin, int64_t end) {
    return run.compute(window, begin, end, compare);
  }));
  return sums.report(windows, watch.seconds());
}

}  // namespace smelt
