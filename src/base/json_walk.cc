// walk_json: nlohmann's event parser behind JsonVisitor, with positions, a depth limit and a check for duplicate keys.
// The JSON of every model is read here.
#include "base/json_walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <new>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <vector>

#include "base/text.h"

namespace smelt {
namespace {

// Walks over the text and tells how far it came: the parser gives no position with its events.
class CountingIterator {
 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator() = default;
  CountingIterator(const char* at, const char** furthest) : at_(at), furthest_(furthest) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    ++at_;
    *furthest_ = at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator old = *this;
    ++*this;
    return old;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_ = nullptr;
  const char** furthest_ = nullptr;
};

std::string describe_position(const JsonSource& source, uint64_t offset) {
  if (source.byte_offset) return fmt::format("byte {}", *source.byte_offset + offset);
  const std::string_view before = source.text.substr(0, std::min<uint64_t>(offset, source.text.size()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const size_t line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return fmt::format("line {}:{}", line, before.size() - line_start + 1);
}

Error error_at(const JsonSource& source, uint64_t offset, const std::string& message) {
  return input_error(fmt::format("{}: {}{}: {}", escape_for_display(source.file_name, 4096),
                                 source.byte_offset ? "header at " : "", describe_position(source, offset), message));
}

// The parser's messages read "[json.exception.parse_error.101] parse error at line 1, column 5: syntax error while …":
// only what follows the last position is of use here.
std::string shorten(const std::string& message) {
  size_t from = message.find("] ");
  from = from == std::string::npos ? 0 : from + 2;
  const size_t colon = message.find(": ", from);
  if (message.compare(from, 14, "parse error at") == 0 && colon != std::string::npos) from = colon + 2;
  std::string shown = escape_for_display(std::string_view(message).substr(from), 240);
  // The parser quotes what it expected; those quotes need no escape here.
  for (size_t at = shown.find("\\'"); at != std::string::npos; at = shown.find("\\'", at)) shown.erase(at, 1);
  return shown;
}

class Handler : public nlohmann::json_sax<nlohmann::json> {
 public:
  Handler(const JsonSource& source, JsonVisitor& visitor)
      : source_(source), visitor_(visitor), furthest_(source.text.data()) {}

  bool null() override { return pass(visitor_.scalar({})); }
  bool boolean(bool value) override { return pass(visitor_.scalar(value)); }
  bool number_integer(number_integer_t value) override { return pass(visitor_.scalar(static_cast<int64_t>(value))); }
  bool number_unsigned(number_unsigned_t value) override { return pass(visitor_.scalar(static_cast<uint64_t>(value))); }
  bool number_float(number_float_t value, const string_t& /*text*/) override { return pass(visitor_.scalar(value)); }
  bool string(string_t& value) override { return pass(visitor_.scalar(std::move(value))); }
  bool binary(binary_t& /*value*/) override { return fail("binary data cannot be in JSON"); }

  bool start_object(std::size_t /*elements*/) override {
    keys_.emplace_back();
    return deeper() && pass(visitor_.begin_object());
  }
  bool end_object() override {
    keys_.pop_back();
    --depth_;
    return pass(visitor_.end_object());
  }
  bool start_array(std::size_t /*elements*/) override { return deeper() && pass(visitor_.begin_array()); }
  bool end_array() override {
    --depth_;
    return pass(visitor_.end_array());
  }

  bool key(string_t& name) override {
    const uint64_t offset = last_offset();
    const auto [earlier, inserted] = keys_.back().emplace(name, offset);
    if (!inserted) {
      return fail(fmt::format("key '{}' was already given at {}; remove one of them", escape_for_display(name),
                              describe_position(source_, earlier->second)));
    }
    return pass(visitor_.key(std::move(name), offset));
  }

  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::json::exception& error) override {
    const uint64_t offset = position == 0 ? 0 : position - 1;
    error_ = error_at(source_, offset, "not valid JSON: " + shorten(error.what()));
    return false;
  }

  const char** furthest() { return &furthest_; }
  Error take_error() { return std::move(error_); }

 private:
  uint64_t consumed() const { return static_cast<uint64_t>(furthest_ - source_.text.data()); }
  uint64_t last_offset() const { return consumed() == 0 ? 0 : consumed() - 1; }
  bool fail(const std::string& message) {
    error_ = error_at(source_, last_offset(), message);
    return false;
  }
  bool pass(Status status) { return status.has_value() || fail(status.error().message); }
  bool deeper() {
    return ++depth_ <= source_.max_depth || fail(fmt::format("nested deeper than {} levels", source_.max_depth));
  }

  const JsonSource& source_;
  JsonVisitor& visitor_;
  const char* furthest_;
  int depth_ = 0;
  std::vector<std::unordered_map<std::string, uint64_t>> keys_;  // of the open objects, with their positions
  Error error_;
};

}  // namespace

Status walk_json(const JsonSource& source, JsonVisitor& visitor) {
  if (source.text.starts_with("\xff\xfe") || source.text.starts_with("\xfe\xff")) {
    return error_at(source, 0, "not valid JSON: it is UTF-16 text; save it as UTF-8");
  }
  // The parser takes a NUL for the end and would ignore what follows.
  if (const size_t nul = source.text.find('\0'); nul != std::string_view::npos) {
    return error_at(source, nul, "not valid JSON: it contains a NUL character");
  }
  Handler handler(source, visitor);
  const char* begin = source.text.data();
  try {
    const CountingIterator first(begin, handler.furthest());
    const CountingIterator last(begin + source.text.size(), handler.furthest());
    if (nlohmann::json::sax_parse(first, last, &handler)) return {};
  } catch (const std::bad_alloc&) {
    throw;  // for the guards at the doors, which free everything first
  } catch (const std::exception& error) {
    return input_error(fmt::format("{}: cannot be read as JSON: {}", escape_for_display(source.file_name, 4096),
                                   shorten(error.what())));
  }
  return handler.take_error();
}

}  // namespace smelt
