// Subset construction over a small automaton of code points, and products.
#include "grammar/code_dfa.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.h"

namespace smelt {
namespace {

constexpr size_t kMaxStates = 20'000;
constexpr size_t kMaxWork = 200'000'000;

Error too_large() {
  return input_error(fmt::format("the bounds and patterns together take more than {} states", kMaxStates));
}

// Thompson's automaton of an expression.
class CodeNfa {
 public:
  struct State {
    std::vector<CodeDfa::Edge> edges;
    std::vector<int32_t> jumps;
  };

  bool build(const Grammar& grammar, ExprId expr) {
    const int32_t start = add_state(), end = add_state();
    add(grammar, expr, start, end);
    return states_.size() <= 4 * kMaxStates;
  }
  static constexpr int32_t kStart = 0, kEnd = 1;
  const State& state(int32_t id) const { return states_[static_cast<size_t>(id)]; }

  // All states that `from` reaches without reading, sorted.
  std::vector<int32_t> closed(std::vector<int32_t> from) const {
    std::vector<int32_t> work = from;
    std::vector<bool> seen(states_.size());
    for (const int32_t id : from) seen[static_cast<size_t>(id)] = true;
    while (!work.empty()) {
      const int32_t id = work.back();
      work.pop_back();
      for (const int32_t to : state(id).jumps) {
        if (seen[static_cast<size_t>(to)]) continue;
        seen[static_cast<size_t>(to)] = true;
        from.push_back(to);
        work.push_back(to);
      }
    }
    std::sort(from.begin(), from.end());
    from.erase(std::unique(from.begin(), from.end()), from.end());
    return from;
  }

 private:
  int32_t add_state() {
    states_.emplace_back();
    return static_cast<int32_t>(states_.size() - 1);
  }
  State& at(int32_t id) { return states_[static_cast<size_t>(id)]; }
  bool full() const { return states_.size() > 4 * kMaxStates; }

  void add(const Grammar& grammar, ExprId id, int32_t from, int32_t to) {
    if (full()) return;
    const Expr& expr = grammar.expr(id);
    if (expr.kind == Expr::Kind::chars) {
      for (const CodeRange& range : expr.chars) at(from).edges.push_back({range, to});
    } else if (expr.kind == Expr::Kind::choice) {
      for (const ExprId part : expr.parts) add(grammar, part, from, to);
    } else if (expr.kind == Expr::Kind::repeat) {
      add_repeat(grammar, expr, from, to);
    } else {
      const std::u32string text = decode_utf8(expr.text);
      for (const char32_t c : text) {
        const int32_t next = add_state();
        at(from).edges.push_back({{c, c}, next});
        from = next;
      }
      for (const ExprId part : expr.parts) {
        const int32_t next = add_state();
        add(grammar, part, from, next);
        from = next;
      }
      at(from).jumps.push_back(to);
    }
  }

  void add_repeat(const Grammar& grammar, const Expr& expr, int32_t from, int32_t to) {
    const int64_t copies = expr.max < 0 ? expr.min : expr.max;
    for (int64_t i = 0; i < copies && !full(); ++i) {
      const int32_t next = add_state();
      if (i >= expr.min) at(from).jumps.push_back(to);
      add(grammar, expr.parts.front(), from, next);
      from = next;
    }
    const int32_t last = add_state();
    at(from).jumps.push_back(last);
    if (expr.max < 0) add(grammar, expr.parts.front(), last, last);
    at(last).jumps.push_back(to);
  }

  std::vector<State> states_;
};

// Cuts overlapping ranges at each other's ends and collects, for each piece, where it leads.
std::vector<std::pair<CodeRange, std::vector<int32_t>>> pieces(std::vector<CodeDfa::Edge> edges) {
  std::vector<char32_t> cuts;
  for (const CodeDfa::Edge& edge : edges) {
    cuts.push_back(edge.codes.first);
    cuts.push_back(edge.codes.last + 1);
  }
  std::sort(cuts.begin(), cuts.end());
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  std::sort(edges.begin(), edges.end(),
            [](const CodeDfa::Edge& a, const CodeDfa::Edge& b) { return a.codes.first < b.codes.first; });
  std::vector<std::pair<CodeRange, std::vector<int32_t>>> out;
  for (size_t i = 0; i + 1 < cuts.size(); ++i) {
    std::vector<int32_t> targets;
    for (const CodeDfa::Edge& edge : edges) {
      if (edge.codes.first > cuts[i]) break;
      if (edge.codes.last >= cuts[i]) targets.push_back(edge.to);
    }
    if (!targets.empty()) out.push_back({{cuts[i], cuts[i + 1] - 1}, std::move(targets)});
  }
  return out;
}

}  // namespace

Result<CodeDfa> CodeDfa::from_expr(const Grammar& grammar, ExprId expr) {
  CodeNfa nfa;
  if (!nfa.build(grammar, expr)) return too_large();
  CodeDfa dfa;
  std::map<std::vector<int32_t>, int32_t> known;
  std::vector<std::vector<int32_t>> sets;
  size_t n_members = 0;
  const auto find = [&](std::vector<int32_t> set) {
    const auto [entry, is_new] = known.try_emplace(std::move(set), static_cast<int32_t>(sets.size()));
    if (is_new) {
      n_members += entry->first.size();
      sets.push_back(entry->first);
      dfa.add_state(std::binary_search(entry->first.begin(), entry->first.end(), CodeNfa::kEnd));
    }
    return entry->second;
  };
  find(nfa.closed({CodeNfa::kStart}));
  size_t work = 0;  // pieces are cut in quadratic time
  for (size_t i = 0; i < sets.size(); ++i) {
    std::vector<Edge> edges;
    for (const int32_t id : sets[i]) edges.insert(edges.end(), nfa.state(id).edges.begin(), nfa.state(id).edges.end());
    work += 2 * edges.size() * edges.size();
    if (work > kMaxWork) return too_large();
    for (auto& [codes, targets] : pieces(std::move(edges))) {
      const int32_t to = find(nfa.closed(std::move(targets)));
      dfa.states_[i].edges.push_back({codes, to});
    }
    if (sets.size() > kMaxStates || n_members > 50 * kMaxStates) return too_large();
  }
  return dfa;
}

CodeDfa CodeDfa::of_length(int64_t min, int64_t max) {
  CodeDfa dfa;
  const int64_t last = std::min<int64_t>(max < 0 ? min : max, kMaxStates + 1);
  for (int64_t i = 0; i <= last; ++i) dfa.add_state(i >= min);
  for (int64_t i = 0; i <= last; ++i) {
    if (i == last && max >= 0) break;
    const auto to = static_cast<int32_t>(std::min(i + 1, last));
    for (const CodeRange& range : all_codes()) dfa.states_[static_cast<size_t>(i)].edges.push_back({range, to});
  }
  return dfa;
}

// A start, a sign, and the remainder of what was read.
CodeDfa CodeDfa::multiples_of(int64_t number) {
  CodeDfa dfa;
  dfa.add_state(false);
  dfa.add_state(false);
  number = std::min<int64_t>(number, kMaxStates + 1);
  for (int64_t i = 0; i < number; ++i) dfa.add_state(i == 0);
  const auto add_digits = [&](int32_t from, int64_t remainder) {
    for (char32_t digit = 0; digit < 10; ++digit)
      dfa.states_[static_cast<size_t>(from)].edges.push_back(
          {{U'0' + digit, U'0' + digit}, static_cast<int32_t>(2 + (remainder * 10 + digit) % number)});
  };
  dfa.states_[0].edges.push_back({{'-', '-'}, 1});
  add_digits(0, 0);
  add_digits(1, 0);
  for (int64_t i = 0; i < number; ++i) add_digits(static_cast<int32_t>(2 + i), i);
  return dfa;
}

CodeDfa CodeDfa::none_of(const std::vector<std::string>& texts) {
  CodeDfa dfa;
  dfa.add_state(true);
  const int32_t other = dfa.add_state(true);
  std::vector<std::map<char32_t, int32_t>> next(2);
  for (const std::string& text : texts) {
    int32_t at = 0;
    for (const char32_t c : decode_utf8(text)) {
      auto [edge, is_new] = next[static_cast<size_t>(at)].try_emplace(c, static_cast<int32_t>(dfa.states_.size()));
      at = edge->second;
      if (!is_new) continue;
      dfa.add_state(true);
      next.emplace_back();
    }
    dfa.states_[static_cast<size_t>(at)].accepts = false;
  }
  for (size_t i = 0; i < dfa.states_.size(); ++i) {
    std::vector<CodeRange> known;
    std::vector<Edge> edges;
    for (const auto& [code, to] : next[i]) {
      known.push_back({code, code});
      edges.push_back({{code, code}, to});
    }
    for (const CodeRange& range : inverted(make_code_set(known))) edges.push_back({range, other});
    std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) { return a.codes.first < b.codes.first; });
    dfa.states_[i].edges = std::move(edges);
  }
  return dfa;
}

Result<CodeDfa> CodeDfa::both(const CodeDfa& a, const CodeDfa& b) {
  CodeDfa out;
  std::map<std::pair<int32_t, int32_t>, int32_t> known;
  std::vector<std::pair<int32_t, int32_t>> pairs;
  const auto find = [&](int32_t x, int32_t y) {
    const auto [entry, is_new] = known.try_emplace({x, y}, static_cast<int32_t>(pairs.size()));
    if (is_new) {
      pairs.emplace_back(x, y);
      out.add_state(a.states_[static_cast<size_t>(x)].accepts && b.states_[static_cast<size_t>(y)].accepts);
    }
    return entry->second;
  };
  find(0, 0);
  for (size_t i = 0; i < pairs.size(); ++i) {
    const auto [x, y] = pairs[i];
    const std::vector<Edge>&ea = a.states_[static_cast<size_t>(x)].edges, &eb = b.states_[static_cast<size_t>(y)].edges;
    for (size_t m = 0, n = 0; m < ea.size() && n < eb.size();) {
      const CodeRange codes = {std::max(ea[m].codes.first, eb[n].codes.first),
                               std::min(ea[m].codes.last, eb[n].codes.last)};
      if (codes.first <= codes.last) {
        const int32_t to = find(ea[m].to, eb[n].to);
        out.states_[i].edges.push_back({codes, to});
      }
      if (ea[m].codes.last < eb[n].codes.last) {
        ++m;
      } else {
        ++n;
      }
    }
    if (pairs.size() > kMaxStates) return too_large();
  }
  return out;
}

bool CodeDfa::matches(const std::u32string& text) const {
  int32_t at = 0;
  for (const char32_t c : text) {
    const std::vector<Edge>& edges = states_[static_cast<size_t>(at)].edges;
    const auto edge = std::find_if(edges.begin(), edges.end(),
                                   [c](const Edge& e) { return e.codes.first <= c && c <= e.codes.last; });
    if (edge == edges.end()) return false;
    at = edge->to;
  }
  return states_[static_cast<size_t>(at)].accepts;
}

// One rule a state, each of which ends with the call of the next: no stack grows.
ExprId CodeDfa::add_to(Grammar& grammar, const std::string& name, const std::function<ExprId(CodeSet)>& chars) const {
  std::vector<RuleId> rules;
  for (size_t i = 0; i < states_.size(); ++i) rules.push_back(grammar.add_rule(name));
  for (size_t i = 0; i < states_.size(); ++i) {
    std::map<int32_t, std::vector<CodeRange>> by_target;
    for (const Edge& edge : states_[i].edges) by_target[edge.to].push_back(edge.codes);
    std::vector<ExprId> choices;
    for (auto& [to, ranges] : by_target)
      choices.push_back(
          grammar.sequence({chars(make_code_set(std::move(ranges))), grammar.call(rules[static_cast<size_t>(to)])}));
    if (states_[i].accepts) choices.push_back(grammar.empty());
    grammar.define(rules[i], grammar.choice(std::move(choices)));
  }
  return grammar.call(rules.front());
}

}  // namespace smelt
