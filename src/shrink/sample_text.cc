#include "shrink/sample_text.h"

#include <algorithm>
#include <random>

namespace smelt {
namespace {

constexpr int64_t kPassageTokens = 256;

}  // namespace

Result<std::string> sample_text(const LoadedModel& model, int64_t n_tokens, uint64_t seed, int n_threads,
                                const JobControl& job) {
  const int64_t passage = std::max<int64_t>(1, std::min(kPassageTokens, model.model->config().n_ctx_train / 2));
  SMELT_ASSIGN(Session session, Session::create(model.model, {.n_ctx = 2 * passage, .n_threads = n_threads}));
  std::mt19937_64 random(seed);
  std::string text;
  for (int64_t done = 0; done < n_tokens;) {
    job.update("sampling text", static_cast<uint64_t>(done), static_cast<uint64_t>(n_tokens), "tokens");
    if (job.cancelled()) return cancelled_error();
    const auto any = static_cast<TokenId>(random() % static_cast<uint64_t>(model.model->config().n_vocab));
    const TokenId first = model.tokenizer->vocab().bos.value_or(any);
    session.truncate(0);
    GenerateOptions options{
        .n_predict = passage,
        .sampling = {.temperature = 1.0F, .top_k = 0, .top_p = 1.0F, .min_p = 0.02F, .seed = random()}};
    options.cancel = job.cancel;
    SMELT_ASSIGN(const GenerateResult result, generate(session, *model.tokenizer, std::span(&first, 1), options,
                                                       [](std::string_view) { return true; }));
    text += result.text + "\n";
    done += std::max<int64_t>(1, std::ssize(result.ids));
  }
  return text;
}

}  // namespace smelt
