// Text to token ids and back. Immutable and shared between threads after make_tokenizer.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tokenizers/special_splitter.h"
#include "tokenizers/vocab.h"

namespace smelt {

struct EncodeOptions {
  bool add_special = false;    // BOS/EOS/CLS/SEP as the vocabulary asks
  bool parse_special = false;  // text that spells a control token becomes that token; false: it is plain text.
                               // user_defined tokens are always recognised.
  bool goes_on = false;        // other tokens stand in front of this text
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  // Any bytes are accepted. Time is O(n log n) in the length for every model. decode(encode(text)) is the text where
  // the vocabulary has tokens for all bytes and does not normalise; SentencePiece cannot tell "▁" from a space.
  virtual std::vector<TokenId> encode(std::string_view text, EncodeOptions options = {}) const = 0;

  // Cut at the texts of control, unknown and user-defined tokens.
  virtual std::vector<TextFragment> split_special(std::string_view text) const = 0;

  const Vocab& vocab() const { return vocab_; }
  int64_t n_vocab() const { return static_cast<int64_t>(vocab_.tokens.size()); }
  // The bytes of one token as they appear in text ("▁the" → " the"); control tokens give "" unless show_special.
  // Ids outside the vocabulary give "".
  virtual std::string token_bytes(TokenId id, bool show_special = false) const = 0;
  // Joined, with the leading space that encode put in front removed again where the model adds one.
  virtual std::string decode(std::span<const TokenId> ids, bool show_special = false) const = 0;
  bool is_end(TokenId id) const;  // any of vocab().eos_all

  // Decoding one token at a time: what id adds to the text so far. after_prefix (in and out) says that a space which
  // begins the bytes is the one that encode puts in front of a text; it starts as adds_space_prefix().
  std::string next_bytes(TokenId id, bool show_special, bool& after_prefix) const;
  bool adds_space_prefix() const;

 protected:
  explicit Tokenizer(Vocab vocab) : vocab_(std::move(vocab)) {}
  Vocab vocab_;
};

// Builds the look-up tables; errors name the field (duplicate token, unknown pre-tokenizer, merge of unknown tokens …).
Result<std::shared_ptr<const Tokenizer>> make_tokenizer(Vocab vocab);

// Turns a stream of ids into text as it comes, never emitting half a UTF-8 character; bytes that can never become valid
// come out as U+FFFD.
class StreamDecoder {
 public:
  // at_start: the ids begin a text, so that the space which encode puts there is removed. The tokenizer must outlive
  // it.
  explicit StreamDecoder(const Tokenizer& tokenizer, bool show_special = false, bool at_start = false);
  std::string push(TokenId id);
  std::string finish();  // what is left when no more ids come

 private:
  const Tokenizer* tokenizer_;
  bool show_special_;
  bool after_prefix_;
  std::string pending_;
};

}  // namespace smelt
