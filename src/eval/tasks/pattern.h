// Regular expressions of task definitions (PCRE2), with limits on the work of a match.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace smelt {

class Pattern {
 public:
  // `.` matches newlines too; `^` and `$` match at lines. Errors give the position.
  static Result<Pattern> compile(const std::string& pattern);
  enum class Which : uint8_t { first, last };
  // The first group of the first or last match that has one, the whole match where the pattern has no groups. Nothing
  // where none matches, or where the search takes too long.
  std::optional<std::string> find(std::string_view text, Which which) const;

 private:
  struct Compiled;
  explicit Pattern(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace smelt
