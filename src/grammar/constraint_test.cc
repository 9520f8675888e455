// Masks: equal to feeding every token byte by byte, on random grammars and vocabularies; endings within a limit.
#include "grammar/constraint.h"

#include "grammar/test_grammars.h"

namespace smelt {
namespace {

// Tokens for all bytes of the test's letters, random longer ones, two of the same text, a control token, an end token.
std::shared_ptr<const Tokenizer> random_tokenizer(std::mt19937& random) {
  Vocab vocab;
  vocab.model = TokenizerModel::sentencepiece_bpe;
  vocab.add_space_prefix = false;
  std::set<std::string> texts;
  const auto add = [&](const std::string& text, TokenType type) {
    if (texts.insert(text).second) vocab.tokens.push_back({.text = text, .type = type});
  };
  add("<unk>", TokenType::unknown);
  add("</s>", TokenType::control);
  for (int byte = 0; byte < 256; ++byte) {
    char text[8];
    std::snprintf(text, sizeof text, "<0x%02X>", byte);
    add(text, TokenType::byte);
  }
  for (int i = 0; i < 60; ++i) {
    std::string text;
    for (uint32_t length = 1 + random() % 4; length > 0; --length)
      append_utf8(text, kTestLetters[random() % kTestLetters.size()]);
    add(text, TokenType::normal);
  }
  vocab.eos = 1;
  vocab.eos_all = {1};
  auto tokenizer = make_tokenizer(std::move(vocab));
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return *tokenizer;
}

std::vector<bool> slow_mask(const std::shared_ptr<const Nfa>& nfa, const std::string& text, const Tokenizer& tokenizer,
                            int64_t most_distance) {
  Automaton automaton(nfa);
  Automaton::StateId state = automaton.start();
  for (const char c : text) state = automaton.step(state, static_cast<uint8_t>(c));
  std::vector<bool> out;
  for (TokenId id = 0; id < tokenizer.n_vocab(); ++id) {
    Automaton::StateId next = state;
    const std::string bytes = tokenizer.token_bytes(id);
    for (const char c : bytes) next = automaton.step(next, static_cast<uint8_t>(c));
    const bool fits = !bytes.empty() && next != Automaton::kDead && automaton.distance(next) <= most_distance;
    out.push_back(tokenizer.is_end(id) ? automaton.reaches_bottom(state) : fits && id != 0);
  }
  return out;
}

int64_t distance_of(const std::shared_ptr<const Nfa>& nfa, const std::string& text) {
  Automaton automaton(nfa);
  Automaton::StateId state = automaton.start();
  for (const char c : text) state = automaton.step(state, static_cast<uint8_t>(c));
  return automaton.distance(state);
}

// One text, drawn evenly from the masks; returns it, or nothing if it did not end in time.
std::optional<std::string> draw_text(Constraint& constraint, const std::shared_ptr<const Nfa>& nfa,
                                     const Tokenizer& tokenizer, std::mt19937& random, int64_t limit) {
  std::string text;
  constraint.begin(true);
  for (int64_t n_left = limit; n_left > 0 && !constraint.must_end(); --n_left) {
    const int64_t asked = limit <= 12 ? n_left : -1;
    const int64_t most = asked < 0 ? INT64_MAX : std::max(asked - 1, distance_of(nfa, text) - 1);
    const auto mask = constraint.mask(asked);
    // Random grammars may be so; what matters is that they do not fail open.
    if (!mask && mask.error().message.find("too ambiguous") != std::string::npos) return std::nullopt;
    EXPECT_TRUE(mask) << mask.error().message;
    if (!mask) return std::nullopt;
    const std::vector<bool> wanted = slow_mask(nfa, text, tokenizer, most);
    std::vector<TokenId> allowed;
    for (TokenId id = 0; id < tokenizer.n_vocab(); ++id) {
      EXPECT_EQ(allows(*mask, id), wanted[static_cast<size_t>(id)]) << "after '" << text << "' token " << id;
      if (allows(*mask, id)) allowed.push_back(id);
    }
    if (::testing::Test::HasFailure() || allowed.empty()) return std::nullopt;
    const TokenId id = allowed[random() % allowed.size()];
    if (tokenizer.is_end(id)) return text;
    EXPECT_TRUE(constraint.accept(id));
    text += tokenizer.token_bytes(id);
  }
  EXPECT_TRUE(limit > 12 || distance_of(nfa, "") > limit || constraint.may_end()) << "not in time";
  return constraint.may_end() ? std::optional(text) : std::nullopt;
}

TEST(Constraint, MasksEqualFeedingTokensByteByByte) {
  const int rounds = std::getenv("SMELT_FULL") != nullptr ? 2000 : 150;
  int finished = 0, unfinished = 0;
  for (int seed = 0; seed < rounds; ++seed) {
    RandomGrammar source(static_cast<uint32_t>(seed));
    const Grammar grammar = source.make();
    auto compiled = Nfa::compile(grammar);
    if (!compiled) continue;
    const auto nfa = std::make_shared<const Nfa>(std::move(*compiled));
    const auto tokenizer = random_tokenizer(source.random());
    const auto trie = TokenTrie::build(tokenizer);
    ASSERT_TRUE(trie);
    Constraint constraint(nfa, *trie);
    for (int text = 0; text < 3; ++text) {
      const int64_t limit = text == 0 ? 40 : 12;
      const auto drawn = draw_text(constraint, nfa, *tokenizer, source.random(), limit);
      ASSERT_FALSE(::testing::Test::HasFailure()) << "seed " << seed;
      if (!drawn) {
        ++unfinished;
        continue;
      }
      ++finished;
      ASSERT_TRUE(SlowRecogniser(grammar, decode_utf8(*drawn)).matches()) << "seed " << seed << ": " << *drawn;
    }
  }
  EXPECT_GT(finished, rounds);
  EXPECT_LT(unfinished, finished / 4);  // only the long texts, and those that are too ambiguous
}

TEST(Constraint, AWrongTokenIsAnError) {
  std::mt19937 random(1);
  const auto tokenizer = random_tokenizer(random);
  Constraint constraint(compile(parse_regex_grammar("a")), *TokenTrie::build(tokenizer));
  constraint.begin(true);
  EXPECT_FALSE(constraint.accept(2 + 'b'));
  constraint.begin(true);
  EXPECT_TRUE(constraint.accept(2 + 'a'));
  EXPECT_TRUE(constraint.may_end());
  EXPECT_TRUE(constraint.must_end());
}

TEST(Constraint, TheHiddenSpaceInFrontOfATextDoesNotCount) {
  Vocab vocab;
  vocab.model = TokenizerModel::sentencepiece_bpe;
  vocab.tokens = {
      {"<unk>", 0, TokenType::unknown}, {"</s>", 0, TokenType::control}, {"▁yes"}, {"yes"}, {"▁"}, {"▁▁yes"}};
  vocab.eos = 1;
  vocab.eos_all = {1};
  const auto tokenizer = *make_tokenizer(std::move(vocab));
  Constraint constraint(compile(parse_regex_grammar("yes")), *TokenTrie::build(tokenizer));
  constraint.begin(true);
  auto mask = constraint.mask(-1);
  ASSERT_TRUE(mask);
  EXPECT_TRUE(allows(*mask, 2));
  EXPECT_TRUE(allows(*mask, 3));
  EXPECT_FALSE(allows(*mask, 5));
  ASSERT_TRUE(constraint.accept(2));
  EXPECT_TRUE(constraint.must_end());
  constraint.begin(false);
  mask = constraint.mask(-1);
  ASSERT_TRUE(mask);
  EXPECT_FALSE(allows(*mask, 2));
  EXPECT_TRUE(allows(*mask, 3));
}

TEST(Constraint, DeepTextsStayWithinMemory) {
  std::mt19937 random(1);
  const auto tokenizer = random_tokenizer(random);
  Constraint constraint(compile(parse_gbnf("root ::= \"a\" root \"b\" | \"é\"", "g")), *TokenTrie::build(tokenizer));
  constraint.begin(true);
  const int depth = 100000;  // states for it take more than what is kept before forgetting
  for (int i = 0; i < depth; ++i) {
    ASSERT_TRUE(i % 100 != 0 || constraint.mask(-1)) << i;
    ASSERT_TRUE(constraint.accept(2 + 'a')) << i;
  }
  ASSERT_TRUE(constraint.accept(2 + 0xc3));
  ASSERT_TRUE(constraint.accept(2 + 0xa9));
  for (int i = 0; i < depth; ++i) {
    ASSERT_TRUE(i % 100 != 0 || constraint.mask(-1)) << i;
    ASSERT_FALSE(constraint.may_end());
    ASSERT_TRUE(constraint.accept(2 + 'b')) << i;
  }
  EXPECT_TRUE(constraint.must_end());
}

TEST(Constraint, AVocabularyWithoutTheNeededTokensIsAnError) {
  Vocab vocab;
  vocab.model = TokenizerModel::sentencepiece_bpe;
  vocab.tokens = {{"<unk>", 0, TokenType::unknown}, {"</s>", 0, TokenType::control}, {"a"}};
  vocab.eos = 1;
  vocab.eos_all = {1};
  Constraint constraint(compile(parse_regex_grammar("ab")), *TokenTrie::build(*make_tokenizer(std::move(vocab))));
  constraint.begin(false);
  ASSERT_TRUE(constraint.mask(-1));
  ASSERT_TRUE(constraint.accept(2));
  EXPECT_FALSE(constraint.mask(-1));
}

}  // namespace
}  // namespace smelt
