// Small vocabularies of every model, made in memory. For tests, the fuzz target and the benchmark.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/text.h"
#include "tokenizers/byte_alphabet.h"
#include "tokenizers/tokenizer.h"

namespace smelt {

class VocabBuilder {
 public:
  explicit VocabBuilder(TokenizerModel model) { vocab_.model = model; }
  TokenId add(std::string text, TokenType type = TokenType::normal, float score = 0) {
    vocab_.tokens.push_back({std::move(text), score, type});
    return static_cast<TokenId>(vocab_.tokens.size()) - 1;
  }
  // "<0x00>" … "<0xFF>".
  void add_bytes() {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    for (size_t b = 0; b < 256; ++b) {
      add(std::string("<0x") + kDigits[b / 16] + kDigits[b % 16] + ">", TokenType::byte);
    }
  }
  // Joins two tokens of byte_bpe, in GPT-2's letters.
  TokenId add_merge(const std::string& left, const std::string& right) {
    vocab_.merges.emplace_back(left, right);
    return add(left + right);
  }
  Vocab& vocab() { return vocab_; }

 private:
  Vocab vocab_;
};

// <unk> <s> </s>, 256 bytes, letters and words; "<tool>" is user-defined, "▁wor" unused.
inline Vocab small_sentencepiece_vocab() {
  VocabBuilder builder(TokenizerModel::sentencepiece_bpe);
  Vocab& vocab = builder.vocab();
  vocab.unknown = builder.add("<unk>", TokenType::unknown);
  vocab.bos = builder.add("<s>", TokenType::control);
  vocab.eos = builder.add("</s>", TokenType::control);
  vocab.eos_all = {*vocab.eos};
  vocab.add_bos = true;
  builder.add_bytes();
  builder.add("<tool>", TokenType::user_defined);
  float score = 0;
  for (const char* text :
       {"▁w", "or", "▁wor", "ld", "▁world", "▁h", "el", "lo", "▁hel", "▁hello", "aa", "aaaa", "▁▁", "▁▁▁▁", "t",
        "h",  "e",  "l",    "o",  "w",      "r",  "d",  "▁",  "a",    "s",      "/",  "<",    ">",  "é",    "ö"}) {
    builder.add(text, std::string_view(text) == "▁wor" ? TokenType::unused : TokenType::normal, score -= 1);
  }
  return vocab;
}

// The 256 letters of bytes, some merges, "<|end|>" as control and "<tool>" as user-defined token.
inline Vocab small_byte_vocab(const std::string& pre_tokenizer = "gpt-2") {
  VocabBuilder builder(TokenizerModel::byte_bpe);
  Vocab& vocab = builder.vocab();
  vocab.pre_tokenizer = pre_tokenizer;
  for (int byte = 0; byte < 256; ++byte) builder.add(letter_of_byte(static_cast<uint8_t>(byte)));
  builder.add_merge("Ġ", "w");
  builder.add_merge("o", "r");
  builder.add_merge("l", "d");
  builder.add_merge("Ġw", "or");
  builder.add_merge("Ġwor", "ld");
  builder.add_merge("h", "e");
  builder.add_merge("l", "l");
  builder.add_merge("he", "ll");
  builder.add_merge("hell", "o");
  builder.add_merge("a", "a");
  builder.add_merge("aa", "aa");
  builder.add_merge("Ġ", "Ġ");
  builder.add_merge("ĠĠ", "ĠĠ");
  vocab.eos = vocab.bos = builder.add("<|end|>", TokenType::control);
  vocab.eos_all = {*vocab.eos};
  builder.add("<tool>", TokenType::user_defined);
  return vocab;
}

// The texts of the tokens of a text: "▁hello|▁world".
inline std::string spell(const Tokenizer& tokenizer, std::string_view text, EncodeOptions options = {}) {
  std::string out;
  for (const TokenId id : tokenizer.encode(text, options)) {
    out += (out.empty() ? "" : "|") + tokenizer.vocab().tokens[static_cast<size_t>(id)].text;
  }
  return out;
}

// The same by a vocabulary; the message if it makes no tokenizer.
inline std::string spell(const Vocab& vocab, std::string_view text, EncodeOptions options = {}) {
  const auto tokenizer = make_tokenizer(vocab);
  return tokenizer ? spell(**tokenizer, text, options) : tokenizer.error().message;
}

}  // namespace smelt
