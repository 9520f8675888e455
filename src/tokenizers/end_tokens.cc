// add_end_tokens: the tokens that end an answer, as far as their texts tell.
#include <algorithm>
#include <array>

#include "tokenizers/vocab.h"

namespace smelt {
namespace {

// Control tokens that end an answer although no key or field says so: files name one end token, chat models have
// several.
constexpr std::array<std::string_view, 10> kEndTexts = {
    "<|eot_id|>", "<|im_end|>", "<|end|>",         "<end_of_turn>", "<|endoftext|>",
    "<|eom_id|>", "<EOT>",      "<|end_of_text|>", "<|return|>",    "<end_of_utterance>"};

}  // namespace

void add_end_tokens(Vocab& vocab) {
  const auto add = [&](TokenId id) {
    if (std::find(vocab.eos_all.begin(), vocab.eos_all.end(), id) == vocab.eos_all.end()) vocab.eos_all.push_back(id);
  };
  if (vocab.eos) add(*vocab.eos);
  if (vocab.eot) add(*vocab.eot);
  for (size_t i = 0; i < vocab.tokens.size(); ++i) {
    const Token& token = vocab.tokens[i];
    if (token.type != TokenType::control) continue;
    if (std::find(kEndTexts.begin(), kEndTexts.end(), token.text) != kEndTexts.end()) add(static_cast<TokenId>(i));
  }
}

}  // namespace smelt
