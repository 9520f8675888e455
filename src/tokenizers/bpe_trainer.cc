// Counts of pairs are kept with the words that hold them; the next pair comes from a heap whose entries may be out of
// date, and are then put back with their true count.
#include "tokenizers/bpe_trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <queue>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "base/text.h"
#include "tokenizers/byte_alphabet.h"
#include "tokenizers/pre_tokenizer.h"

namespace smelt {
namespace {

constexpr int64_t kMaxTrainedVocab = 1 << 20;

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
using WordCounts = std::unordered_map<std::string, int64_t, TextHash, std::equal_to<>>;

using Pair = std::pair<TokenId, TokenId>;
struct PairHash {
  size_t operator()(const Pair& pair) const {
    return static_cast<uint64_t>(pair.first) * 0x9e3779b97f4a7c15ULL ^ static_cast<uint64_t>(pair.second) << 17;
  }
};

struct Word {
  std::vector<TokenId> ids;
  int64_t count = 0;
};

struct PairUse {
  int64_t count = 0;
  std::vector<uint32_t> words;  // that held it once; some may no longer, some stand twice
};

struct Candidate {
  int64_t count;
  Pair pair;
  // The heap's top: the most frequent, then the smallest ids.
  bool operator<(const Candidate& other) const {
    return count != other.count ? count < other.count : other.pair < pair;
  }
};

class Merger {
 public:
  Merger(std::vector<Word> words, int64_t min_count) : words_(std::move(words)), min_count_(min_count) {
    for (size_t w = 0; w < words_.size(); ++w) {
      const Word& word = words_[w];
      for (size_t i = 0; i + 1 < word.ids.size(); ++i) add_pair({word.ids[i], word.ids[i + 1]}, word.count, w);
    }
    for (const auto& [pair, use] : pairs_) heap_.push({use.count, pair});
  }

  // The pair to be merged next, or nothing if none is frequent enough.
  std::optional<Pair> next() {
    while (!heap_.empty()) {
      const Candidate top = heap_.top();
      heap_.pop();
      const int64_t count = pairs_[top.pair].count;
      if (count == top.count && count >= min_count_) return top.pair;
      if (count != top.count && count >= min_count_) heap_.push({count, top.pair});
    }
    return std::nullopt;
  }

  void merge(const Pair& pair, TokenId id) {
    std::vector<uint32_t> touched;
    touched.swap(pairs_[pair].words);
    grown_.clear();
    for (const uint32_t w : touched) merge_word(w, pair, id);
    pairs_[pair].count = 0;
    for (const Pair& each : grown_) heap_.push({pairs_[each].count, each});
  }

 private:
  void add_pair(const Pair& pair, int64_t count, size_t word) {
    PairUse& use = pairs_[pair];
    use.count += count;
    if (use.words.empty() || use.words.back() != word) use.words.push_back(static_cast<uint32_t>(word));
  }

  void merge_word(uint32_t w, const Pair& pair, TokenId id) {
    Word& word = words_[w];
    std::vector<TokenId>& ids = word.ids;
    if (!holds(ids, pair)) return;
    for (size_t i = 0; i + 1 < ids.size(); ++i) pairs_[{ids[i], ids[i + 1]}].count -= word.count;
    size_t out = 0;
    for (size_t i = 0; i < ids.size(); ++out) {
      const bool found = i + 1 < ids.size() && Pair{ids[i], ids[i + 1]} == pair;
      ids[out] = found ? id : ids[i];
      i += found ? 2 : 1;
    }
    ids.resize(out);
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      const Pair each{ids[i], ids[i + 1]};
      const bool is_new = each.first == id || each.second == id;
      if (is_new) add_pair(each, word.count, w);
      if (is_new) grown_.insert(each);
      if (!is_new) pairs_[each].count += word.count;
    }
  }

  static bool holds(const std::vector<TokenId>& ids, const Pair& pair) {
    for (size_t i = 0; i + 1 < ids.size(); ++i)
      if (ids[i] == pair.first && ids[i + 1] == pair.second) return true;
    return false;
  }

  std::vector<Word> words_;
  int64_t min_count_;
  std::unordered_map<Pair, PairUse, PairHash> pairs_;
  std::priority_queue<Candidate> heap_;
  std::unordered_set<Pair, PairHash> grown_;
};

// The special tokens, then the letters of the bytes by their code points, as Hugging Face's trainer orders them.
Vocab first_tokens(const BpeTraining& options) {
  Vocab vocab;
  vocab.model = TokenizerModel::byte_bpe;
  vocab.pre_tokenizer = options.pre_tokenizer;
  for (const std::string& text : options.special_tokens)
    vocab.tokens.push_back({.text = text, .type = TokenType::control});
  std::vector<std::string> letters;
  for (int byte = 0; byte < 256; ++byte) letters.push_back(letter_of_byte(static_cast<uint8_t>(byte)));
  std::sort(letters.begin(), letters.end());  // UTF-8 sorts as code points do
  for (std::string& letter : letters) vocab.tokens.push_back({.text = std::move(letter)});
  if (!options.special_tokens.empty()) vocab.bos = 0;
  if (options.special_tokens.size() > 1) vocab.eos = 1;
  vocab.add_bos = vocab.bos.has_value();
  return vocab;
}

std::vector<Word> spell_words(const WordCounts& counts, const Vocab& vocab, size_t n_special) {
  std::unordered_map<std::string, TokenId> ids;
  for (size_t i = n_special; i < vocab.tokens.size(); ++i) ids.emplace(vocab.tokens[i].text, static_cast<TokenId>(i));
  std::array<TokenId, 256> id_of_byte{};
  for (size_t byte = 0; byte < 256; ++byte) id_of_byte[byte] = ids[letter_of_byte(static_cast<uint8_t>(byte))];
  std::vector<Word> words;
  words.reserve(counts.size());
  for (const auto& [text, count] : counts) {
    Word word{.ids = {}, .count = count};
    for (const char c : text) word.ids.push_back(id_of_byte[static_cast<uint8_t>(c)]);
    words.push_back(std::move(word));
  }
  return words;
}

Status check_special(const std::vector<std::string>& texts) {
  std::set<std::string> seen;
  for (const std::string& text : texts) {
    if (text.empty() || !is_valid_utf8(text))
      return usage_error(fmt::format("special token '{}': not a text", escape_for_display(text)));
    if (text.size() <= 2 && bytes_of_letters(text))
      return usage_error(fmt::format("special token '{}': is the token of a byte", escape_for_display(text)));
    if (!seen.insert(text).second)
      return usage_error(fmt::format("special token '{}': given twice", escape_for_display(text)));
  }
  return {};
}

}  // namespace

struct BpeTrainer::State {
  BpeTraining options;
  PreTokenizer pre_tokenizer;
  WordCounts counts;
};

BpeTrainer::BpeTrainer(std::unique_ptr<State> state) : state_(std::move(state)) {}
BpeTrainer::BpeTrainer(BpeTrainer&&) noexcept = default;
BpeTrainer::~BpeTrainer() = default;

Result<BpeTrainer> BpeTrainer::create(const BpeTraining& options) {
  SMELT_TRY(check_special(options.special_tokens));
  const auto least = static_cast<int64_t>(256 + options.special_tokens.size());
  if (options.n_vocab < least || options.n_vocab > kMaxTrainedVocab)
    return usage_error(fmt::format("a vocabulary of {} tokens: allowed {} (the bytes and the special tokens) … {}",
                                   options.n_vocab, least, kMaxTrainedVocab));
  SMELT_ASSIGN(PreTokenizer pre_tokenizer, PreTokenizer::make(options.pre_tokenizer));
  return BpeTrainer(std::make_unique<State>(State{options, std::move(pre_tokenizer), {}}));
}

void BpeTrainer::add(std::string_view text) {
  for (const std::string_view word : state_->pre_tokenizer.split(text)) {
    const auto found = state_->counts.find(word);
    if (found != state_->counts.end()) {
      ++found->second;
    } else {
      state_->counts.emplace(word, 1);
    }
  }
}

uint64_t BpeTrainer::n_distinct_words() const { return state_->counts.size(); }

Result<Vocab> BpeTrainer::train(const JobControl& job) const {
  const BpeTraining& options = state_->options;
  Vocab vocab = first_tokens(options);
  std::unordered_map<std::string, TokenId> ids;
  for (const Token& token : vocab.tokens) ids.emplace(token.text, static_cast<TokenId>(ids.size()));
  const auto n_vocab = static_cast<size_t>(options.n_vocab);
  Merger merger(spell_words(state_->counts, vocab, options.special_tokens.size()), options.min_count);
  while (vocab.tokens.size() < n_vocab) {
    if (job.cancelled()) return cancelled_error();
    const auto pair = merger.next();
    if (!pair)
      return input_error(
          fmt::format("the text has pairs for {} tokens only, {} are wanted; give more text or a smaller vocabulary",
                      vocab.tokens.size(), n_vocab));
    const std::string& left = vocab.tokens[static_cast<size_t>(pair->first)].text;
    const std::string& right = vocab.tokens[static_cast<size_t>(pair->second)].text;
    const auto [found, is_new] = ids.emplace(left + right, static_cast<TokenId>(vocab.tokens.size()));
    vocab.merges.emplace_back(left, right);
    merger.merge(*pair, found->second);
    if (is_new) vocab.tokens.push_back({.text = found->first});
    job.update("merge", vocab.tokens.size(), n_vocab, "tokens");
  }
  add_end_tokens(vocab);
  return vocab;
}

}  // namespace smelt
