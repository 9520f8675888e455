// A grammar compiled to bytes: for each rule a nondeterministic automaton whose steps read a byte, call another rule or
// cost nothing. automaton.h runs it. From every state that is left, the rule's end can be reached.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "grammar/grammar.h"

namespace smelt {

struct ByteEdge {
  uint8_t first, last;
  int32_t to;
};

struct CallEdge {
  RuleId rule;
  int32_t to;
};

class Nfa {
 public:
  // Refuses left recursion by the rule's name, grammars that match no text, and those with too many states.
  static Result<Nfa> compile(const Grammar& grammar);

  std::span<const ByteEdge> bytes(int32_t state) const { return slice(bytes_, state); }
  std::span<const CallEdge> calls(int32_t state) const { return slice(calls_, state); }
  std::span<const int32_t> jumps(int32_t state) const { return slice(jumps_, state); }
  bool is_end(int32_t state) const { return ends_[static_cast<size_t>(state)] == kEnd; }
  // A call that goes on here ends the caller as well: nothing needs to be remembered.
  bool only_ends(int32_t state) const { return only_ends_[static_cast<size_t>(state)]; }
  int32_t start(RuleId rule) const { return starts_[static_cast<size_t>(rule)]; }
  int32_t root_start() const { return start(root_); }
  int64_t distance(int32_t state) const { return distances_[static_cast<size_t>(state)]; }  // bytes to the rule's end
  size_t n_states() const { return ends_.size(); }
  // Bytes of one class are alike in every state.
  int n_classes() const { return n_classes_; }
  const std::array<uint8_t, 256>& class_of() const { return class_of_; }
  uint8_t byte_of_class(int index) const { return byte_of_class_[static_cast<size_t>(index)]; }

 private:
  friend class NfaBuilder;
  static constexpr uint8_t kEnd = 1;

  template <class T>
  struct Lists {
    std::vector<uint32_t> begins;  // of each state, and the end
    std::vector<T> values;
  };
  template <class T>
  static std::span<const T> slice(const Lists<T>& lists, int32_t state) {
    const auto at = static_cast<size_t>(state);
    return std::span<const T>(lists.values).subspan(lists.begins[at], lists.begins[at + 1] - lists.begins[at]);
  }

  void set_classes();

  Lists<ByteEdge> bytes_;
  Lists<CallEdge> calls_;
  Lists<int32_t> jumps_;
  std::vector<uint8_t> ends_;
  std::vector<bool> only_ends_;
  std::vector<int32_t> starts_;
  std::vector<int64_t> distances_;
  RuleId root_ = 0;
  int n_classes_ = 0;
  std::array<uint8_t, 256> class_of_ = {};
  std::array<uint8_t, 256> byte_of_class_ = {};
};

}  // namespace smelt
