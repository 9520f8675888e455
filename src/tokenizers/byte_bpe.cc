// Byte-level BPE (GPT-2, Llama 3, Qwen 2, …): words cut by a pre-tokenizer, each merged by rank from its single bytes.
// Method: Sennrich et al. 2016 (arXiv:1508.07909) over bytes as in Radford et al. 2019.
#include <fmt/format.h>

#include <array>
#include <optional>
#include <unordered_map>

#include "base/text.h"
#include "tokenizers/byte_alphabet.h"
#include "tokenizers/engine.h"
#include "tokenizers/pair_merger.h"
#include "tokenizers/pre_tokenizer.h"
#include "tokenizers/unicode_forms.h"

namespace smelt {
namespace {

class ByteBpe : public TokenizerEngine {
 public:
  explicit ByteBpe(Vocab vocab) : TokenizerEngine(std::move(vocab)) {}

 protected:
  Status build_model() override;
  void encode_text(std::string_view text, bool at_start, std::vector<TokenId>& ids) const override;
  std::string spell(const std::string& token_text) const override {
    return bytes_of_letters(token_text).value_or(token_text);
  }

 private:
  struct RankedMerge {
    int32_t rank;
    TokenId id;
  };
  static uint64_t pair_key(TokenId left, TokenId right) {
    return static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right);
  }
  Result<TokenId> resolve(const std::string& letters, size_t rank) const;
  void encode_word(std::string_view word, PairMerger& merger, std::vector<TokenId>& ids) const;

  std::optional<PreTokenizer> pre_tokenizer_;
  std::array<TokenId, 256> letters_ = {};  // the tokens of single bytes, -1 for none
  std::unordered_map<uint64_t, RankedMerge> merges_;
};

// A user-defined token is spelled in plain bytes, but merges speak of it in letters.
Result<TokenId> ByteBpe::resolve(const std::string& letters, size_t rank) const {
  TokenId id = index_.find(letters);
  if (id < 0) {
    const std::optional<std::string> bytes = bytes_of_letters(letters);
    const TokenId plain = bytes ? index_.find(*bytes) : -1;
    if (plain >= 0 && token(plain).type == TokenType::user_defined) id = plain;
  }
  if (id >= 0) return id;
  return input_error(
      fmt::format("merge {} needs the token '{}', which is not in the vocabulary", rank, escape_for_display(letters)));
}

Status ByteBpe::build_model() {
  SMELT_ASSIGN(pre_tokenizer_, PreTokenizer::make(vocab_.pre_tokenizer.empty() ? "default" : vocab_.pre_tokenizer));
  for (size_t byte = 0; byte < 256; ++byte) letters_[byte] = index_.find(letter_of_byte(static_cast<uint8_t>(byte)));
  merges_.reserve(vocab_.merges.size());
  for (size_t rank = 0; rank < vocab_.merges.size(); ++rank) {
    const auto& [left, right] = vocab_.merges[rank];
    SMELT_ASSIGN(const TokenId left_id, resolve(left, rank));
    SMELT_ASSIGN(const TokenId right_id, resolve(right, rank));
    SMELT_ASSIGN(const TokenId id, resolve(left + right, rank));
    merges_.try_emplace(pair_key(left_id, right_id), RankedMerge{static_cast<int32_t>(rank), id});
  }
  return {};
}

void ByteBpe::encode_text(std::string_view text, bool /*at_start*/, std::vector<TokenId>& ids) const {
  const std::string composed = vocab_.nfc ? normalize_unicode(text, UnicodeForm::composed) : std::string();
  PairMerger merger;
  for (const std::string_view word : pre_tokenizer_->split(vocab_.nfc ? composed : text)) {
    encode_word(word, merger, ids);
  }
}

void ByteBpe::encode_word(std::string_view word, PairMerger& merger, std::vector<TokenId>& ids) const {
  if (vocab_.ignore_merges) {
    const TokenId whole = index_.find(letters_of_bytes(word));
    if (whole >= 0) return ids.push_back(whole);
  }
  merger.clear();
  for (size_t i = 0; i < word.size(); ++i) {
    merger.add_symbol(word.substr(i, 1), letters_[static_cast<uint8_t>(word[i])]);
  }
  const auto find_merge = [&](const PairMerger::Symbol& left, const PairMerger::Symbol& right) {
    if (left.id < 0 || right.id < 0) return PairMerger::Merge();
    const auto it = merges_.find(pair_key(left.id, right.id));
    if (it == merges_.end()) return PairMerger::Merge();
    return PairMerger::Merge{static_cast<double>(it->second.rank), it->second.id};
  };
  merger.run(find_merge, [](const auto&...) {});
  merger.for_each([&](const PairMerger::Symbol& symbol) {
    if (symbol.id >= 0) {
      ids.push_back(symbol.id);
    } else {
      append_uncovered(symbol.text(), ids);
    }
  });
}

}  // namespace

std::unique_ptr<TokenizerEngine> make_byte_bpe_engine(Vocab vocab) {
  return std::make_unique<ByteBpe>(std::move(vocab));
}

}  // namespace smelt
