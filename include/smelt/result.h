// Result<T>: a value or an Error. Everything that input, files, network or memory can cause is returned as one of
// these; no exception crosses the library's surface. The names are those of std::expected (C++23), so that it can
// replace this file one day. Standard library only: this header is both the public one and the one all floors use.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <utility>
#include <variant>

namespace smelt {

enum class ErrorKind {
  input,      // a file, a model, a text, or the machine's limits: exit code 1
  usage,      // the caller asked for something that does not exist: exit code 2
  cancelled,  // the user interrupted: exit code 130
};

// One line for the user: what is wrong and what to do, without the leading "smelt: ". Context (file, tensor, field,
// offset) is put in front on the way up by with_context.
struct Error {
  ErrorKind kind = ErrorKind::input;
  std::string message;

  Error with_context(const std::string& where) && {
    message.insert(0, where + ": ");
    return std::move(*this);
  }
};

inline Error input_error(std::string message) { return {ErrorKind::input, std::move(message)}; }
inline Error usage_error(std::string message) { return {ErrorKind::usage, std::move(message)}; }
inline Error cancelled_error() { return {ErrorKind::cancelled, "interrupted"}; }

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  // Unless has_value(), the calling code is broken and the program aborts.
  T& value() & { return checked<0>(state_); }
  const T& value() const& { return checked<0>(state_); }
  T&& value() && { return std::move(checked<0>(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // The other way round.
  Error& error() & { return checked<1>(state_); }
  const Error& error() const& { return checked<1>(state_); }
  Error&& error() && { return std::move(checked<1>(state_)); }

  // Puts "where: " in front of the error message, if there is one.
  Result with_context(const std::string& where) && {
    if (!has_value()) error().message.insert(0, where + ": ");
    return std::move(*this);
  }

 private:
  template <std::size_t index, class State>
  static auto& checked(State& state) {
    auto* held = std::get_if<index>(&state);
    if (held == nullptr) std::abort();
    return *held;
  }
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() = default;
  Result(Error error) : error_(std::move(error)), ok_(false) {}  // NOLINT(google-explicit-constructor)

  bool has_value() const { return ok_; }
  explicit operator bool() const { return ok_; }
  Error& error() & { return assert(!ok_), error_; }
  const Error& error() const& { return assert(!ok_), error_; }
  Error&& error() && { return assert(!ok_), std::move(error_); }

  Result with_context(const std::string& where) && {
    if (!ok_) error_.message.insert(0, where + ": ");
    return std::move(*this);
  }

 private:
  Error error_;
  bool ok_ = true;
};

using Status = Result<void>;

}  // namespace smelt
