// parse_gguf_vocab: the tokenizer.ggml.* keys of a GGUF file, with the defaults that apply where keys are missing.
#include <fmt/format.h>

#include <cmath>
#include <string>

#include "base/text.h"
#include "tokenizers/byte_token.h"
#include "tokenizers/vocab.h"
#include "tokenizers/vocab_keys.h"

namespace smelt {
namespace {

using namespace vocab_keys;

Result<TokenizerModel> read_model(const Metadata& metadata) {
  SMELT_ASSIGN(const std::string name, metadata.get_string(kModel));
  for (const ModelName& known : kModelNames) {
    if (name == known.name) return known.model;
  }
  return input_error(fmt::format("{} is '{}'; tokenizers supported are llama, gpt2, bert and t5",
                                 metadata.title(kModel), escape_for_display(name)));
}

Error wrong_count(const Metadata& metadata, const char* key, size_t n_values, size_t n_tokens) {
  return input_error(fmt::format("{} has {} values, but '{}' has {}; the file is damaged", metadata.title(key),
                                 n_values, kTokens, n_tokens));
}

Status read_tokens(const Metadata& metadata, Vocab& vocab) {
  SMELT_ASSIGN(const std::vector<std::string>* texts, metadata.find_strings(kTokens));
  if (texts == nullptr || texts->empty()) {
    return input_error(fmt::format("{} is missing or empty; the file has no vocabulary", metadata.title(kTokens)));
  }
  if (texts->size() > size_t{INT32_MAX}) return input_error(metadata.title(kTokens) + " has too many values");
  vocab.tokens.reserve(texts->size());
  for (const std::string& text : *texts) vocab.tokens.push_back({text, 0, TokenType::normal});
  return {};
}

Status read_scores(const Metadata& metadata, Vocab& vocab) {
  SMELT_ASSIGN(const auto scores, metadata.find_floats(kScores));
  const bool needed = vocab.model == TokenizerModel::sentencepiece_bpe || vocab.model == TokenizerModel::unigram;
  if (!scores) {
    if (!needed) return {};
    return input_error(fmt::format("key '{}' is missing; without it this tokenizer cannot choose its tokens", kScores));
  }
  if (scores->size() != vocab.tokens.size()) return wrong_count(metadata, kScores, scores->size(), vocab.tokens.size());
  for (size_t i = 0; i < scores->size(); ++i) {
    const auto score = static_cast<float>((*scores)[i]);
    if (!std::isfinite(score)) {
      return input_error(fmt::format("{}: value {} is not a finite number", metadata.title(kScores), i));
    }
    vocab.tokens[i].score = score;
  }
  return {};
}

// Files without types: what the texts tell.
void guess_types(Vocab& vocab) {
  if (vocab.model != TokenizerModel::sentencepiece_bpe && vocab.model != TokenizerModel::unigram) return;
  for (Token& token : vocab.tokens) {
    if (byte_of_token(token.text)) token.type = TokenType::byte;
  }
}

Status read_types(const Metadata& metadata, Vocab& vocab) {
  SMELT_ASSIGN(const auto types, metadata.find_ints(kTypes));
  if (!types) {
    guess_types(vocab);
    return {};
  }
  if (types->size() != vocab.tokens.size()) return wrong_count(metadata, kTypes, types->size(), vocab.tokens.size());
  for (size_t i = 0; i < types->size(); ++i) {
    const int64_t type = (*types)[i];
    if (type < 0 || type > 6) {
      return input_error(fmt::format("{}: value {} is {}, allowed 0 … 6", metadata.title(kTypes), i, type));
    }
    vocab.tokens[i].type = type == 0 ? TokenType::normal : static_cast<TokenType>(type);
    if (vocab.tokens[i].type == TokenType::byte && !byte_of_token(vocab.tokens[i].text)) {
      return input_error(fmt::format("{}: token {} is of type byte, but its text '{}' is not of the form <0x0A>",
                                     metadata.title(kTypes), i, escape_for_display(vocab.tokens[i].text)));
    }
  }
  return {};
}

Status read_merges(const Metadata& metadata, Vocab& vocab) {
  if (vocab.model != TokenizerModel::byte_bpe) return {};
  SMELT_ASSIGN(const std::vector<std::string>* merges, metadata.find_strings(kMerges));
  if (merges == nullptr) {
    return input_error(fmt::format("key '{}' is missing; tokenizer 'gpt2' needs it", kMerges));
  }
  vocab.merges.reserve(merges->size());
  for (size_t i = 0; i < merges->size(); ++i) {
    const std::string& merge = (*merges)[i];
    const size_t space = merge.find(' ', 1);
    if (space == std::string::npos || space + 1 == merge.size()) {
      return input_error(fmt::format("{}: value {} is '{}', must be two tokens with a space between",
                                     metadata.title(kMerges), i, escape_for_display(merge)));
    }
    vocab.merges.emplace_back(merge.substr(0, space), merge.substr(space + 1));
  }
  return {};
}

Status read_id(const Metadata& metadata, const char* key, const Vocab& vocab, std::optional<TokenId>& field) {
  const size_t n_tokens = vocab.tokens.size();
  if (field && static_cast<size_t>(*field) >= n_tokens)
    field.reset();  // a default that this vocabulary is too small for
  const MetaValue* value = metadata.find(key);
  if (value == nullptr) return {};
  if (const auto* number = std::get_if<int64_t>(&value->value); number != nullptr && *number == -1) {
    field.reset();
    return {};
  }
  SMELT_ASSIGN(const uint64_t id, metadata.get_uint(key));
  if (id == kNoToken) {
    field.reset();
    return {};
  }
  if (id >= n_tokens)
    return input_error(fmt::format("{} is {}, allowed 0 … {}", metadata.title(key), id, n_tokens - 1));
  field = static_cast<TokenId>(id);
  return {};
}

Status read_ids(const Metadata& metadata, Vocab& vocab) {
  SMELT_TRY(read_id(metadata, kClsId, vocab, vocab.bos));
  for (const IdKey& id : kIdKeys) SMELT_TRY(read_id(metadata, id.key, vocab, vocab.*id.field));
  if (vocab.model == TokenizerModel::wordpiece && !vocab.eos) vocab.eos = vocab.separator;
  return {};
}

Status read_flag(const Metadata& metadata, const char* key, bool& flag) {
  SMELT_ASSIGN(const auto value, metadata.find_bool(key));
  flag = value.value_or(flag);
  return {};
}

Status read_flags(const Metadata& metadata, Vocab& vocab) {
  if (vocab.model == TokenizerModel::byte_bpe) {
    SMELT_ASSIGN(const auto pre, metadata.find_string(kPre));
    vocab.pre_tokenizer = pre.value_or("default");
    vocab.ignore_merges = family_ignores_merges(vocab.pre_tokenizer);
    vocab.add_bos = vocab.ignore_merges;
  }
  const char* end_key = vocab.model == TokenizerModel::wordpiece ? kAddSeparator : kAddEos;
  SMELT_TRY(read_flag(metadata, kAddBos, vocab.add_bos));
  SMELT_TRY(read_flag(metadata, end_key, vocab.add_eos));
  SMELT_TRY(read_flag(metadata, kAddSpacePrefix, vocab.add_space_prefix));
  SMELT_TRY(read_flag(metadata, kRemoveExtraWhitespaces, vocab.remove_extra_whitespaces));
  SMELT_TRY(read_flag(metadata, kEscapeWhitespaces, vocab.escape_whitespaces));
  SMELT_TRY(read_flag(metadata, kIgnoreMerges, vocab.ignore_merges));
  SMELT_TRY(read_flag(metadata, kLowercase, vocab.lowercase));
  SMELT_TRY(read_flag(metadata, kSingleSpacePrefix, vocab.single_space_prefix));
  SMELT_TRY(read_flag(metadata, kSpacePrefixOnce, vocab.space_prefix_once));
  SMELT_TRY(read_flag(metadata, kNfc, vocab.nfc));
  vocab.add_bos = vocab.add_bos && vocab.bos;
  vocab.add_eos = vocab.add_eos && vocab.eos;
  return {};
}

Status read_token_flags(const Metadata& metadata, Vocab& vocab) {
  SMELT_ASSIGN(const auto numbers, metadata.find_ints(kTokenFlags));
  if (!numbers) return {};
  for (size_t i = 0; i + 1 < numbers->size(); i += 2) {
    const int64_t id = (*numbers)[i], flags = (*numbers)[i + 1];
    if (id < 0 || id >= static_cast<int64_t>(vocab.tokens.size()) || flags < 0 || flags > 15) {
      return input_error(
          fmt::format("{}: value {} is no token of the vocabulary and its flags", metadata.title(kTokenFlags), i));
    }
    Token& token = vocab.tokens[static_cast<size_t>(id)];
    token.strips_left = (flags & 1) != 0, token.strips_right = (flags & 2) != 0, token.single_word = (flags & 4) != 0;
    token.normalized = (flags & 8) != 0;
  }
  return {};
}

Status read_charsmap(const Metadata& metadata, Vocab& vocab) {
  SMELT_ASSIGN(const auto bytes, metadata.find_ints(kCharsmap));
  if (!bytes) return {};
  for (const int64_t byte : *bytes) {
    if (byte < -128 || byte > 255) {
      return input_error(fmt::format("{} holds {}, must be an array of bytes", metadata.title(kCharsmap), byte));
    }
    vocab.precompiled_charsmap += static_cast<char>(static_cast<unsigned char>(byte));
  }
  return {};
}

}  // namespace

Result<Vocab> parse_gguf_vocab(const Metadata& metadata) {
  SMELT_ASSIGN(const TokenizerModel model, read_model(metadata));
  Vocab vocab = gguf_default_vocab(model);
  SMELT_TRY(read_tokens(metadata, vocab));
  SMELT_TRY(read_scores(metadata, vocab));
  SMELT_TRY(read_types(metadata, vocab));
  SMELT_TRY(read_merges(metadata, vocab));
  SMELT_TRY(read_ids(metadata, vocab));
  SMELT_TRY(read_flags(metadata, vocab));
  SMELT_TRY(read_charsmap(metadata, vocab));
  SMELT_TRY(read_token_flags(metadata, vocab));
  SMELT_ASSIGN(auto chat_template, metadata.find_string(kChatTemplate));
  vocab.chat_template = std::move(chat_template).value_or("");
  add_fim_tokens(vocab);
  add_end_tokens(vocab);
  return vocab;
}

}  // namespace smelt
