// How parse_tokenizer_json is divided: one reader for each section of the file, one for each model. All errors name the
// field. Internal to this folder.
#pragma once

#include <string>
#include <vector>

#include "base/json_tree.h"
#include "tokenizers/vocab.h"

namespace smelt::tokenizer_json {

// "type" of a section ("ByteLevel").
Result<std::string> type_of(const JsonField& section);
// A pre_tokenizer, normalizer, decoder or post_processor with its sequences opened: the steps in order. member is the
// name under which a Sequence keeps them ("pretokenizers").
Result<std::vector<JsonField>> open_sequence(const std::optional<JsonField>& section, const char* member);

// Puts the tokens of {text: id} and then those of added_tokens at their ids, and fills small holes with unused tokens.
Status read_token_map(const JsonField& vocab_map, const JsonField& root, Vocab& vocab);
// The same for [[text, score], …].
Status read_token_scores(const JsonField& list, const JsonField& root, Vocab& vocab);
// The id of a token by its text.
Result<TokenId> find_token_id(const Vocab& vocab, const JsonField& field, const std::string& text);
// [["a", "b"], …] or ["a b", …].
Result<std::vector<std::pair<std::string, std::string>>> read_merges(const JsonField& model);

// Whether the tokens are spelled in letters for bytes.
Result<bool> has_byte_level(const JsonField& root);
Status read_byte_bpe(const JsonField& root, const JsonField& model, Vocab& vocab);
Status read_sentencepiece_bpe(const JsonField& root, const JsonField& model, Vocab& vocab);
Status read_unigram(const JsonField& root, const JsonField& model, Vocab& vocab);
Status read_wordpiece(const JsonField& root, const JsonField& model, Vocab& vocab);

// Options of BPE that no Vocab can say.
Status refuse_bpe_options(const JsonField& model);

// Which family of pre-tokenizers the pre_tokenizer section is.
Result<std::string> find_family(const JsonField& root);
// The regular expressions of a family; an error if there is none of that name.
Result<std::vector<std::string>> family_expressions(const std::string& family);
// What GPT-2's byte-level pre-tokenizer does without being told.
extern const char* const kGpt2Expression;

// Tokens that stand around a text: sets add_bos, add_eos and their ids.
Status read_post_processor(const JsonField& root, Vocab& vocab);

// Whether what was read back from the file written of `wanted` tokenizes as that; the error says what was lost.
Status check_same(const Vocab& wanted, const Vocab& read);

}  // namespace smelt::tokenizer_json
