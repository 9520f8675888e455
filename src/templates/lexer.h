// Cuts a template into text and tokens, with Jinja's rules of white space as chat templates are set up: the newline
// behind a block is dropped (trim_blocks), blanks in front of a block that begins its line too (lstrip_blocks), and "-"
// strips.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace smelt::jinja {

enum class TokenKind : uint8_t {
  text,         // between tags
  block_begin,  // {%
  block_end,
  print_begin,  // {{
  print_end,
  name,
  string,
  integer,
  real,
  symbol,  // + - // == …
  end,
};

struct TemplateToken {
  TokenKind kind;
  std::string text;  // of strings: decoded
  int line = 0;
};

// Ends with a token `end`. Errors name the line.
Result<std::vector<TemplateToken>> cut_template(std::string_view source);

}  // namespace smelt::jinja
