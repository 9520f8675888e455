// What all tokenizer models share: cutting at special tokens, tokens around the text, byte tokens, decoding. A model
// derives from it, says in encode_text how plain text becomes ids, and stands as one line in engines.inc.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tokenizers/special_splitter.h"
#include "tokenizers/token_index.h"
#include "tokenizers/tokenizer.h"

namespace smelt {

class TokenizerEngine : public Tokenizer {
 public:
  std::vector<TokenId> encode(std::string_view text, EncodeOptions options) const final;
  std::vector<TextFragment> split_special(std::string_view text) const final { return special_.split(text); }
  std::string token_bytes(TokenId id, bool show_special) const final;
  std::string decode(std::span<const TokenId> ids, bool show_special) const final;

  // Builds the tables, the shared ones first; called once, before anything else.
  Status build();

 protected:
  explicit TokenizerEngine(Vocab vocab) : Tokenizer(std::move(vocab)) {}
  // The model's own tables.
  virtual Status build_model() = 0;
  // Appends the ids of a text without special tokens. at_start: it begins the whole text or, unless the vocabulary's
  // space_prefix_once, follows a special token.
  virtual void encode_text(std::string_view text, bool at_start, std::vector<TokenId>& ids) const = 0;
  // The bytes of a normal or unused token.
  virtual std::string spell(const std::string& token_text) const = 0;

  const Token& token(TokenId id) const { return vocab_.tokens[static_cast<size_t>(id)]; }
  // Appends what stands for text that no token covers: its bytes where the vocabulary has them all, else one unknown
  // token, else nothing.
  void append_uncovered(std::string_view text, std::vector<TokenId>& ids) const;
  bool has_all_bytes() const { return has_all_bytes_; }

  TokenIndex index_;

 private:
  Status check_ids() const;
  void index_bytes();

  SpecialSplitter user_defined_, special_;  // special_ holds the user-defined ones as well
  std::array<TokenId, 256> byte_ids_ = {};
  bool has_all_bytes_ = false;
};

// "▁" → " ".
std::string unescape_spaces(const std::string& text);

using MakeEngine = std::unique_ptr<TokenizerEngine> (*)(Vocab vocab);
#define SMELT_ENGINE(model) std::unique_ptr<TokenizerEngine> make_##model##_engine(Vocab vocab);
#include "tokenizers/engines.inc"
#undef SMELT_ENGINE

}  // namespace smelt
