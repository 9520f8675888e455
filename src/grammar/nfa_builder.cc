// From expressions to states, after Thompson; counted repetition is written out, within a budget of states.
#include "grammar/nfa_builder.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "grammar/utf8_ranges.h"

namespace smelt {
namespace {

constexpr size_t kMaxStates = 100'000;  // about 100 bytes each while building

}  // namespace

Result<Nfa> Nfa::compile(const Grammar& grammar) { return NfaBuilder(grammar).build(); }

Result<Nfa> NfaBuilder::build() {
  for (size_t rule = 0; rule < grammar_.n_rules(); ++rule) {
    starts_.push_back(add_state());
    ends_.push_back(add_state());
  }
  for (size_t rule = 0; rule < grammar_.n_rules(); ++rule) {
    add(grammar_.rule(static_cast<RuleId>(rule)).body, starts_[rule], ends_[rule]);
    if (!full()) continue;
    return input_error(
        fmt::format("{}: the grammar becomes too large here: its repetitions, written out, take more "
                    "than {} states; ask for fewer repetitions",
                    name(static_cast<RuleId>(rule)), kMaxStates));
  }
  SMELT_TRY(refuse_left_recursion());
  measure_distances();
  if (distances_[static_cast<size_t>(starts_[static_cast<size_t>(grammar_.root)])] < 0)
    return input_error("no text at all would match");
  cut_dead_ends();
  return flatten();
}

std::string NfaBuilder::name(RuleId rule) const {
  const Rule& r = grammar_.rule(rule);
  const std::string shown = fmt::format("rule '{}'", escape_for_display(r.name));
  return r.where.empty() ? shown : r.where + ": " + shown;
}

bool NfaBuilder::full() const { return states_.size() > kMaxStates; }

int32_t NfaBuilder::add_state() {
  states_.emplace_back();
  return static_cast<int32_t>(states_.size() - 1);
}

void NfaBuilder::add(ExprId id, int32_t from, int32_t to) {
  if (full()) return;
  const Expr& expr = grammar_.expr(id);
  switch (expr.kind) {
    case Expr::Kind::text:
      return add_text(expr.text, from, to);
    case Expr::Kind::chars:
      return add_chars(expr.chars, from, to);
    case Expr::Kind::sequence:
      for (size_t i = 0; i < expr.parts.size(); ++i) {
        const int32_t next = i + 1 == expr.parts.size() ? to : add_state();
        add(expr.parts[i], from, next);
        from = next;
      }
      if (expr.parts.empty()) at(from).jumps.push_back(to);
      return;
    case Expr::Kind::choice:
      for (const ExprId part : expr.parts) add(part, from, to);
      return;
    case Expr::Kind::repeat:
      return add_repeat(expr, from, to);
    case Expr::Kind::call:
      at(from).calls.push_back({expr.rule, to});
  }
}

void NfaBuilder::add_text(const std::string& text, int32_t from, int32_t to) {
  if (text.empty()) at(from).jumps.push_back(to);
  for (size_t i = 0; i < text.size(); ++i) {
    const int32_t next = i + 1 == text.size() ? to : add_state();
    const auto byte = static_cast<uint8_t>(text[i]);
    at(from).bytes.push_back({byte, byte, next});
    from = next;
  }
}

// Sequences that end alike share the states of their ends.
void NfaBuilder::add_chars(const CodeSet& set, int32_t from, int32_t to) {
  std::map<std::vector<std::pair<uint8_t, uint8_t>>, int32_t> states;  // by the byte ranges still to come
  for (const Utf8Range& range : utf8_ranges(set)) {
    std::vector<std::pair<uint8_t, uint8_t>> rest;
    int32_t next = to;
    for (int i = range.length - 1; i > 0; --i) {
      const ByteRange byte = range.bytes[static_cast<size_t>(i)];
      rest.emplace_back(byte.first, byte.last);
      const auto [known, is_new] = states.try_emplace(rest, -1);
      if (is_new) {
        known->second = add_state();
        at(known->second).bytes.push_back({byte.first, byte.last, next});
      }
      next = known->second;
    }
    at(from).bytes.push_back({range.bytes[0].first, range.bytes[0].last, next});
  }
}

void NfaBuilder::add_repeat(const Expr& expr, int32_t from, int32_t to) {
  const ExprId part = expr.parts.front();
  for (int64_t i = 0; i < expr.min && !full(); ++i) {
    const int32_t next = add_state();
    add(part, from, next);
    from = next;
  }
  if (expr.max < 0) {
    const int32_t loop = add_state();
    at(from).jumps.push_back(loop);
    add(part, loop, loop);
    at(loop).jumps.push_back(to);
    return;
  }
  for (int64_t i = expr.min; i < expr.max && !full(); ++i) {
    const int32_t next = add_state();
    at(from).jumps.push_back(to);
    add(part, from, next);
    from = next;
  }
  at(from).jumps.push_back(to);
}

Nfa NfaBuilder::flatten() const {
  Nfa nfa;
  const auto append = [](auto& lists, const auto& values) {
    lists.begins.push_back(static_cast<uint32_t>(lists.values.size()));
    lists.values.insert(lists.values.end(), values.begin(), values.end());
  };
  for (const State& state : states_) {
    append(nfa.bytes_, state.bytes);
    append(nfa.calls_, state.calls);
    append(nfa.jumps_, state.jumps);
  }
  append(nfa.bytes_, std::vector<ByteEdge>());
  append(nfa.calls_, std::vector<CallEdge>());
  append(nfa.jumps_, std::vector<int32_t>());
  nfa.ends_.resize(states_.size());
  for (const int32_t end : ends_) nfa.ends_[static_cast<size_t>(end)] = Nfa::kEnd;
  nfa.only_ends_.resize(states_.size());
  for (size_t i = 0; i < states_.size(); ++i) {
    const State& s = states_[i];
    const bool ends = nfa.is_end(static_cast<int32_t>(i));
    const bool jumps_to_end = s.jumps.size() == 1 && nfa.is_end(s.jumps.front()) &&
                              states_[static_cast<size_t>(s.jumps.front())].jumps.empty();
    nfa.only_ends_[i] = s.bytes.empty() && s.calls.empty() && (ends ? s.jumps.empty() : jumps_to_end);
  }
  nfa.starts_ = starts_;
  nfa.distances_ = distances_;
  nfa.root_ = grammar_.root;
  nfa.set_classes();
  return nfa;
}

void Nfa::set_classes() {
  std::array<bool, 257> begins = {};
  begins[0] = true;
  for (const ByteEdge& edge : bytes_.values) begins[edge.first] = begins[edge.last + 1U] = true;
  for (size_t byte = 0; byte < 256; ++byte) {
    if (begins[byte]) byte_of_class_[static_cast<size_t>(n_classes_++)] = static_cast<uint8_t>(byte);
    class_of_[byte] = static_cast<uint8_t>(n_classes_ - 1);
  }
}

}  // namespace smelt
