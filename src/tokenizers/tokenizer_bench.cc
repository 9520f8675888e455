// Encoding on one thread, in bytes of text a second: English text with the vocabularies of GPT-2 (byte-level BPE by
// rank) and of Llama 2 (SentencePiece BPE), from the data folder (SMELT_DATA).
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "tokenizers/tokenizer.h"

namespace smelt {
namespace {

std::string read_data(const std::string& name) {
  const char* given = std::getenv("SMELT_DATA");
  const std::string folder = given != nullptr ? given : "../shared/data";
  std::ifstream file(folder + "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void encode(benchmark::State& state, Result<Vocab> vocab, const std::string& pre_tokenizer) {
  const char* path = std::getenv("SMELT_BENCH_TEXT");
  std::ifstream file(path != nullptr ? path : "models/books-3m/heldout.txt", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!vocab) return state.SkipWithError(vocab.error().message.c_str());
  if (text.empty()) return state.SkipWithError("no text; run in the repository or set SMELT_BENCH_TEXT");
  if (!pre_tokenizer.empty()) vocab->pre_tokenizer = pre_tokenizer;
  const auto tokenizer = make_tokenizer(std::move(*vocab));
  if (!tokenizer) return state.SkipWithError(tokenizer.error().message.c_str());
  size_t n_tokens = 0;
  for (auto _ : state) {
    const std::vector<TokenId> ids = (*tokenizer)->encode(text);
    benchmark::DoNotOptimize(ids.data());
    n_tokens = ids.size();
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
  state.counters["bytes_per_token"] = static_cast<double>(text.size()) / static_cast<double>(n_tokens);
}

Result<Vocab> gpt2() {
  return parse_vocab_merges(read_data("tokenizers/gpt2/vocab.json"), read_data("tokenizers/gpt2/merges.txt"), "gpt2");
}
Result<Vocab> llama2() {
  const std::string bytes = read_data("tokenizers/llama2/tokenizer.model");
  return parse_sentencepiece_model(std::as_bytes(std::span(bytes)), "llama2");
}

void Gpt2(benchmark::State& state) { encode(state, gpt2(), ""); }
void Gpt2VocabularyLlama3Words(benchmark::State& state) { encode(state, gpt2(), "llama-bpe"); }
void Gpt2VocabularyStarcoderWords(benchmark::State& state) { encode(state, gpt2(), "starcoder"); }
void Llama2(benchmark::State& state) { encode(state, llama2(), ""); }
BENCHMARK(Gpt2)->Unit(benchmark::kMillisecond);
BENCHMARK(Gpt2VocabularyLlama3Words)->Unit(benchmark::kMillisecond);
BENCHMARK(Gpt2VocabularyStarcoderWords)->Unit(benchmark::kMillisecond);
BENCHMARK(Llama2)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace smelt
