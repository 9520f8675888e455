// What a grammar must be for the automaton to run it: no rule that calls itself before it has read anything, and no
// state that leads nowhere.
#include <fmt/format.h>

#include <algorithm>
#include <queue>
#include <set>

#include "grammar/nfa_builder.h"

namespace smelt {
namespace {

constexpr int64_t kFar = int64_t{1} << 40;  // no text is so long; sums of two stay in range

}  // namespace

// A rule is nullable if its distance is 0; measured here by rounds over the rules, since only calls link them.
std::vector<bool> NfaBuilder::find_nullable_rules() const {
  std::vector<std::vector<std::pair<int32_t, RuleId>>> into(states_.size());  // steps without bytes, backwards
  std::vector<std::vector<std::pair<int32_t, int32_t>>> callers(starts_.size());
  std::vector<bool> reaches(states_.size());
  std::vector<bool> nullable(starts_.size());
  for (size_t s = 0; s < states_.size(); ++s) {
    for (const int32_t to : states_[s].jumps) into[static_cast<size_t>(to)].emplace_back(static_cast<int32_t>(s), -1);
    for (const CallEdge& call : states_[s].calls) {
      into[static_cast<size_t>(call.to)].emplace_back(static_cast<int32_t>(s), call.rule);
      callers[static_cast<size_t>(call.rule)].emplace_back(static_cast<int32_t>(s), call.to);
    }
  }
  std::vector<int32_t> work;
  const auto reach = [&](int32_t state) {
    if (!reaches[static_cast<size_t>(state)]) work.push_back(state);
    reaches[static_cast<size_t>(state)] = true;
  };
  std::vector<int32_t> rule_of_start(states_.size(), -1);
  for (size_t rule = 0; rule < starts_.size(); ++rule)
    rule_of_start[static_cast<size_t>(starts_[rule])] = static_cast<int32_t>(rule);
  for (const int32_t end : ends_) reach(end);
  while (!work.empty()) {
    const auto state = static_cast<size_t>(work.back());
    work.pop_back();
    for (const auto& [from, rule] : into[state])
      if (rule < 0 || nullable[static_cast<size_t>(rule)]) reach(from);
    const int32_t rule = rule_of_start[state];
    if (rule < 0) continue;
    nullable[static_cast<size_t>(rule)] = true;
    for (const auto& [from, to] : callers[static_cast<size_t>(rule)])
      if (reaches[static_cast<size_t>(to)]) reach(from);
  }
  return nullable;
}

// The rules that a rule may call before it has read a byte.
std::vector<RuleId> NfaBuilder::left_calls(RuleId rule, const std::vector<bool>& nullable) const {
  std::vector<RuleId> out;
  std::vector<int32_t> work = {starts_[static_cast<size_t>(rule)]};
  std::set<int32_t> known = {work.front()};
  const auto visit = [&](int32_t state) {
    if (known.insert(state).second) work.push_back(state);
  };
  while (!work.empty()) {
    const State& state = states_[static_cast<size_t>(work.back())];
    work.pop_back();
    for (const int32_t to : state.jumps) visit(to);
    for (const CallEdge& call : state.calls) {
      out.push_back(call.rule);
      if (nullable[static_cast<size_t>(call.rule)]) visit(call.to);
    }
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

// A depth-first walk over the rules; the path is kept apart from the call stack, since hostile grammars are deep.
Status NfaBuilder::refuse_left_recursion() const {
  const std::vector<bool> nullable = find_nullable_rules();
  enum class Mark : uint8_t { fresh, open, done };
  struct Step {
    RuleId rule;
    std::vector<RuleId> calls;
    size_t next = 0;
  };
  std::vector<Mark> marks(starts_.size(), Mark::fresh);
  std::vector<Step> path;
  const auto enter = [&](RuleId rule) {
    marks[static_cast<size_t>(rule)] = Mark::open;
    path.push_back({rule, left_calls(rule, nullable)});
  };
  for (size_t first = 0; first < starts_.size(); ++first) {
    if (marks[first] == Mark::fresh) enter(static_cast<RuleId>(first));
    while (!path.empty()) {
      Step& step = path.back();
      if (step.next == step.calls.size()) {
        marks[static_cast<size_t>(step.rule)] = Mark::done;
        path.pop_back();
        continue;
      }
      const RuleId called = step.calls[step.next++];
      const Mark mark = marks[static_cast<size_t>(called)];
      if (mark == Mark::open)
        return input_error(
            fmt::format("{} calls itself before anything is read (left recursion); put what is read "
                        "first in front: list ::= item more*",
                        name(called)));
      if (mark == Mark::fresh) enter(called);
    }
  }
  return {};
}

// The bytes to the end of the rule from each state, -1 where there is no way: Dijkstra's algorithm in Knuth's form for
// grammars, as a call costs what its rule's shortest text does.
void NfaBuilder::measure_distances() {
  struct Back {
    int32_t from;
    RuleId rule;  // -1: a step of `cost` bytes
    int cost;
  };
  std::vector<std::vector<Back>> into(states_.size());
  std::vector<std::vector<std::pair<int32_t, int32_t>>> callers(starts_.size());
  std::vector<int32_t> rule_of_start(states_.size(), -1);
  for (size_t s = 0; s < states_.size(); ++s) {
    const auto from = static_cast<int32_t>(s);
    for (const int32_t to : states_[s].jumps) into[static_cast<size_t>(to)].push_back({from, -1, 0});
    for (const ByteEdge& edge : states_[s].bytes) into[static_cast<size_t>(edge.to)].push_back({from, -1, 1});
    for (const CallEdge& call : states_[s].calls) {
      into[static_cast<size_t>(call.to)].push_back({from, call.rule, 0});
      callers[static_cast<size_t>(call.rule)].emplace_back(from, call.to);
    }
  }
  for (size_t rule = 0; rule < starts_.size(); ++rule)
    rule_of_start[static_cast<size_t>(starts_[rule])] = static_cast<int32_t>(rule);
  distances_.assign(states_.size(), -1);
  rule_lengths_.assign(starts_.size(), -1);
  std::priority_queue<std::pair<int64_t, int32_t>, std::vector<std::pair<int64_t, int32_t>>, std::greater<>> queue;
  const auto offer = [&](int64_t distance, int32_t state) {
    if (distances_[static_cast<size_t>(state)] < 0) queue.emplace(std::min(distance, kFar), state);
  };
  for (const int32_t end : ends_) offer(0, end);
  while (!queue.empty()) {
    const auto [distance, state] = queue.top();
    queue.pop();
    const auto s = static_cast<size_t>(state);
    if (distances_[s] >= 0) continue;
    distances_[s] = distance;
    for (const Back& back : into[s]) {
      const int64_t cost = back.rule < 0 ? back.cost : rule_lengths_[static_cast<size_t>(back.rule)];
      if (cost >= 0) offer(distance + cost, back.from);
    }
    const int32_t rule = rule_of_start[s];
    if (rule < 0) continue;
    rule_lengths_[static_cast<size_t>(rule)] = distance;
    for (const auto& [from, to] : callers[static_cast<size_t>(rule)])
      if (distances_[static_cast<size_t>(to)] >= 0) offer(distance + distances_[static_cast<size_t>(to)], from);
  }
}

void NfaBuilder::cut_dead_ends() {
  const auto dead = [this](int32_t state) { return distances_[static_cast<size_t>(state)] < 0; };
  for (State& state : states_) {
    std::erase_if(state.bytes, [&](const ByteEdge& edge) { return dead(edge.to); });
    std::erase_if(state.jumps, dead);
    std::erase_if(state.calls, [&](const CallEdge& call) {
      return dead(call.to) || rule_lengths_[static_cast<size_t>(call.rule)] < 0;
    });
  }
}

}  // namespace smelt
