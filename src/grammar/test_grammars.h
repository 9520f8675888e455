// What tests of this folder share: compiling, matching whole texts, random grammars, and a slow recogniser that follows
// the expressions themselves.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "base/text.h"

#include "grammar/automaton.h"
#include "grammar/grammar.h"
#include "grammar/nfa.h"

namespace smelt {

inline std::shared_ptr<const Nfa> compile(const Result<Grammar>& grammar) {
  EXPECT_TRUE(grammar.has_value()) << grammar.error().message;
  if (!grammar) return nullptr;
  auto nfa = Nfa::compile(*grammar);
  EXPECT_TRUE(nfa.has_value()) << nfa.error().message;
  return nfa ? std::make_shared<const Nfa>(std::move(*nfa)) : nullptr;
}

inline bool matches(const std::shared_ptr<const Nfa>& nfa, std::string_view text) {
  Automaton automaton(nfa);
  Automaton::StateId state = automaton.start();
  for (const char c : text) state = automaton.step(state, static_cast<uint8_t>(c));
  return automaton.reaches_bottom(state);
}

// Where a match of an expression that begins at a place can end. Exponential in bad cases, but simple.
class SlowRecogniser {
 public:
  SlowRecogniser(const Grammar& grammar, std::u32string text) : grammar_(grammar), text_(std::move(text)) {}
  bool matches() { return rule_ends(grammar_.root, 0).contains(text_.size()); }
  bool met_left_recursion() const { return left_recursion_; }

 private:
  using Ends = std::set<size_t>;

  Ends rule_ends(RuleId rule, size_t at) {
    const auto [known, is_new] = memo_.try_emplace({rule, at});
    if (!is_new) {
      left_recursion_ |= open_.contains({rule, at});
      return known->second;
    }
    open_.insert({rule, at});
    const Ends ends = expr_ends(grammar_.rule(rule).body, at);
    open_.erase({rule, at});
    return memo_[{rule, at}] = ends;
  }

  Ends expr_ends(ExprId id, size_t at) {
    const Expr& expr = grammar_.expr(id);
    switch (expr.kind) {
      case Expr::Kind::text: {
        const std::u32string wanted = decode_utf8(expr.text);
        return text_.compare(at, wanted.size(), wanted) == 0 ? Ends{at + wanted.size()} : Ends{};
      }
      case Expr::Kind::chars:
        for (const CodeRange& range : expr.chars)
          if (at < text_.size() && range.first <= text_[at] && text_[at] <= range.last) return {at + 1};
        return {};
      case Expr::Kind::sequence: {
        Ends ends = {at};
        for (const ExprId part : expr.parts) ends = all_ends(part, ends);
        return ends;
      }
      case Expr::Kind::choice: {
        Ends ends;
        for (const ExprId part : expr.parts) ends.merge(expr_ends(part, at));
        return ends;
      }
      case Expr::Kind::repeat:
        return repeat_ends(expr, at);
      case Expr::Kind::call:
        break;
    }
    return rule_ends(expr.rule, at);
  }

  Ends all_ends(ExprId part, const Ends& starts) {
    Ends ends;
    for (const size_t start : starts) ends.merge(expr_ends(part, start));
    return ends;
  }

  // After as many rounds as the text is long, further ones add no new places.
  Ends repeat_ends(const Expr& expr, size_t at) {
    Ends now = {at};
    for (int64_t i = 0; i < expr.min; ++i) now = all_ends(expr.parts.front(), now);
    Ends out = now;
    const int64_t rounds = expr.max < 0 ? static_cast<int64_t>(text_.size()) + 1 : expr.max - expr.min;
    for (int64_t i = 0; i < rounds; ++i) {
      now = all_ends(expr.parts.front(), now);
      out.insert(now.begin(), now.end());
    }
    return out;
  }

  const Grammar& grammar_;
  std::u32string text_;
  std::map<std::pair<RuleId, size_t>, Ends> memo_;
  std::set<std::pair<RuleId, size_t>> open_;
  bool left_recursion_ = false;
};

// Letters of one, two and three bytes; small, so that texts often match.
inline const std::u32string kTestLetters = U"abé€";

class RandomGrammar {
 public:
  explicit RandomGrammar(uint32_t seed) : random_(seed) {}

  Grammar make() {
    Grammar grammar;
    n_rules_ = 1 + static_cast<int>(random_() % 4);
    for (int i = 0; i < n_rules_; ++i) grammar.add_rule("r" + std::to_string(i));
    for (int i = 0; i < n_rules_; ++i) grammar.define(i, expr(grammar, 3));
    return grammar;
  }
  std::mt19937& random() { return random_; }

 private:
  ExprId expr(Grammar& grammar, int depth) {
    switch (random_() % (depth > 0 ? 9 : 4)) {
      case 0:
        return grammar.text(random_() % 4 == 0 ? "" : random_() % 2 == 0 ? "ab" : "é");
      case 1:
        return grammar.chars(make_code_set({{'a', static_cast<char32_t>('a' + random_() % 2)}}));
      case 2:
        return grammar.chars(random_() % 2 == 0 ? inverted(make_code_set({{'a', 'a'}})) : CodeSet{{U'€', U'€'}});
      case 3:
        return grammar.call(static_cast<RuleId>(random_() % static_cast<uint32_t>(n_rules_)));
      case 4:
      case 5: {
        const ExprId first = expr(grammar, depth - 1), second = expr(grammar, depth - 1);
        return grammar.sequence({first, second});
      }
      case 6:
      case 7: {
        const ExprId first = expr(grammar, depth - 1), second = expr(grammar, depth - 1);
        return grammar.choice({first, second});
      }
      default: {
        const int64_t min = random_() % 3;
        return grammar.repeat(expr(grammar, depth - 1), min, random_() % 2 == 0 ? -1 : min + random_() % 3);
      }
    }
  }

  std::mt19937 random_;
  int n_rules_ = 1;
};

}  // namespace smelt
