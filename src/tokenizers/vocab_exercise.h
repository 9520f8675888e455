// What every vocabulary that a parser accepts must stand: the engine is built or refused in one line, ids lie inside
// the vocabulary, streams are whole characters, texts come back where all bytes have tokens, and the writers make files
// that tokenize the same. For the fuzz targets; a broken promise aborts.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/metadata.h"
#include "base/text.h"
#include "tokenizers/byte_alphabet.h"
#include "tokenizers/chat_format.h"
#include "tokenizers/tokenizer.h"

namespace smelt::exercise {

inline void require(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}

inline void require_one_line(const Error& error) {
  require(!error.message.empty() && is_valid_utf8(error.message), "errors are text");
  for (const char c : error.message) require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F, "errors are one line");
}

inline bool has_all_letters(const Vocab& vocab) {
  std::vector<bool> seen(256);
  for (const Token& token : vocab.tokens) {
    if (token.type != TokenType::normal || token.text.size() > 2) continue;
    const auto bytes = bytes_of_letters(token.text);
    if (bytes && bytes->size() == 1) seen[static_cast<unsigned char>(bytes->front())] = true;
  }
  return std::find(seen.begin(), seen.end(), false) == seen.end();
}

inline void check_text(const Tokenizer& tokenizer, std::string_view text, bool comes_back) {
  const std::vector<TokenId> ids = tokenizer.encode(text);
  for (const TokenId id : ids) require(id >= 0 && id < tokenizer.n_vocab(), "ids lie in the vocabulary");
  const std::string again = tokenizer.decode(ids);
  require(!comes_back || again == text, "texts come back where all bytes have tokens");
  StreamDecoder decoder(tokenizer, true, true);
  for (const TokenId id : tokenizer.encode(text, {.add_special = true, .parse_special = true})) {
    require(is_valid_utf8(decoder.push(id)), "streams are whole characters");
  }
  require(is_valid_utf8(decoder.finish()), "streams end in whole characters");
}

inline void check_chat(const Tokenizer& tokenizer, std::string_view text) {
  using Role = ChatMessage::Role;
  const std::string message(text);
  for (const ChatForm each :
       {ChatForm::plain, ChatForm::llama2, ChatForm::llama3, ChatForm::chatml, ChatForm::zephyr}) {
    for (const TokenId id : encode_chat(tokenizer, each, {{Role::system, message}, {Role::user, message}})) {
      require(id >= 0 && id < tokenizer.n_vocab(), "ids lie in the vocabulary");
    }
  }
}

// Merges by rank cannot say which of two tokens with one score is the better.
inline bool has_ties(const Vocab& vocab) {
  std::vector<float> scores;
  for (const Token& token : vocab.tokens) {
    if (token.type != TokenType::byte) scores.push_back(token.score);
  }
  std::sort(scores.begin(), scores.end());
  return std::adjacent_find(scores.begin(), scores.end()) != scores.end();
}

// GGUF has a space between the halves of a merge.
inline bool has_spaces_in_merges(const Vocab& vocab) {
  return std::any_of(vocab.merges.begin(), vocab.merges.end(), [](const auto& merge) {
    return merge.first.find(' ') != std::string::npos || merge.second.find(' ') != std::string::npos;
  });
}

// `again` is what a writer made of the vocabulary, read back.
inline void check_same(const Tokenizer& tokenizer, Result<Vocab> again, const std::vector<std::string>& texts) {
  if (!again) std::fprintf(stderr, "%s\n", again.error().message.c_str());
  require(again.has_value(), "what is written can be read");
  const auto other = make_tokenizer(std::move(*again));
  if (!other) std::fprintf(stderr, "%s\n", other.error().message.c_str());
  require(other.has_value(), "what is written makes a tokenizer");
  for (const std::string& text : texts) {
    require(tokenizer.encode(text, {.add_special = true}) == (*other)->encode(text, {.add_special = true}),
            "what is written tokenizes the same");
  }
}

inline std::vector<std::string> texts_for(std::string_view input) {
  return {std::string(input.substr(0, 200)), "Hello, world! 12345\n\n  it's", "  中é\xCC\x81\xF0\x9F\x98\x80 \xFF▁<s>",
          ""};
}

// `input`: some bytes, to make texts of.
inline void run(Vocab vocab, std::string_view input) {
  const bool byte_bpe = vocab.model == TokenizerModel::byte_bpe;
  const bool comes_back = byte_bpe && !vocab.nfc && has_all_letters(vocab);
  const auto tokenizer = make_tokenizer(std::move(vocab));
  if (!tokenizer) return require_one_line(tokenizer.error());
  const std::vector<std::string> texts = texts_for(input);
  for (const std::string& text : texts) check_text(**tokenizer, text, comes_back);
  check_chat(**tokenizer, texts.front());
  const auto json = format_tokenizer_json((*tokenizer)->vocab());
  const Vocab& built = (*tokenizer)->vocab();
  const bool tied = built.model == TokenizerModel::sentencepiece_bpe && has_ties(built);
  if (!json) {
    require_one_line(json.error());
  } else if (!tied) {
    check_same(**tokenizer, parse_tokenizer_json(*json, "again.json"), texts);
  }
  if (has_spaces_in_merges(built)) return;
  Metadata keys;
  add_gguf_vocab(built, keys);
  check_same(**tokenizer, parse_gguf_vocab(keys), texts);
}

}  // namespace smelt::exercise
