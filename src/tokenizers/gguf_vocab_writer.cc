// add_gguf_vocab: a vocabulary as the tokenizer.ggml.* keys of a GGUF file.
#include "tokenizers/vocab.h"
#include "tokenizers/vocab_keys.h"

namespace smelt {
namespace {

using namespace vocab_keys;

const char* model_name(TokenizerModel model) {
  for (const ModelName& known : kModelNames) {
    if (known.model == model) return known.name;
  }
  return "";
}

void add_tokens(const Vocab& vocab, Metadata& metadata) {
  std::vector<std::string> texts;
  std::vector<double> scores;
  std::vector<int64_t> types;
  for (const Token& token : vocab.tokens) {
    texts.push_back(token.text);
    scores.push_back(token.score);
    types.push_back(static_cast<int64_t>(token.type));
  }
  metadata.set(kTokens, MetaValue::of_strings(std::move(texts)));
  const bool has_scores = vocab.model == TokenizerModel::sentencepiece_bpe || vocab.model == TokenizerModel::unigram;
  if (has_scores) metadata.set(kScores, MetaValue::of_f32s(std::move(scores)));
  metadata.set(kTypes, MetaValue::of_i32s(std::move(types)));
  if (vocab.model != TokenizerModel::byte_bpe) return;
  std::vector<std::string> merges;
  for (const auto& [left, right] : vocab.merges) merges.push_back(std::string(left).append(" ").append(right));
  metadata.set(kMerges, MetaValue::of_strings(std::move(merges)));
}

// An id that is absent although a reader would take a default for it is written as "none".
void add_ids(const Vocab& vocab, Metadata& metadata) {
  const Vocab defaults = gguf_default_vocab(vocab.model);
  for (const IdKey& id : kIdKeys) {
    const std::optional<TokenId>& value = vocab.*id.field;
    if (value) {
      metadata.set(id.key, MetaValue::of_u32(static_cast<uint32_t>(*value)));
    } else if (const auto& other = defaults.*id.field; other && static_cast<size_t>(*other) < vocab.tokens.size()) {
      metadata.set(id.key, MetaValue::of_u32(kNoToken));
    }
  }
  if (vocab.model == TokenizerModel::wordpiece && vocab.bos) {
    metadata.set(kClsId, MetaValue::of_u32(static_cast<uint32_t>(*vocab.bos)));
  }
}

void add_flags(const Vocab& vocab, Metadata& metadata) {
  const bool wordpiece = vocab.model == TokenizerModel::wordpiece;
  metadata.set(kAddBos, MetaValue::of_bool(vocab.add_bos));
  metadata.set(wordpiece ? kAddSeparator : kAddEos, MetaValue::of_bool(vocab.add_eos));
  if (vocab.model == TokenizerModel::sentencepiece_bpe || vocab.model == TokenizerModel::unigram) {
    metadata.set(kAddSpacePrefix, MetaValue::of_bool(vocab.add_space_prefix));
    metadata.set(kRemoveExtraWhitespaces, MetaValue::of_bool(vocab.remove_extra_whitespaces));
    if (vocab.single_space_prefix) metadata.set(kSingleSpacePrefix, MetaValue::of_bool(true));
    if (vocab.space_prefix_once) metadata.set(kSpacePrefixOnce, MetaValue::of_bool(true));
    if (!vocab.escape_whitespaces) metadata.set(kEscapeWhitespaces, MetaValue::of_bool(false));
  }
  if (vocab.ignore_merges != family_ignores_merges(vocab.pre_tokenizer)) {
    metadata.set(kIgnoreMerges, MetaValue::of_bool(vocab.ignore_merges));
  }
  if (wordpiece && !vocab.lowercase) metadata.set(kLowercase, MetaValue::of_bool(false));
  if (vocab.nfc) metadata.set(kNfc, MetaValue::of_bool(true));
}

void add_charsmap(const Vocab& vocab, Metadata& metadata) {
  if (vocab.precompiled_charsmap.empty()) return;
  std::vector<uint64_t> bytes;
  for (const char c : vocab.precompiled_charsmap) bytes.push_back(static_cast<unsigned char>(c));
  metadata.set(kCharsmap, {MetaType::array, MetaArray{MetaType::u8, std::move(bytes)}});
}

void add_token_flags(const Vocab& vocab, Metadata& metadata) {
  std::vector<int64_t> numbers;
  for (size_t i = 0; i < vocab.tokens.size(); ++i) {
    const Token& token = vocab.tokens[i];
    const int flags = (token.strips_left ? 1 : 0) + (token.strips_right ? 2 : 0) + (token.single_word ? 4 : 0) +
                      (token.normalized ? 8 : 0);
    if (flags == 0) continue;
    numbers.push_back(static_cast<int64_t>(i));
    numbers.push_back(flags);
  }
  if (!numbers.empty()) metadata.set(kTokenFlags, MetaValue::of_i32s(std::move(numbers)));
}

}  // namespace

void add_gguf_vocab(const Vocab& vocab, Metadata& metadata) {
  metadata.set(kModel, MetaValue::of_string(model_name(vocab.model)));
  metadata.set(kPre, MetaValue::of_string(vocab.pre_tokenizer.empty() ? "default" : vocab.pre_tokenizer));
  add_tokens(vocab, metadata);
  add_ids(vocab, metadata);
  add_flags(vocab, metadata);
  add_charsmap(vocab, metadata);
  add_token_flags(vocab, metadata);
  if (!vocab.chat_template.empty()) metadata.set(kChatTemplate, MetaValue::of_string(vocab.chat_template));
}

}  // namespace smelt
