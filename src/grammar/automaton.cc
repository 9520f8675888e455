// The subset construction over stacks, on demand.
#include "grammar/automaton.h"

#include <algorithm>

namespace smelt {
namespace {

uint64_t key_of(int32_t state, int32_t below) {
  return (static_cast<uint64_t>(static_cast<uint32_t>(state)) << 32) | static_cast<uint32_t>(below);
}

uint64_t mix(uint64_t hash, uint64_t value) {
  hash ^= value + 0x9e3779b97f4a7c15ULL + (hash << 6) + (hash >> 2);
  return hash * 0xff51afd7ed558ccdULL;
}

}  // namespace

Automaton::Automaton(std::shared_ptr<const Nfa> nfa)
    : nfa_(std::move(nfa)), class_of_(nfa_->class_of()), n_classes_(static_cast<size_t>(nfa_->n_classes())) {
  clear();
  work_ = {{nfa_->root_start(), 0}};
  start_ = close();
}

void Automaton::clear() {
  entries_.assign(1, {.state = -1, .below = -1, .depth = 0, .distance = 0});
  entry_of_.clear();
  states_.clear();
  state_of_.clear();
  steps_.clear();
  n_bytes_ = 0;
  intern({}, false);  // kDead
}

int32_t Automaton::push(int32_t state, int32_t below) {
  const auto next = static_cast<int32_t>(entries_.size());
  const auto [known, is_new] = entry_of_.try_emplace(key_of(state, below), next);
  if (!is_new) return known->second;
  const Entry under = entries_[static_cast<size_t>(below)];
  entries_.push_back({state, below, under.depth + 1, under.distance + nfa_->distance(state)});
  n_bytes_ += sizeof(Entry) + 48;
  return next;
}

Automaton::StateId Automaton::make_step(StateId state, uint8_t byte_class) {
  if (overflown()) return kDead;
  const uint8_t byte = nfa_->byte_of_class(byte_class);
  work_.clear();
  for (const Top& top : states_[static_cast<size_t>(state)].tops) {
    for (const ByteEdge& edge : nfa_->bytes(top.state)) {
      if (edge.first <= byte && byte <= edge.last) work_.push_back({edge.to, top.below});
    }
  }
  const StateId next = work_.empty() ? kDead : close();
  steps_[static_cast<size_t>(state) * n_classes_ + byte_class] = next;
  return next;
}

// Everything that stands in work_ is seen once; what has bytes to read is kept.
Automaton::StateId Automaton::close() {
  constexpr size_t kMaxSeen = size_t{1} << 18;  // of one step: a grammar this ambiguous is given up
  seen_.clear();
  std::vector<Top> tops;
  bool bottom = false;
  while (!work_.empty()) {
    const Top top = work_.back();
    work_.pop_back();
    if (!seen_.insert(key_of(top.state, top.below)).second) continue;
    if (seen_.size() > kMaxSeen) n_bytes_ = kMaxBytes + 1;
    if (overflown()) return kDead;
    if (!nfa_->bytes(top.state).empty()) tops.push_back(top);
    if (nfa_->is_end(top.state) && top.below == 0) bottom = true;
    follow(top);
  }
  std::sort(tops.begin(), tops.end(),
            [](const Top& a, const Top& b) { return key_of(a.state, a.below) < key_of(b.state, b.below); });
  return intern(std::move(tops), bottom);
}

void Automaton::follow(Top top) {
  for (const int32_t to : nfa_->jumps(top.state)) work_.push_back({to, top.below});
  for (const CallEdge& call : nfa_->calls(top.state)) {
    // Where nothing follows the call, its end is the caller's.
    const int32_t below = nfa_->only_ends(call.to) ? top.below : push(call.to, top.below);
    work_.push_back({nfa_->start(call.rule), below});
  }
  if (nfa_->is_end(top.state) && top.below != 0) {
    const Entry& entry = entries_[static_cast<size_t>(top.below)];
    work_.push_back({entry.state, entry.below});
  }
}

Automaton::StateId Automaton::intern(std::vector<Top> tops, bool bottom) {
  uint64_t hash = bottom ? 1 : 2;
  for (const Top& top : tops) hash = mix(hash, key_of(top.state, top.below));
  const auto [first, last] = state_of_.equal_range(hash);
  for (auto known = first; known != last; ++known) {
    const State& state = states_[static_cast<size_t>(known->second)];
    if (state.bottom == bottom && state.tops == tops) return known->second;
  }
  int64_t distance = bottom ? 0 : INT64_MAX;
  for (const Top& top : tops)
    distance = std::min(distance, nfa_->distance(top.state) + entries_[static_cast<size_t>(top.below)].distance);
  n_bytes_ += sizeof(State) + tops.size() * sizeof(Top) + n_classes_ * sizeof(StateId) + 48;
  const auto id = static_cast<StateId>(states_.size());
  states_.push_back({std::move(tops), bottom, distance});
  state_of_.emplace(hash, id);
  steps_.resize(steps_.size() + n_classes_, id == kDead ? kDead : -1);
  return id;
}

// The deepest entry that lies under all tops.
int32_t Automaton::common_below(const std::vector<Top>& tops) const {
  const auto entry = [this](int32_t id) -> const Entry& { return entries_[static_cast<size_t>(id)]; };
  int32_t common = tops.front().below;
  for (const Top& top : tops) {
    int32_t other = top.below;
    while (common != other) {
      if (entry(common).depth >= entry(other).depth) {
        common = entry(common).below;
      } else {
        other = entry(other).below;
      }
    }
  }
  return common;
}

// The part of a stack above base, on the bottom.
int32_t Automaton::rebase(int32_t entry, int32_t base) {
  std::vector<int32_t> above;
  for (; entry != base; entry = entries_[static_cast<size_t>(entry)].below)
    above.push_back(entries_[static_cast<size_t>(entry)].state);
  int32_t out = 0;
  for (auto state = above.rbegin(); state != above.rend(); ++state) out = push(*state, out);
  return out;
}

Automaton::Split Automaton::split(StateId id) {
  const State& state = states_[static_cast<size_t>(id)];
  if (state.split.inner >= 0) return state.split;
  Split split = {id, kDead};
  const int32_t base = state.bottom || state.tops.empty() ? 0 : common_below(state.tops);
  if (base != 0) {
    std::vector<Top> tops = state.tops;
    for (Top& top : tops) top.below = rebase(top.below, base);
    std::sort(tops.begin(), tops.end(),
              [](const Top& a, const Top& b) { return key_of(a.state, a.below) < key_of(b.state, b.below); });
    split.inner = intern(std::move(tops), false);
    const Entry& entry = entries_[static_cast<size_t>(base)];
    work_ = {{entry.state, entry.below}};
    split.outer = close();
  }
  states_[static_cast<size_t>(id)].split = split;
  return split;
}

Automaton::StateId Automaton::forget(StateId id) {
  const State state = states_[static_cast<size_t>(id)];
  std::vector<std::vector<int32_t>> stacks;  // of each top, from its own state down
  for (const Top& top : state.tops) {
    stacks.push_back({top.state});
    for (int32_t entry = top.below; entry != 0; entry = entries_[static_cast<size_t>(entry)].below)
      stacks.back().push_back(entries_[static_cast<size_t>(entry)].state);
  }
  clear();
  work_ = {{nfa_->root_start(), 0}};
  start_ = close();
  std::vector<Top> tops;
  for (const std::vector<int32_t>& stack : stacks) {
    int32_t below = 0;
    for (size_t i = stack.size() - 1; i > 0; --i) below = push(stack[i], below);
    tops.push_back({stack.front(), below});
  }
  std::sort(tops.begin(), tops.end(),
            [](const Top& a, const Top& b) { return key_of(a.state, a.below) < key_of(b.state, b.below); });
  return intern(std::move(tops), state.bottom);
}

}  // namespace smelt
