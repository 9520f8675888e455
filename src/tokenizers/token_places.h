// Where the tokens of a text stand in it: for labels of tokens. Called by runtime/classifier.cc.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "tokenizers/tokenizer.h"

namespace smelt {

// Bytes [begin, end) of a text.
struct TokenPlace {
  size_t begin = 0, end = 0;
};

// One place for each of the ids that encode(text) gave. White space in front of a token is no part of its place;
// control tokens have empty ones. Where a tokenizer changes its text (lower case, no accents), characters are compared
// as changed; an unknown token is taken for a word.
std::vector<TokenPlace> locate_tokens(const Tokenizer& tokenizer, std::string_view text, std::span<const TokenId> ids);

}  // namespace smelt
