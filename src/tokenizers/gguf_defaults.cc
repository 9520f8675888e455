// What a GGUF tokenizer means where keys are missing: by its model, and by its family of pre-tokenizers.
#include <algorithm>
#include <array>

#include "tokenizers/vocab_keys.h"

namespace smelt::vocab_keys {

Vocab gguf_default_vocab(TokenizerModel model) {
  Vocab vocab;
  vocab.model = model;
  switch (model) {
    case TokenizerModel::sentencepiece_bpe:
      vocab.bos = 1, vocab.eos = 2, vocab.unknown = 0;
      vocab.add_bos = true;
      break;
    case TokenizerModel::unigram:
      vocab.eos = 1, vocab.unknown = 2, vocab.padding = 0;
      vocab.add_eos = true;
      break;
    case TokenizerModel::byte_bpe:
      vocab.bos = 11, vocab.eos = 11;
      vocab.add_space_prefix = false;
      break;
    case TokenizerModel::wordpiece:
      vocab.bos = 101, vocab.unknown = 100, vocab.separator = 102, vocab.padding = 0, vocab.mask = 103;
      vocab.add_bos = vocab.add_eos = true;
      vocab.add_space_prefix = false;
      vocab.lowercase = true;
      break;
  }
  return vocab;
}

bool family_ignores_merges(std::string_view pre_tokenizer) {
  static constexpr std::array<std::string_view, 7> kFamilies = {"llama3",    "llama-v3", "llama-bpe", "falcon3",
                                                                "falcon-h1", "pixtral",  "tekken"};
  return std::find(kFamilies.begin(), kFamilies.end(), pre_tokenizer) != kFamilies.end();
}

}  // namespace smelt::vocab_keys
