// The names under which GGUF metadata keeps a tokenizer. The smelt.* keys hold what GGUF has no key for and are written
// only where they differ from what the others imply. Used by gguf_vocab.cc and
// gguf_vocab_writer.cc.
#pragma once

#include <string_view>

#include "tokenizers/vocab.h"

namespace smelt::vocab_keys {

inline constexpr const char* kModel = "tokenizer.ggml.model";
inline constexpr const char* kPre = "tokenizer.ggml.pre";
inline constexpr const char* kTokens = "tokenizer.ggml.tokens";
inline constexpr const char* kScores = "tokenizer.ggml.scores";
inline constexpr const char* kTypes = "tokenizer.ggml.token_type";
inline constexpr const char* kMerges = "tokenizer.ggml.merges";
inline constexpr const char* kAddBos = "tokenizer.ggml.add_bos_token";
inline constexpr const char* kAddEos = "tokenizer.ggml.add_eos_token";
inline constexpr const char* kAddSeparator = "tokenizer.ggml.add_sep_token";
inline constexpr const char* kAddSpacePrefix = "tokenizer.ggml.add_space_prefix";
inline constexpr const char* kRemoveExtraWhitespaces = "tokenizer.ggml.remove_extra_whitespaces";
inline constexpr const char* kCharsmap = "tokenizer.ggml.precompiled_charsmap";
inline constexpr const char* kChatTemplate = "tokenizer.chat_template";
inline constexpr const char* kEscapeWhitespaces = "smelt.tokenizer.escape_whitespaces";
inline constexpr const char* kIgnoreMerges = "smelt.tokenizer.ignore_merges";
inline constexpr const char* kLowercase = "smelt.tokenizer.lowercase";
inline constexpr const char* kSingleSpacePrefix = "smelt.tokenizer.single_space_prefix";
inline constexpr const char* kSpacePrefixOnce = "smelt.tokenizer.space_prefix_once";
inline constexpr const char* kNfc = "smelt.tokenizer.nfc";
// Pairs of an id and the sum of 1 (strips left), 2 (strips right), 4 (single word) and 8 (normalized).
inline constexpr const char* kTokenFlags = "smelt.tokenizer.token_flags";

struct ModelName {
  TokenizerModel model;
  const char* name;
};
inline constexpr ModelName kModelNames[] = {{TokenizerModel::sentencepiece_bpe, "llama"},
                                            {TokenizerModel::byte_bpe, "gpt2"},
                                            {TokenizerModel::wordpiece, "bert"},
                                            {TokenizerModel::unigram, "t5"}};

struct IdKey {
  const char* key;
  std::optional<TokenId> Vocab::*field;
};
// "seperator" is how GGUF spells it.
inline constexpr IdKey kIdKeys[] = {{"tokenizer.ggml.bos_token_id", &Vocab::bos},
                                    {"tokenizer.ggml.eos_token_id", &Vocab::eos},
                                    {"tokenizer.ggml.eot_token_id", &Vocab::eot},
                                    {"tokenizer.ggml.unknown_token_id", &Vocab::unknown},
                                    {"tokenizer.ggml.seperator_token_id", &Vocab::separator},
                                    {"tokenizer.ggml.padding_token_id", &Vocab::padding},
                                    {"tokenizer.ggml.mask_token_id", &Vocab::mask},
                                    {"tokenizer.ggml.fim_pre_token_id", &Vocab::fim_prefix},
                                    {"tokenizer.ggml.fim_suf_token_id", &Vocab::fim_suffix},
                                    {"tokenizer.ggml.fim_mid_token_id", &Vocab::fim_middle},
                                    {"tokenizer.ggml.fim_pad_token_id", &Vocab::fim_pad},
                                    {"tokenizer.ggml.fim_rep_token_id", &Vocab::fim_repository},
                                    {"tokenizer.ggml.fim_sep_token_id", &Vocab::fim_separator}};
inline constexpr const char* kClsId = "tokenizer.ggml.cls_token_id";

inline constexpr uint32_t kNoToken = 0xFFFFFFFF;  // an id key with this value says "none"

// A vocabulary without tokens that has what applies where a file of this model lacks the keys. Ids may lie outside the
// vocabulary then; those do not count.
Vocab gguf_default_vocab(TokenizerModel model);
// Whether files of this pre-tokenizer family take a whole word before merging (GGUF has no key that says so), and begin
// with BOS where no key says.
bool family_ignores_merges(std::string_view pre_tokenizer);

}  // namespace smelt::vocab_keys
