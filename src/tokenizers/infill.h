// Fill in the middle: a prompt of what stands before and behind a gap, for models trained to fill it. Called by
// `smelt complete`.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "tokenizers/tokenizer.h"

namespace smelt {

// The begin token where the vocabulary asks for one, then PREFIX-mark prefix SUFFIX-mark suffix MIDDLE-mark, the order
// in which CodeLlama, StarCoder 2, Qwen 2.5 Coder, DeepSeek-Coder and Granite publish it. Both texts are plain: what
// spells a mark stays text. A vocabulary without the three marks is an error that says so. Method: Bavarian et al. 2022
// (arXiv:2207.14255), mode PSM.
Result<std::vector<TokenId>> encode_infill(const Tokenizer& tokenizer, std::string_view prefix,
                                           std::string_view suffix);

}  // namespace smelt
