// What BERT does to text before its words are looked up. Used by the wordpiece engine.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace smelt {

// Cuts at whitespace, and at every punctuation mark and CJK character, which are words of their own. Control characters
// and bytes that are no UTF-8 vanish. lowercase: also lower case and no accents, as for uncased models.
std::vector<std::string> split_bert_words(std::string_view text, bool lowercase);

}  // namespace smelt
