// Byte-level BPE (GPT-2, Llama 3, Qwen 2, …): words cut by a pre-tokenizer, each merged by rank from its single bytes.
// Method: Sennrich et al. 2016 (arXiv:1508.07909) over bytes as in Radford et al. 2019.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

#include "base/text.h"
#include "tokenizers/byte_alphabet.h"
#include "tokenizers/engine.h"
#include "tokenizers/merge_table.h"
#include "tokenizers/pair_merger.h"
#include "tokenizers/pre_tokenizer.h"
#include "tokenizers/unicode_forms.h"
#include "tokenizers/whole_words.h"

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
  Result<TokenId> resolve(const std::string& letters, size_t rank) const;
  Status index_words();
  void encode_word(std::string_view word, PairMerger& merger, std::vector<TokenId>& ids) const;
  void merge_word(std::string_view word, PairMerger& merger, std::vector<TokenId>& ids) const;
  void merge_short_word(std::string_view word, std::vector<TokenId>& ids) const;
  void append(TokenId id, std::string_view text, std::vector<TokenId>& ids) const;

  std::optional<PreTokenizer> pre_tokenizer_;
  std::array<TokenId, 256> letters_ = {};  // the tokens of single bytes, -1 for none
  MergeTable merges_;
  std::vector<Token> spelled_;  // the tokens in bytes, for words_
  TokenIndex words_;
  WholeWords whole_words_;
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
    merges_.add(left_id, right_id, {static_cast<int32_t>(rank), id});
  }
  return index_words();
}

Status ByteBpe::index_words() {
  spelled_.resize(vocab_.tokens.size());
  for (size_t i = 0; i < spelled_.size(); ++i) {
    const Token& each = vocab_.tokens[i];
    const bool in_letters = each.type == TokenType::normal || each.type == TokenType::unused;
    if (in_letters) spelled_[i].text = bytes_of_letters(each.text).value_or("");
  }
  whole_words_.resize(spelled_.size());
  return words_.build(spelled_);
}

void ByteBpe::encode_text(std::string_view text, bool /*at_start*/, std::vector<TokenId>& ids) const {
  const std::string composed = vocab_.nfc ? normalize_unicode(text, UnicodeForm::composed) : std::string();
  PairMerger merger;
  for (const std::string_view word : pre_tokenizer_->split(vocab_.nfc ? composed : text)) {
    encode_word(word, merger, ids);
  }
}

void ByteBpe::append(TokenId id, std::string_view text, std::vector<TokenId>& ids) const {
  if (id >= 0) {
    ids.push_back(id);
  } else {
    append_uncovered(text, ids);
  }
}

void ByteBpe::encode_word(std::string_view word, PairMerger& merger, std::vector<TokenId>& ids) const {
  const TokenId whole = words_.find(word);
  if (whole < 0) return merge_word(word, merger, ids);
  if (vocab_.ignore_merges) return ids.push_back(whole);
  whole_words_.append(whole, ids, [&] { merge_word(word, merger, ids); });
}

constexpr size_t kShortWord = 48;  // bytes; up to here looking at all pairs is quicker than a queue

void ByteBpe::merge_short_word(std::string_view word, std::vector<TokenId>& ids) const {
  struct Part {
    TokenId id;
    uint32_t begin;
    MergeTable::Merge next;  // with the part behind it
  };
  std::array<Part, kShortWord> parts;
  size_t n = word.size();
  for (size_t i = 0; i < n; ++i) parts[i] = {letters_[static_cast<uint8_t>(word[i])], static_cast<uint32_t>(i), {}};
  const auto look_up = [&](size_t i) {
    const bool pair = i + 1 < n && parts[i].id >= 0 && parts[i + 1].id >= 0;
    parts[i].next = pair ? merges_.find(parts[i].id, parts[i + 1].id) : MergeTable::Merge();
  };
  for (size_t i = 0; i < n; ++i) look_up(i);
  while (true) {
    size_t best = n;
    for (size_t i = 0; i + 1 < n; ++i) {
      if (parts[i].next.id >= 0 && (best == n || parts[i].next.rank < parts[best].next.rank)) best = i;
    }
    if (best == n) break;
    parts[best].id = parts[best].next.id;
    std::move(parts.begin() + static_cast<std::ptrdiff_t>(best) + 2, parts.begin() + static_cast<std::ptrdiff_t>(n),
              parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    --n;
    look_up(best);
    if (best > 0) look_up(best - 1);
  }
  for (size_t i = 0; i < n; ++i) {
    const size_t end = i + 1 < n ? parts[i + 1].begin : word.size();
    append(parts[i].id, word.substr(parts[i].begin, end - parts[i].begin), ids);
  }
}

void ByteBpe::merge_word(std::string_view word, PairMerger& merger, std::vector<TokenId>& ids) const {
  if (word.size() <= kShortWord) return merge_short_word(word, ids);
  merger.clear();
  for (size_t i = 0; i < word.size(); ++i) {
    merger.add_symbol(word.substr(i, 1), letters_[static_cast<uint8_t>(word[i])]);
  }
  const auto find_merge = [&](const PairMerger::Symbol& left, const PairMerger::Symbol& right) {
    if (left.id < 0 || right.id < 0) return PairMerger::Merge();
    const MergeTable::Merge merge = merges_.find(left.id, right.id);
    return PairMerger::Merge{static_cast<double>(merge.rank), merge.id};
  };
  merger.run(find_merge, [](const auto&...) {});
  merger.for_each([&](const PairMerger::Symbol& symbol) { append(symbol.id, symbol.text(), ids); });
}

}  // namespace

std::unique_ptr<TokenizerEngine> make_byte_bpe_engine(Vocab vocab) {
  return std::make_unique<ByteBpe>(std::move(vocab));
}

}  // namespace smelt
