// SentencePiece unigram (T5, XLM-R, …): of all ways to cut the text into tokens, the one with the best sum of scores.
// Method: Kudo 2018 (arXiv:1804.10959), by Viterbi's algorithm; sums are of 32-bit floats from left to right and of
// equal ones the way whose last token is longer wins, as in the reference implementation.
#include <algorithm>
#include <limits>

#include "base/text.h"
#include "tokenizers/engine.h"
#include "tokenizers/sentencepiece_normalizer.h"
#include "tokenizers/text_automaton.h"

namespace smelt {
namespace {

constexpr float kUnknownPenalty = 10;  // below the worst score
constexpr float kUnreached = -std::numeric_limits<float>::infinity();

class Unigram : public TokenizerEngine {
 public:
  explicit Unigram(Vocab vocab) : TokenizerEngine(std::move(vocab)) {}

 protected:
  Status build_model() override;
  void encode_text(std::string_view text, bool at_start, std::vector<TokenId>& ids) const override;
  std::string spell(const std::string& token_text) const override {
    return vocab_.escape_whitespaces ? unescape_spaces(token_text) : token_text;
  }

 private:
  // The best way to cut the text up to a place.
  struct Place {
    float score = kUnreached;
    bool reached = false;
    uint32_t size = 0;  // bytes of the last token
    TokenId id = -1;    // -1: a character that no token covers
  };
  std::vector<Place> find_best(std::string_view text) const;
  bool try_tokens(std::vector<Place>& best, size_t end, int32_t state, size_t character_bytes) const;
  void append_best(std::string_view text, const std::vector<Place>& best, std::vector<TokenId>& ids) const;

  SentencePieceNormalizer normalizer_;
  TextAutomaton tokens_;
  float unknown_score_ = -kUnknownPenalty;
};

Status Unigram::build_model() {
  float worst = std::numeric_limits<float>::max();
  for (size_t i = 0; i < vocab_.tokens.size(); ++i) {
    const Token& each = vocab_.tokens[i];
    if (each.type != TokenType::normal) continue;
    tokens_.add(each.text, static_cast<TokenId>(i));
    worst = std::min(worst, each.score);
  }
  tokens_.finish();
  if (worst < std::numeric_limits<float>::max()) unknown_score_ = worst - kUnknownPenalty;
  return normalizer_.build(vocab_, has_all_bytes());
}

// Extends the ways to `end` by each token that ends there. True if one of them is the last character alone.
bool Unigram::try_tokens(std::vector<Place>& best, size_t end, int32_t state, size_t character_bytes) const {
  bool has_character = false;
  for (const TextAutomaton::Node* node = tokens_.longest(state); node != nullptr; node = tokens_.next_shorter(*node)) {
    has_character = has_character || node->size == character_bytes;
    const Place& from = best[end - node->size];
    if (!from.reached) continue;
    const float score = from.score + token(node->id).score;
    if (!best[end].reached || score > best[end].score) best[end] = {score, true, node->size, node->id};
  }
  return has_character;
}

std::vector<Unigram::Place> Unigram::find_best(std::string_view text) const {
  std::vector<Place> best(text.size() + 1);
  best[0] = {0, true};
  int32_t state = TextAutomaton::kStart;
  for (size_t at = 0; at < text.size();) {
    const size_t length = std::max<size_t>(utf8_length(text, at), 1);
    for (size_t i = at; i < at + length; ++i) state = tokens_.advance(state, static_cast<uint8_t>(text[i]));
    const size_t end = at + length;
    const bool has_character = try_tokens(best, end, state, length);
    const float score = best[at].score + unknown_score_;
    if (!has_character && (!best[end].reached || score > best[end].score)) {
      best[end] = {score, true, static_cast<uint32_t>(length), -1};
    }
    at = end;
  }
  return best;
}

void Unigram::append_best(std::string_view text, const std::vector<Place>& best, std::vector<TokenId>& ids) const {
  std::vector<size_t> ends;
  for (size_t end = text.size(); end > 0; end -= best[end].size) ends.push_back(end);
  size_t uncovered = 0;  // bytes of the characters in a row that no token covers
  for (size_t i = ends.size(); i-- > 0;) {
    const Place& place = best[ends[i]];
    if (place.id < 0) {
      uncovered += place.size;
      continue;
    }
    append_uncovered(text.substr(ends[i] - place.size - uncovered, uncovered), ids);
    ids.push_back(place.id);
    uncovered = 0;
  }
  append_uncovered(text.substr(text.size() - uncovered), ids);
}

void Unigram::encode_text(std::string_view text, bool at_start, std::vector<TokenId>& ids) const {
  const std::string normalized = normalizer_.normalize(text, at_start);
  append_best(normalized, find_best(normalized), ids);
}

}  // namespace

std::unique_ptr<TokenizerEngine> make_unigram_engine(Vocab vocab) {
  return std::make_unique<Unigram>(std::move(vocab));
}

}  // namespace smelt
