// Random grammars: the automaton against a slow recogniser on all short texts, and distances that are true.
#include "grammar/automaton.h"

#include "base/text.h"
#include "grammar/test_grammars.h"

namespace smelt {
namespace {

std::string encode(const std::u32string& text) {
  std::string out;
  for (const char32_t c : text) append_utf8(out, c);
  return out;
}

// All texts of up to n letters.
std::vector<std::u32string> short_texts(size_t n) {
  std::vector<std::u32string> out = {U""};
  for (size_t i = 0; i < out.size() && out[i].size() < n; ++i)
    for (const char32_t c : kTestLetters) out.push_back(out[i] + c);
  return out;
}

// From the state, a byte that brings the end nearer each time.
int64_t walk_to_end(Automaton& automaton, Automaton::StateId state) {
  int64_t steps = 0;
  while (automaton.distance(state) > 0) {
    Automaton::StateId best = Automaton::kDead;
    for (int byte = 0; byte < 256; ++byte) {
      const Automaton::StateId next = automaton.step(state, static_cast<uint8_t>(byte));
      if (next != Automaton::kDead && automaton.distance(next) < automaton.distance(state)) best = next;
    }
    if (best == Automaton::kDead) return -1;
    state = best;
    ++steps;
  }
  return automaton.reaches_bottom(state) ? steps : -1;
}

TEST(Automaton, RandomGrammarsEqualASlowRecogniser) {
  const int rounds = std::getenv("SMELT_FULL") != nullptr ? 3000 : 300;
  const auto texts = short_texts(4);
  int compiled = 0, matched = 0;
  for (int seed = 0; seed < rounds; ++seed) {
    const Grammar grammar = RandomGrammar(static_cast<uint32_t>(seed)).make();
    auto nfa = Nfa::compile(grammar);
    if (!nfa) continue;  // left recursion, or nothing matches: below
    ++compiled;
    Automaton automaton(std::make_shared<const Nfa>(std::move(*nfa)));
    for (const std::u32string& text : texts) {
      SlowRecogniser slow(grammar, text);
      const bool wanted = slow.matches();
      ASSERT_FALSE(slow.met_left_recursion()) << seed;
      Automaton::StateId state = automaton.start();
      for (const char c : encode(text)) state = automaton.step(state, static_cast<uint8_t>(c));
      ASSERT_EQ(automaton.reaches_bottom(state), wanted) << "seed " << seed << " text " << encode(text);
      matched += wanted ? 1 : 0;
      if (state == Automaton::kDead) continue;
      ASSERT_EQ(walk_to_end(automaton, state), automaton.distance(state))
          << "seed " << seed << " text " << encode(text);
    }
  }
  EXPECT_GT(compiled, rounds / 3);
  EXPECT_GT(matched, rounds);
}

TEST(Automaton, WhatIsRefusedMatchesNothingOrIsLeftRecursive) {
  int empty = 0, recursive = 0;
  for (uint32_t seed = 0; seed < 300; ++seed) {
    const Grammar grammar = RandomGrammar(seed).make();
    const auto nfa = Nfa::compile(grammar);
    if (nfa) continue;
    if (nfa.error().message.find("left recursion") != std::string::npos) {
      ++recursive;
      continue;
    }
    ASSERT_NE(nfa.error().message.find("no text at all"), std::string::npos) << nfa.error().message;
    ++empty;
    for (const std::u32string& text : short_texts(3)) ASSERT_FALSE(SlowRecogniser(grammar, text).matches()) << seed;
  }
  EXPECT_GT(empty, 0);
  EXPECT_GT(recursive, 0);
}

TEST(Automaton, ForgettingKeepsTheStateAtHand) {
  Automaton automaton(compile(parse_gbnf("root ::= \"(\" root \")\" | \"x\" | [a-c]+ | [b-d]+ \"!\"", "test")));
  Automaton::StateId state = automaton.start();
  for (const char c : std::string(1000, '(') + "b") state = automaton.step(state, static_cast<uint8_t>(c));
  const int64_t distance = automaton.distance(state);
  state = automaton.forget(state);
  EXPECT_EQ(automaton.distance(state), distance);
  for (const char c : "d!" + std::string(1000, ')')) state = automaton.step(state, static_cast<uint8_t>(c));
  EXPECT_TRUE(automaton.reaches_bottom(state));
  EXPECT_FALSE(automaton.has_steps(state));
}

TEST(Automaton, TailCallsKeepNoStack) {
  Automaton automaton(compile(parse_gbnf("root ::= \"a\" rest\nrest ::= \",\" root | \"\"", "test")));
  const Automaton::StateId once = automaton.step(automaton.start(), 'a');
  Automaton::StateId state = once;
  for (int i = 0; i < 100; ++i) state = automaton.step(automaton.step(state, ','), 'a');
  EXPECT_EQ(state, once);
}

TEST(Automaton, TooMuchAmbiguityIsGivenUpAndSaid) {
  // After n letters there are 2^n stacks.
  Automaton automaton(
      compile(parse_gbnf("root ::= \"x\" root b | \"x\" root c | \"x\"\nb ::= \"b\"\nc ::= \"c\"", "test")));
  Automaton::StateId state = automaton.start();
  for (int i = 0; i < 64; ++i) state = automaton.step(state, 'x');
  EXPECT_EQ(state, Automaton::kDead);
  EXPECT_TRUE(automaton.overflown());
}

}  // namespace
}  // namespace smelt
