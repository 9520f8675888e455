// Cutting a text into windows and running a model over them.
#include "eval/windows.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"

namespace smelt {
namespace {

constexpr int64_t kDefaultContext = 512;

}  // namespace

Result<WindowSettings> make_window_settings(const EvalOptions& options, int64_t n_ctx_train) {
  WindowSettings out{.n_ctx = options.n_ctx, .first_scored = options.first_scored, .max_windows = options.max_windows};
  if (out.n_ctx == 0) out.n_ctx = std::min(kDefaultContext, n_ctx_train);
  if (out.n_ctx > n_ctx_train)
    return input_error(fmt::format("a window of {} tokens is longer than the model's context of {}; use -c {} or less",
                                   out.n_ctx, n_ctx_train, n_ctx_train));
  if (out.n_ctx < 2) return usage_error(fmt::format("a window has 2 tokens or more, not {}", out.n_ctx));
  if (out.max_windows < 0) return usage_error(fmt::format("the number of windows is {}", out.max_windows));
  if (out.first_scored == -1) out.first_scored = std::min(out.n_ctx / 2, out.n_ctx - 2);
  if (out.first_scored < 0 || out.first_scored > out.n_ctx - 2)
    return usage_error(fmt::format("the first scored position is {}, in a window of {} tokens it can be 0 to {}",
                                   out.first_scored, out.n_ctx, out.n_ctx - 2));
  return out;
}

Result<Windows> cut_windows(const Tokenizer& tokenizer, std::string_view text, const WindowSettings& settings) {
  const int64_t n_ctx = settings.n_ctx;
  Windows windows{settings, tokenizer.encode(text, {.add_special = true})};
  const int64_t n_tokens = std::ssize(windows.ids);
  int64_t n_windows = n_tokens / n_ctx;
  if (n_windows == 0) {
    const std::string smaller = n_tokens < 4 ? "" : fmt::format(", or a smaller window (-c {})", n_tokens);
    return input_error(fmt::format("the text has {} tokens, fewer than one window of {}; give a longer text{}",
                                   n_tokens, n_ctx, smaller));
  }
  if (settings.max_windows > 0) n_windows = std::min(n_windows, settings.max_windows);
  windows.ids.resize(static_cast<size_t>(n_windows * n_ctx));
  windows.ids.shrink_to_fit();
  const Vocab& vocab = tokenizer.vocab();
  for (int64_t w = 0; w < n_windows && vocab.add_bos && vocab.bos; ++w)
    windows.ids[static_cast<size_t>(w * n_ctx)] = *vocab.bos;
  return windows;
}

uint64_t hash_vocab(const Vocab& vocab) {
  Hasher hasher;
  hasher.add(uint64_t{vocab.tokens.size()});
  for (const Token& token : vocab.tokens) {
    hasher.add(uint64_t{token.text.size()});
    hasher.add(token.text);
  }
  return hasher.value();
}

uint64_t hash_ids(const Windows& windows) {
  Hasher hasher;
  for (const TokenId id : windows.ids) hasher.add(static_cast<uint64_t>(id));
  return hasher.value();
}

Result<WindowRun> WindowRun::create(const LoadedModel& model, const Windows& windows, const EvalOptions& options) {
  SMELT_ASSIGN(Session session, Session::create(model.model, {.n_ctx = windows.settings.n_ctx,
                                                              .n_threads = options.n_threads,
                                                              .kv_type = options.kv_type,
                                                              .prefill_chunk = kPieceTokens}));
  return WindowRun(std::move(session), windows);
}

Status WindowRun::compute(int64_t window, int64_t begin, int64_t end, const Visit& visit) {
  if (begin == 0) session_.truncate(0);
  const std::span<const TokenId> ids = windows_->window(window);
  const auto piece = ids.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  const int64_t first = std::clamp<int64_t>(windows_->settings.first_scored - begin, 0, end - begin);
  return session_.append_visiting(piece, first, [&](int64_t i, std::span<const float> logits) {
    return visit(logits, ids[static_cast<size_t>(begin + i + 1)]);
  });
}

Status for_each_piece(const Windows& windows, const char* label, const JobControl& job,
                      const std::function<Status(int64_t, int64_t, int64_t)>& work) {
  const int64_t n_ctx = windows.settings.n_ctx;
  const auto total = static_cast<uint64_t>(windows.n_windows() * n_ctx);
  for (int64_t w = 0; w < windows.n_windows(); ++w) {
    // The last token of a window is only predicted.
    for (int64_t begin = 0; begin < n_ctx - 1; begin += kPieceTokens) {
      if (job.cancelled()) return cancelled_error();
      job.update(label, static_cast<uint64_t>(w * n_ctx + begin), total, "tokens");
      SMELT_TRY(work(w, begin, std::min(begin + kPieceTokens, n_ctx - 1)));
    }
  }
  job.update(label, total, total, "tokens");
  return {};
}

Error not_finite_error(const LoadedModel& model) {
  return input_error(fmt::format("{}: computes logits that are not finite; the weights are damaged",
                                 model.model->checkpoint().path()));
}

}  // namespace smelt
