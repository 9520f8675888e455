// Asks llama.cpp, through its public header, for the most likely token after a prompt and after each token that follows
// it. Compiled by setup.py against the pinned llama.cpp, run by toolbox.py. Not part of smelt.
//
//   follow MODEL.gguf KV_TYPE PROMPT_IDS FOLLOWING_IDS     ids separated by commas; KV_TYPE is f32 or f16
//
// One line for each following token: the most likely id, its logit, the logit of the token that did follow, and the
// logit of the second most likely. Tokens are decoded one by one, as in generating; with "-N" for FOLLOWING_IDS, the
// most likely token is the one that follows, N times.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "llama.h"

namespace {

std::vector<llama_token> parse_ids(const char* text) {
  std::vector<llama_token> ids;
  for (char* end = nullptr; *text != '\0'; text = *end == ',' ? end + 1 : end) {
    ids.push_back(static_cast<llama_token>(std::strtol(text, &end, 10)));
    if (end == text) break;
  }
  return ids;
}

[[noreturn]] void fail(const char* message) {
  std::fprintf(stderr, "follow: %s\n", message);
  std::exit(1);
}

void only_errors(ggml_log_level level, const char* text, void* /*data*/) {
  if (level == GGML_LOG_LEVEL_ERROR) std::fputs(text, stderr);
}

llama_context* make_context(llama_model* model, ggml_type kv_type, size_t n_tokens) {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = static_cast<uint32_t>(n_tokens);
  params.n_batch = params.n_ctx;
  params.n_threads = params.n_threads_batch = 1;  // its threads spin while they wait
  params.type_k = params.type_v = kv_type;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  return llama_init_from_model(model, params);
}

// Prints the answer for the last token decoded, and returns the most likely one. `following` may be negative: unknown.
llama_token report(llama_context* context, int n_vocab, llama_token following) {
  const float* logits = llama_get_logits_ith(context, -1);
  const auto best = static_cast<llama_token>(std::max_element(logits, logits + n_vocab) - logits);
  float second = -1e30F;
  for (int i = 0; i < n_vocab; ++i) {
    if (i != best) second = std::max(second, logits[i]);
  }
  std::printf("%d %.6f %.6f %.6f\n", best, static_cast<double>(logits[best]),
              static_cast<double>(logits[following < 0 ? best : following]), static_cast<double>(second));
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) fail("usage: follow MODEL.gguf f32|f16 PROMPT_IDS FOLLOWING_IDS|-N");
  std::vector<llama_token> prompt = parse_ids(argv[3]);
  std::vector<llama_token> following = parse_ids(argv[4]);
  const bool free = !following.empty() && following[0] < 0;
  if (free) following.assign(static_cast<size_t>(-following[0]), -1);
  if (prompt.empty() || following.empty()) fail("no ids");
  llama_log_set(only_errors, nullptr);
  llama_backend_init();
  llama_model* model = llama_model_load_from_file(argv[1], llama_model_default_params());
  if (model == nullptr) fail("llama.cpp cannot load the model");
  const int n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(model));
  const ggml_type kv_type = std::strcmp(argv[2], "f32") == 0 ? GGML_TYPE_F32 : GGML_TYPE_F16;
  llama_context* context = make_context(model, kv_type, prompt.size() + following.size());
  if (context == nullptr) fail("llama.cpp cannot make a context");
  if (llama_decode(context, llama_batch_get_one(prompt.data(), static_cast<int32_t>(prompt.size()))) != 0) {
    fail("llama.cpp cannot decode the prompt");
  }
  for (llama_token& next : following) {
    const llama_token best = report(context, n_vocab, next);
    if (next < 0) next = best;
    if (llama_decode(context, llama_batch_get_one(&next, 1)) != 0) fail("llama.cpp cannot decode");
  }
  llama_free(context);
  llama_model_free(model);
}
