// SentencePiece BPE (Llama 1 and 2, Mistral, …): the whole text is merged from its characters, best score first.
// Method: Kudo and Richardson 2018 (arXiv:1808.06226), model type "bpe", with byte fall-back.
#include <algorithm>
#include <cstddef>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "tokenizers/engine.h"
#include "tokenizers/pair_merger.h"
#include "tokenizers/sentencepiece_normalizer.h"
#include "tokenizers/whole_words.h"

namespace smelt {
namespace {

constexpr std::string_view kSpace = "\xE2\x96\x81";  // ▁, U+2581

// A token that holds the end of one word and the beginning of the next, or that is taken apart in a way that depends on
// the whole text.
bool joins_words(const Token& token) {
  const std::string_view text = token.text;
  for (size_t at = text.find(kSpace); at < text.size(); at = text.find(kSpace, at + 1)) {
    if (at > 0 && !text.substr(0, at).ends_with(kSpace)) return true;
  }
  return token.type == TokenType::unused;
}

class SentencePieceBpe : public TokenizerEngine {
 public:
  explicit SentencePieceBpe(Vocab vocab) : TokenizerEngine(std::move(vocab)) {}

 protected:
  Status build_model() override {
    words_apart_ = std::none_of(vocab_.tokens.begin(), vocab_.tokens.end(), joins_words);
    whole_words_.resize(vocab_.tokens.size());
    return normalizer_.build(vocab_, has_all_bytes());
  }
  void encode_text(std::string_view text, bool at_start, std::vector<TokenId>& ids) const override;
  std::string spell(const std::string& token_text) const override {
    return vocab_.escape_whitespaces ? unescape_spaces(token_text) : token_text;
  }

 private:
  // The two parts of each unused token that was made on the way: it helps others to form, but is no result itself.
  using Parts = std::unordered_map<std::string_view, std::pair<std::string_view, std::string_view>>;
  void merge_piece(std::string_view piece, PairMerger& merger, std::vector<TokenId>& ids) const;
  size_t find_cut(std::string_view text, size_t from) const;
  void append_final(std::string_view text, const Parts& parts, std::vector<TokenId>& ids) const;
  void join_unknown(size_t begin, std::vector<TokenId>& ids) const;

  SentencePieceNormalizer normalizer_;
  bool words_apart_ = false;  // no join reaches from one word into the next
  WholeWords whole_words_;
};

// Where a text is cut at the next word from here on, its tokens stay the same, as long as none joins two words.
size_t SentencePieceBpe::find_cut(std::string_view text, size_t from) const {
  if (!words_apart_) return text.size();
  for (size_t at = text.find(kSpace, from); at < text.size(); at = text.find(kSpace, at + 1)) {
    if (at > 0 && !text.substr(0, at).ends_with(kSpace)) return at;
  }
  return text.size();
}

// Words are merged one by one where that comes to the same, long texts otherwise at once.
void SentencePieceBpe::encode_text(std::string_view text, bool at_start, std::vector<TokenId>& ids) const {
  const std::string normalized = normalizer_.normalize(text, at_start);
  const std::string_view view = normalized;
  const size_t n_before = ids.size();
  PairMerger merger;
  for (size_t at = 0; at < view.size();) {
    const std::string_view word = view.substr(at, find_cut(view, at + 1) - at);
    const size_t end = at + word.size();
    const TokenId whole = words_apart_ ? index_.find(word) : -1;
    if (whole < 0) {
      merge_piece(word, merger, ids);
    } else {
      whole_words_.append(whole, ids, [&] { merge_piece(word, merger, ids); });
    }
    at = end;
  }
  join_unknown(n_before, ids);
}

void SentencePieceBpe::merge_piece(std::string_view piece, PairMerger& merger, std::vector<TokenId>& ids) const {
  merger.clear();
  for (size_t at = 0; at < piece.size();) {
    const size_t length = std::max<size_t>(utf8_length(piece, at), 1);
    const std::string_view character = piece.substr(at, length);
    merger.add_symbol(character, index_.find(character));
    at += length;
  }
  Parts parts;
  const auto find_merge = [&](const PairMerger::Symbol& left, const PairMerger::Symbol& right) {
    const TokenId id = index_.find({left.begin, size_t{left.size} + right.size});
    return id < 0 ? PairMerger::Merge() : PairMerger::Merge{-static_cast<double>(token(id).score), id};
  };
  const auto note_merge = [&](const PairMerger::Symbol& left, const PairMerger::Symbol& right, TokenId id) {
    if (token(id).type != TokenType::unused) return;
    parts.try_emplace({left.begin, size_t{left.size} + right.size}, left.text(), right.text());
  };
  merger.run(find_merge, note_merge);
  merger.for_each([&](const PairMerger::Symbol& symbol) {
    if (symbol.id >= 0 && token(symbol.id).type != TokenType::unused) {
      ids.push_back(symbol.id);
    } else {
      append_final(symbol.text(), parts, ids);
    }
  });
}

// Unknown characters in a row are one unknown token.
void SentencePieceBpe::join_unknown(size_t begin, std::vector<TokenId>& ids) const {
  if (has_all_bytes() || !vocab_.unknown) return;
  const auto both_unknown = [&](TokenId a, TokenId b) { return a == b && a == *vocab_.unknown; };
  ids.erase(std::unique(ids.begin() + static_cast<std::ptrdiff_t>(begin), ids.end(), both_unknown), ids.end());
}

void SentencePieceBpe::append_final(std::string_view text, const Parts& parts, std::vector<TokenId>& ids) const {
  std::vector<std::string_view> pieces = {text};
  while (!pieces.empty()) {
    const std::string_view piece = pieces.back();
    pieces.pop_back();
    const TokenId id = index_.find(piece);
    const auto found = parts.find(piece);
    if (id >= 0 && (token(id).type != TokenType::unused || found == parts.end())) {
      ids.push_back(id);
    } else if (found != parts.end()) {
      pieces.push_back(found->second.second);
      pieces.push_back(found->second.first);
    } else {
      append_uncovered(piece, ids);
    }
  }
}

}  // namespace

std::unique_ptr<TokenizerEngine> make_sentencepiece_bpe_engine(Vocab vocab) {
  return std::make_unique<SentencePieceBpe>(std::move(vocab));
}

}  // namespace smelt
