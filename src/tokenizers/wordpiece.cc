// WordPiece (BERT): text is cleaned, cut into words and punctuation marks, and each of these covered from the left by
// the longest tokens. Method: Devlin et al. 2018 (arXiv:1810.04805), as in the Hugging Face library "tokenizers".
// Tokens that begin a word are spelled "▁ing", those that go on with it "ing", as GGUF does.
#include <algorithm>

#include "base/text.h"
#include "tokenizers/bert_words.h"
#include "tokenizers/engine.h"

namespace smelt {
namespace {

constexpr std::string_view kWordStart = "\xE2\x96\x81";  // ▁, U+2581
constexpr size_t kLongestWord = 100;                     // characters; a longer one is unknown as a whole

class WordPiece : public TokenizerEngine {
 public:
  explicit WordPiece(Vocab vocab) : TokenizerEngine(std::move(vocab)) {}

 protected:
  Status build_model() override { return {}; }
  void encode_text(std::string_view text, bool /*at_start*/, std::vector<TokenId>& ids) const override {
    for (const std::string& word : split_bert_words(text, vocab_.lowercase)) encode_word(word, ids);
  }
  std::string spell(const std::string& token_text) const override { return unescape_spaces(token_text); }

 private:
  void encode_word(const std::string& word, std::vector<TokenId>& ids) const;
  size_t append_longest(std::string_view marked, size_t begin, size_t least_end, std::vector<TokenId>& ids) const;
};

// Appends the longest token that begins at `begin` and ends behind `least_end`; gives its end, or 0.
size_t WordPiece::append_longest(std::string_view marked, size_t begin, size_t least_end,
                                 std::vector<TokenId>& ids) const {
  for (size_t end = std::min(marked.size(), begin + index_.longest_bytes()); end > least_end; --end) {
    const bool inside_character = end < marked.size() && (static_cast<uint8_t>(marked[end]) & 0xC0) == 0x80;
    const TokenId id = inside_character ? -1 : index_.find(marked.substr(begin, end - begin));
    if (id < 0) continue;
    ids.push_back(id);
    return end;
  }
  return 0;
}

void WordPiece::encode_word(const std::string& word, std::vector<TokenId>& ids) const {
  const size_t n_before = ids.size();
  const std::string marked = std::string(kWordStart) + word;
  const bool too_long = decode_utf8(word).size() > kLongestWord;
  size_t at = too_long ? 0 : append_longest(marked, 0, kWordStart.size(), ids);
  while (at > 0 && at < marked.size()) {
    // A "▁" of the text itself must not be taken for the mark of a beginning.
    const bool looks_like_start = std::string_view(marked).substr(at).starts_with(kWordStart);
    at = looks_like_start ? 0 : append_longest(marked, at, at, ids);
  }
  if (at > 0) return;
  ids.resize(n_before);
  append_uncovered(word, ids);
}

}  // namespace

std::unique_ptr<TokenizerEngine> make_wordpiece_engine(Vocab vocab) {
  return std::make_unique<WordPiece>(std::move(vocab));
}

}  // namespace smelt
