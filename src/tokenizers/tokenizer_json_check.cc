// check_same: whether a tokenizer.json that was written says what it should. A Vocab can hold more than such a file (a
// unigram vocabulary with unused tokens, a WordPiece one without an unknown token, …), and what it loses is found here
// by reading it back. Not compared: scores that tie, of which merges by rank take the same one always and SentencePiece
// the leftmost; Llama 2 has such for runs of spaces, and converters everywhere write them like this.
#include <fmt/format.h>

#include "base/text.h"
#include "tokenizers/tokenizer_json_parts.h"

namespace smelt::tokenizer_json {
namespace {

// Types between which the engine of this model makes no difference.
TokenType class_of(TokenType type, TokenizerModel model) {
  if (type == TokenType::unknown) return TokenType::control;
  return type == TokenType::unused && model != TokenizerModel::unigram ? TokenType::normal : type;
}

Status check_tokens(const Vocab& wanted, const Vocab& read) {
  if (wanted.model != read.model) return input_error("it would be read as another kind of tokenizer");
  if (wanted.tokens.size() != read.tokens.size()) return input_error("the number of tokens would change");
  for (size_t i = 0; i < wanted.tokens.size(); ++i) {
    const Token& a = wanted.tokens[i];
    const Token& b = read.tokens[i];
    const bool scored = wanted.model == TokenizerModel::unigram && a.type == TokenType::normal;
    const bool same_flags = a.strips_left == b.strips_left && a.strips_right == b.strips_right &&
                            a.single_word == b.single_word && a.normalized == b.normalized;
    if (a.text == b.text && same_flags && class_of(a.type, wanted.model) == class_of(b.type, wanted.model) &&
        (!scored || a.score == b.score)) {
      continue;
    }
    return input_error(fmt::format("token {}, '{}', would be read as another", i, escape_for_display(a.text)));
  }
  return {};
}

Status check_flags(const Vocab& wanted, const Vocab& read) {
  const bool sentencepiece =
      wanted.model == TokenizerModel::sentencepiece_bpe || wanted.model == TokenizerModel::unigram;
  const struct {
    const char* name;
    bool differ;
  } flags[] = {
      {"the unknown token", wanted.unknown != read.unknown},
      {"the token in front of texts", wanted.add_bos != read.add_bos || (wanted.add_bos && wanted.bos != read.bos)},
      {"the token behind texts", wanted.add_eos != read.add_eos || (wanted.add_eos && wanted.eos != read.eos)},
      {"the space in front", sentencepiece && (wanted.add_space_prefix != read.add_space_prefix ||
                                               wanted.single_space_prefix != read.single_space_prefix ||
                                               wanted.space_prefix_once != read.space_prefix_once)},
      {"the removal of spaces", sentencepiece && wanted.remove_extra_whitespaces != read.remove_extra_whitespaces},
      {"the table of replacements", sentencepiece && wanted.precompiled_charsmap != read.precompiled_charsmap},
      {"lower case", wanted.model == TokenizerModel::wordpiece && wanted.lowercase != read.lowercase},
      {"whole words first", wanted.ignore_merges != read.ignore_merges},
      {"the normal form", wanted.nfc != read.nfc},
  };
  for (const auto& [name, differ] : flags) {
    if (differ) return input_error(fmt::format("{} would be lost", name));
  }
  return {};
}

Status check_merges(const Vocab& wanted, const Vocab& read) {
  if (wanted.model != TokenizerModel::byte_bpe) return {};
  if (wanted.merges != read.merges) return input_error("merges would be lost");
  SMELT_ASSIGN(const auto expressions, family_expressions(read.pre_tokenizer));
  SMELT_ASSIGN(const auto others, family_expressions(wanted.pre_tokenizer.empty() ? "default" : wanted.pre_tokenizer));
  if (expressions != others) return input_error("the pre-tokenizer would be lost");
  return {};
}

}  // namespace

Status check_same(const Vocab& wanted, const Vocab& read) {
  SMELT_TRY(check_tokens(wanted, read));
  SMELT_TRY(check_flags(wanted, read));
  return check_merges(wanted, read);
}

}  // namespace smelt::tokenizer_json
