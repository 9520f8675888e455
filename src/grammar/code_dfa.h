// Deterministic automata over code points, for what expressions cannot say by themselves: texts that match several
// patterns at once, of a length between bounds, that are multiples of a number, or that are none of a list. Used for
// JSON schemas; small, with a budget.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "grammar/code_set.h"
#include "grammar/grammar.h"

namespace smelt {

class CodeDfa {
 public:
  struct Edge {
    CodeRange codes;
    int32_t to;
  };
  struct State {
    std::vector<Edge> edges;  // rising, not overlapping; what is not there leads nowhere
    bool accepts = false;
  };

  // An expression without calls. An error if it takes too many states.
  static Result<CodeDfa> from_expr(const Grammar& grammar, ExprId expr);
  static CodeDfa of_length(int64_t min, int64_t max);  // max -1: no limit
  static CodeDfa multiples_of(int64_t number);         // in decimal, with or without '-'
  static CodeDfa none_of(const std::vector<std::string>& texts);

  static Result<CodeDfa> both(const CodeDfa& a, const CodeDfa& b);
  bool matches(const std::u32string& text) const;
  // As rules of a grammar; the characters are what `chars` makes of them.
  ExprId add_to(Grammar& grammar, const std::string& name, const std::function<ExprId(CodeSet)>& chars) const;

 private:
  int32_t add_state(bool accepts) {
    states_.push_back({{}, accepts});
    return static_cast<int32_t>(states_.size() - 1);
  }
  std::vector<State> states_;  // the first one is the start
};

}  // namespace smelt
