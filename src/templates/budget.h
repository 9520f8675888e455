// What a template may use while it is rendered: steps (time), bytes held by its values, and depth (stack). Everything
// that the interpreter does is charged here before it is done, so that a template from strangers ends in an error.
#pragma once

#include <cstdint>
#include <utility>

#include "base/result.h"

namespace smelt::jinja {

struct Limits {
  uint64_t steps = 3'000'000;
  uint64_t bytes = uint64_t{24} << 20;  // live; a byte of text counts two, for its mark
  int depth = 500;                      // nested expressions, statements and macro calls together
};

class Budget {
 public:
  explicit Budget(const Limits& limits) : limits_(limits) {}
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  Status step(uint64_t n = 1) {
    steps_ += n;
    if (steps_ <= limits_.steps) return {};
    return input_error("the template runs too long (step limit); it loops far more than chat templates do");
  }
  Status hold(uint64_t bytes) {
    if (bytes > limits_.bytes || held_ > limits_.bytes - bytes)
      return input_error("the template needs too much memory (memory limit); no chat template builds texts that long");
    held_ += bytes;
    return {};
  }
  void release(uint64_t bytes) { held_ -= bytes; }
  Status enter() {
    if (++depth_ <= limits_.depth) return {};
    return input_error("the template nests too deep (depth limit)");
  }
  void leave() { --depth_; }

 private:
  Limits limits_;
  uint64_t steps_ = 0;
  uint64_t held_ = 0;
  int depth_ = 0;
};

// One level of nesting, left again at the end of the block. ok() is looked at first.
class Level {
 public:
  explicit Level(Budget& budget) : budget_(budget), entered_(budget.enter()) {}
  ~Level() { budget_.leave(); }
  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;
  const Status& entered() const { return entered_; }

 private:
  Budget& budget_;
  Status entered_;
};

// Bytes that a value holds, given back with it. Values of the caller hold nothing of a budget.
class Charge {
 public:
  Charge() = default;
  Charge(Budget* budget, uint64_t bytes) : budget_(budget), bytes_(bytes) {}  // held already
  Charge(Charge&& other) noexcept : budget_(std::exchange(other.budget_, nullptr)), bytes_(other.bytes_) {}
  Charge& operator=(Charge&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Charge() {
    if (budget_ != nullptr) budget_->release(bytes_);
  }

 private:
  Budget* budget_ = nullptr;
  uint64_t bytes_ = 0;
};

}  // namespace smelt::jinja
