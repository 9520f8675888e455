// Masks: walks over the vocabulary, and what is kept of them.
#include "grammar/constraint.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "base/text.h"
#include "grammar/byte_kinds.h"

namespace smelt {
namespace {

constexpr size_t kMaxEntryBytes = size_t{16} << 20;
constexpr int64_t kNoLimit = INT64_MAX;

}  // namespace

Constraint::Constraint(std::shared_ptr<const Nfa> nfa, std::shared_ptr<const TokenTrie> trie)
    : nfa_(std::move(nfa)), trie_(std::move(trie)), automaton_(nfa_), state_(automaton_.start()) {
  bits_.resize((static_cast<size_t>(trie_->n_vocab()) + 63) / 64);
  path_.resize(static_cast<size_t>(trie_->max_depth()) + 1);
  path_runs_.resize(path_.size());
  set_tokens(0, static_cast<uint32_t>(trie_->in_order().size()), true);
  all_ = bits_;
}

void Constraint::begin(bool at_start) {
  state_ = automaton_.start();
  after_prefix_ = at_start && trie_->tokenizer().adds_space_prefix();
}

// Tokens by their places in the trie's order.
void Constraint::set_tokens(uint32_t begin, uint32_t end, bool allowed) {
  const std::vector<TokenId>& tokens = trie_->in_order();
  for (uint32_t i = begin; i < end; ++i) {
    uint64_t& word = bits_[static_cast<size_t>(tokens[i]) / 64];
    const uint64_t bit = uint64_t{1} << (static_cast<size_t>(tokens[i]) % 64);
    word = allowed ? word | bit : word & ~bit;
  }
}

// All tokens below a node at once, if its parent's state takes all their bytes.
bool Constraint::allow_subtree(uint32_t node, Walk& walk) {
  const TokenTrie::Below& below = trie_->below(node);
  const TokenTrie::Node& top = trie_->nodes()[node];
  const ByteRun& run = path_runs_[top.depth - 1U];
  if ((below.kinds & ~run.kinds) != 0 || below.height > static_cast<uint32_t>(run.room) ||
      run.distance > walk.most_distance)
    return false;
  if (!walk.clears) set_tokens(below.first_token, trie_->below(top.end).first_token, true);
  walk.distance = std::max(walk.distance, run.distance);
  return true;
}

void Constraint::judge_token(uint32_t node, Automaton::StateId state, Walk& walk) {
  const TokenTrie::Node& at = trie_->nodes()[node];
  const int64_t distance = automaton_.distance(state);
  const bool allowed = distance <= walk.most_distance;
  if (allowed) walk.distance = std::max(walk.distance, distance);
  if (allowed == walk.clears) return;
  const uint32_t first = trie_->below(node).first_token;
  // Those of the same text stand before what is below.
  const uint32_t end = at.has_twins ? trie_->below(at.has_below ? node + 1 : at.end).first_token : first + 1;
  set_tokens(first, end, allowed);
}

void Constraint::walk(Automaton::StateId state, uint32_t begin, uint32_t end, Walk& walk) {
  if (begin == end) return;
  const std::vector<TokenTrie::Node>& nodes = trie_->nodes();
  path_[nodes[begin].depth - 1U] = state;
  path_runs_[nodes[begin].depth - 1U] = runs_.of(automaton_, state);
  for (uint32_t i = begin; i < end;) {
    const TokenTrie::Node& node = nodes[i];
    const Automaton::StateId before = path_[node.depth - 1U];
    const bool hidden = walk.at_start && node.depth == 1 && node.byte == ' ';
    if (node.has_below && !hidden && allow_subtree(i, walk)) {
      i = node.end;
      continue;
    }
    const Automaton::StateId next = hidden ? before : automaton_.step(before, node.byte);
    if (next == Automaton::kDead) {
      if (walk.clears) set_tokens(trie_->below(i).first_token, trie_->below(node.end).first_token, false);
      i = node.end;
      continue;
    }
    if (node.token >= 0) judge_token(i, next, walk);
    if (node.has_below) {
      path_[node.depth] = next;
      path_runs_[node.depth] = next == before ? path_runs_[node.depth - 1U] : runs_.of(automaton_, next);
      if (walk.exits != nullptr && automaton_.reaches_bottom(next)) walk.exits->push_back(i);
    }
    ++i;
  }
}

// A state that takes letters of all kinds most probably allows more tokens than it does not.
void Constraint::walk_all(Automaton::StateId state, Walk& walk_state) {
  constexpr int kManyKinds = kByteKinds / 2;
  walk_state.clears = std::popcount(runs_.of(automaton_, state).kinds) > kManyKinds;
  if (walk_state.clears) {
    bits_ = all_;
  } else {
    std::fill(bits_.begin(), bits_.end(), 0);
  }
  walk(state, 0, static_cast<uint32_t>(trie_->nodes().size()), walk_state);
}

// Few tokens are kept one by one, many as bits.
Constraint::Entry Constraint::pack(std::vector<uint32_t> exits, int64_t distance) const {
  Entry entry{.few = {}, .many = {}, .exits = std::move(exits), .distance = distance};
  size_t count = 0;
  for (const uint64_t word : bits_) count += static_cast<size_t>(std::popcount(word));
  if (count * 2 >= bits_.size()) {
    entry.many = bits_;
    return entry;
  }
  entry.few.reserve(count);
  for (size_t i = 0; i < bits_.size(); ++i) {
    for (uint64_t word = bits_[i]; word != 0; word &= word - 1)
      entry.few.push_back(static_cast<TokenId>(i * 64 + static_cast<size_t>(std::countr_zero(word))));
  }
  return entry;
}

void Constraint::apply(const Entry& entry) {
  for (const TokenId id : entry.few)
    bits_[static_cast<size_t>(id) / 64] |= uint64_t{1} << (static_cast<size_t>(id) % 64);
  for (size_t i = 0; i < entry.many.size(); ++i) bits_[i] |= entry.many[i];
}

Constraint::Entry& Constraint::entry_of(Automaton::StateId inner) {
  const auto known = inner_entries_.find(inner);
  if (known != inner_entries_.end()) return known->second;
  std::vector<uint32_t> exits;
  Walk found{.most_distance = kNoLimit, .exits = &exits};
  walk_all(inner, found);
  Entry entry = pack(std::move(exits), found.distance);
  n_entry_bytes_ += sizeof(Entry) + entry.few.size() * 4 + entry.many.size() * 8 + entry.exits.size() * 4 + 64;
  return inner_entries_.emplace(inner, std::move(entry)).first->second;
}

// The mask of the state at hand without regard to how many tokens are left.
const Constraint::Entry& Constraint::full_entry() {
  const auto known = full_entries_.find(state_);
  if (known != full_entries_.end()) return known->second;
  const Automaton::Split split = automaton_.split(state_);
  const Entry& inner = entry_of(split.inner);
  if (split.outer == Automaton::kDead) return inner;
  std::fill(bits_.begin(), bits_.end(), 0);
  apply(inner);
  Walk found{.most_distance = kNoLimit, .distance = inner.distance + automaton_.distance(split.outer)};
  for (const uint32_t exit : inner.exits) walk(split.outer, exit + 1, trie_->nodes()[exit].end, found);
  Entry entry = pack({}, found.distance);
  n_entry_bytes_ += sizeof(Entry) + entry.few.size() * 4 + entry.many.size() * 8 + 64;
  return full_entries_.emplace(state_, std::move(entry)).first->second;
}

void Constraint::forget_entries() {
  inner_entries_.clear();
  full_entries_.clear();
  n_entry_bytes_ = 0;
}

void Constraint::make_room() {
  if (automaton_.large()) {
    state_ = automaton_.forget(state_);
    runs_.clear();
    forget_entries();
  }
  if (n_entry_bytes_ > kMaxEntryBytes) forget_entries();
}

Status Constraint::check_budget() const {
  if (!automaton_.overflown()) return {};
  return input_error(
      "the constraint is too ambiguous: too many ways to read the text written so far must be followed at once; "
      "write the grammar so that fewer alternatives begin alike");
}

bool Constraint::any() const {
  return std::any_of(bits_.begin(), bits_.end(), [](uint64_t word) { return word != 0; });
}

Result<std::span<const uint64_t>> Constraint::mask(int64_t n_left) {
  make_room();
  // One byte is one token at worst, and a token that brings the end one byte nearer is always fair.
  const int64_t most = n_left < 0 ? kNoLimit : std::max(n_left - 1, automaton_.distance(state_) - 1);
  bool done = false;
  if (!after_prefix_) {
    const Entry& entry = full_entry();
    SMELT_TRY(check_budget());
    done = entry.distance <= most;
    std::fill(bits_.begin(), bits_.end(), 0);
    apply(entry);
  }
  if (!done) {
    Walk found{.most_distance = most, .at_start = after_prefix_};
    walk_all(state_, found);
    SMELT_TRY(check_budget());
    if (!any() && !may_end()) {  // a vocabulary without a token for some byte: better late than not at all
      found.most_distance = kNoLimit;
      walk_all(state_, found);
      SMELT_TRY(check_budget());
    }
  }
  if (may_end()) {
    for (const TokenId id : trie_->tokenizer().vocab().eos_all)
      bits_[static_cast<size_t>(id) / 64] |= uint64_t{1} << (static_cast<size_t>(id) % 64);
  }
  if (!any()) return input_error("no token of the vocabulary goes on as the constraint wants");
  return std::span<const uint64_t>(bits_);
}

Status Constraint::accept(TokenId id) {
  for (const char c : trie_->tokenizer().next_bytes(id, false, after_prefix_))
    state_ = automaton_.step(state_, static_cast<uint8_t>(c));
  SMELT_TRY(check_budget());
  if (state_ != Automaton::kDead) return {};
  return input_error(fmt::format("token {} does not go on as the constraint wants", id));
}

}  // namespace smelt
