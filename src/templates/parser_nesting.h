// How deep a template may nest while it is parsed. Included by the parser's two files.
#pragma once

#include "templates/parser.h"

namespace smelt::jinja {

inline constexpr int kMaxNesting = 120;

struct Parser::Nesting {
  explicit Nesting(Parser& owner) : parser(owner) { ++parser.nesting_; }
  ~Nesting() { --parser.nesting_; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;
  Status check() const {
    if (parser.nesting_ <= kMaxNesting) return {};
    return parser.error("nests too deep (depth limit)");
  }
  Parser& parser;
};

}  // namespace smelt::jinja
