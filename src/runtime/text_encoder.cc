#include "runtime/text_encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "base/log.h"
#include "base/units.h"
#include "kernels/kernels.h"

namespace smelt {
namespace {

constexpr size_t kPassTokens = 2048;  // a longer text is a pass of its own
constexpr int kMaxThreads = 1024;

// How many of the texts, at least one, go into a pass.
size_t count_in_pass(std::span<const std::vector<TokenId>> texts) {
  size_t n = 0;
  size_t n_tokens = 0;
  while (n < texts.size() && (n == 0 || n_tokens + texts[n].size() <= kPassTokens)) n_tokens += texts[n++].size();
  return n;
}

}  // namespace

Result<std::vector<std::vector<TokenId>>> encode_texts(const Tokenizer& tokenizer, std::span<const std::string> texts,
                                                       int64_t max_tokens) {
  std::vector<std::vector<TokenId>> all;
  const auto most = static_cast<size_t>(max_tokens);
  size_t n_cut = 0;
  for (const std::string& text : texts) {
    std::vector<TokenId> ids = tokenizer.encode(text, {.add_special = true});
    if (ids.empty()) return input_error(fmt::format("text {} has no tokens: it is empty", all.size() + 1));
    if (ids.size() > most) {
      if (tokenizer.vocab().add_eos) ids[most - 1] = ids.back();
      ids.resize(most);
      ++n_cut;
    }
    all.push_back(std::move(ids));
  }
  if (n_cut > 0) {
    log(LogLevel::note,
        fmt::format("{} of {} texts are longer than {} tokens, the most that this model takes, and were "
                    "cut there",
                    n_cut, texts.size(), max_tokens));
  }
  return all;
}

Result<std::shared_ptr<ThreadPool>> make_threads(int n_threads) {
  if (n_threads < 0 || n_threads > kMaxThreads) {
    return usage_error(fmt::format("{} threads, allowed 1 … {}", n_threads, kMaxThreads));
  }
  try {
    return std::make_shared<ThreadPool>(n_threads);
  } catch (const std::system_error& error) {
    return input_error(fmt::format("cannot start {} threads ({}); take fewer (-t)", n_threads, error.code().message()));
  }
}

Status TextEncoder::run(std::span<const std::vector<TokenId>> texts, const CancelToken* cancel, const Visit& visit) {
  for (size_t first = 0; first < texts.size();) {
    if (cancel != nullptr && cancel->cancelled()) return cancelled_error();
    const size_t n = count_in_pass(texts.subspan(first));
    SMELT_TRY(run_pass(texts.subspan(first, n), first, visit));
    first += n;
  }
  return {};
}

Status TextEncoder::run_pass(std::span<const std::vector<TokenId>> texts, size_t first, const Visit& visit) {
  std::vector<TokenId> tokens;
  std::vector<int64_t> lengths;
  for (const std::vector<TokenId>& text : texts) {
    tokens.insert(tokens.end(), text.begin(), text.end());
    lengths.push_back(static_cast<int64_t>(text.size()));
  }
  const auto d = static_cast<size_t>(encoder_->config().d_model);
  const uint64_t bytes =
      sizeof(float) *
      static_cast<uint64_t>(encoder_->workspace_floats({.n_tokens = static_cast<int64_t>(tokens.size()),
                                                        .n_texts = static_cast<int64_t>(texts.size()),
                                                        .longest = *std::max_element(lengths.begin(), lengths.end()),
                                                        .n_threads = threads_->size()}));
  const uint64_t needed = bytes + encoder_->checkpoint().file_bytes();
  if (needed > memory_budget_bytes()) {
    return input_error(
        fmt::format("a pass of {} tokens needs {} with the weights, the memory budget is {}; take shorter "
                    "texts",
                    tokens.size(), format_bytes(needed), format_bytes(memory_budget_bytes())));
  }
  if (bytes > workspace_.size()) {
    SMELT_ASSIGN(workspace_, LargeMemory::allocate(bytes));
  }
  std::vector<float> hidden(tokens.size() * d);
  encoder_->forward({.tokens = tokens,
                     .lengths = lengths,
                     .workspace = reinterpret_cast<float*>(workspace_.data()),
                     .hidden = hidden.data()},
                    *threads_);
  std::span<const float> rest = hidden;
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::span<const float> rows = rest.first(texts[i].size() * d);
    rest = rest.subspan(rows.size());
    if (!all_finite(rows.data(), static_cast<int64_t>(rows.size()))) {
      return input_error(fmt::format("{}: the values of text {} are not finite; the weights are damaged",
                                     encoder_->checkpoint().path(), first + i + 1));
    }
    SMELT_TRY(visit(first + i, rows));
  }
  return {};
}

}  // namespace smelt
