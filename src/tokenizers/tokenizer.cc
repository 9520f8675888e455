// make_tokenizer and what does not depend on the model.
#include "tokenizers/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "tokenizers/engine.h"

namespace smelt {
namespace {

struct EngineEntry {
  TokenizerModel model;
  MakeEngine make;
};

constexpr EngineEntry kEngines[] = {
#define SMELT_ENGINE(model) {TokenizerModel::model, make_##model##_engine},
#include "tokenizers/engines.inc"
#undef SMELT_ENGINE
};

// decode_utf8 makes U+FFFD of every byte that belongs to no character.
std::string replace_ill_formed(std::string_view text) {
  if (is_valid_utf8(text)) return std::string(text);
  std::string out;
  for (const char32_t c : decode_utf8(text)) append_utf8(out, c);
  return out;
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> make_tokenizer(Vocab vocab) {
  for (const EngineEntry& entry : kEngines) {
    if (entry.model != vocab.model) continue;
    std::unique_ptr<TokenizerEngine> engine = entry.make(std::move(vocab));
    SMELT_TRY(engine->build().with_context("tokenizer"));
    return std::shared_ptr<const Tokenizer>(std::move(engine));
  }
  return input_error(fmt::format("tokenizer: model number {} does not exist", static_cast<int>(vocab.model)));
}

bool Tokenizer::is_end(TokenId id) const {
  return std::find(vocab_.eos_all.begin(), vocab_.eos_all.end(), id) != vocab_.eos_all.end();
}

bool Tokenizer::adds_space_prefix() const {
  if (vocab_.model == TokenizerModel::byte_bpe) return false;
  return vocab_.model == TokenizerModel::wordpiece || vocab_.add_space_prefix;
}

std::string Tokenizer::next_bytes(TokenId id, bool show_special, bool& after_prefix) const {
  std::string bytes = token_bytes(id, show_special);
  if (id >= 0 && id < n_vocab() && vocab_.tokens[static_cast<size_t>(id)].type == TokenType::user_defined) {
    after_prefix = adds_space_prefix() && !vocab_.space_prefix_once;  // encode puts one after such a token too
    return bytes;
  }
  if (bytes.empty()) return bytes;
  if (after_prefix && bytes.front() == ' ') bytes.erase(0, 1);
  after_prefix = false;
  return bytes;
}

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool show_special, bool at_start)
    : tokenizer_(&tokenizer), show_special_(show_special), after_prefix_(at_start && tokenizer.adds_space_prefix()) {}

std::string StreamDecoder::push(TokenId id) {
  pending_ += tokenizer_->next_bytes(id, show_special_, after_prefix_);
  const size_t complete = utf8_complete_prefix(pending_);
  std::string text = replace_ill_formed(std::string_view(pending_).substr(0, complete));
  pending_.erase(0, complete);
  return text;
}

std::string StreamDecoder::finish() {
  std::string text = replace_ill_formed(pending_);
  pending_.clear();
  return text;
}

}  // namespace smelt
