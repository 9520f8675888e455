#include "tokenizers/engine.h"

#include <fmt/format.h>

#include <algorithm>

#include "tokenizers/byte_token.h"

namespace smelt {
namespace {

constexpr std::string_view kEscapedSpace = "\xE2\x96\x81";  // ▁, U+2581

bool is_hidden(TokenType type) { return type == TokenType::control || type == TokenType::unknown; }

}  // namespace

std::string unescape_spaces(const std::string& text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    if (text.compare(i, kEscapedSpace.size(), kEscapedSpace) == 0) {
      out += ' ';
      i += kEscapedSpace.size();
    } else {
      out += text[i++];
    }
  }
  return out;
}

Status TokenizerEngine::check_ids() const {
  const auto n = static_cast<int64_t>(vocab_.tokens.size());
  if (n == 0) return input_error("the vocabulary is empty");
  if (n > INT32_MAX) return input_error(fmt::format("the vocabulary has {} tokens, allowed 1 … {}", n, INT32_MAX));
  const struct {
    const char* name;
    const std::optional<TokenId>& id;
  } specials[] = {{"bos", vocab_.bos},
                  {"eos", vocab_.eos},
                  {"eot", vocab_.eot},
                  {"unknown", vocab_.unknown},
                  {"padding", vocab_.padding},
                  {"separator", vocab_.separator},
                  {"mask", vocab_.mask},
                  {"fim prefix", vocab_.fim_prefix},
                  {"fim suffix", vocab_.fim_suffix},
                  {"fim middle", vocab_.fim_middle},
                  {"fim pad", vocab_.fim_pad},
                  {"fim repository", vocab_.fim_repository},
                  {"fim separator", vocab_.fim_separator}};
  for (const auto& [name, id] : specials) {
    if (id && (*id < 0 || *id >= n)) {
      return input_error(fmt::format("the {} token has id {}, allowed 0 … {}", name, *id, n - 1));
    }
  }
  for (const TokenId id : vocab_.eos_all) {
    if (id < 0 || id >= n) return input_error(fmt::format("an end token has id {}, allowed 0 … {}", id, n - 1));
  }
  return {};
}

void TokenizerEngine::index_bytes() {
  byte_ids_.fill(-1);
  for (size_t i = 0; i < vocab_.tokens.size(); ++i) {
    if (vocab_.tokens[i].type != TokenType::byte) continue;
    const std::optional<uint8_t> byte = byte_of_token(vocab_.tokens[i].text);
    if (byte && byte_ids_[*byte] < 0) byte_ids_[*byte] = static_cast<TokenId>(i);
  }
  has_all_bytes_ = std::find(byte_ids_.begin(), byte_ids_.end(), -1) == byte_ids_.end();
}

Status TokenizerEngine::build() {
  SMELT_TRY(check_ids());
  SMELT_TRY(index_.build(vocab_.tokens));
  index_bytes();
  for (size_t i = 0; i < vocab_.tokens.size(); ++i) {
    const Token& each = vocab_.tokens[i];
    const auto id = static_cast<TokenId>(i);
    if (each.type == TokenType::user_defined) user_defined_.add(each, id);
    if (each.type == TokenType::user_defined || is_hidden(each.type)) special_.add(each, id);
  }
  user_defined_.finish();
  special_.finish();
  return build_model();
}

std::vector<TokenId> TokenizerEngine::encode(std::string_view text, EncodeOptions options) const {
  std::vector<TokenId> ids;
  if (options.add_special && vocab_.add_bos && vocab_.bos) ids.push_back(*vocab_.bos);
  bool at_start = !options.goes_on || !vocab_.space_prefix_once;
  for (const TextFragment& fragment : (options.parse_special ? special_ : user_defined_).split(text)) {
    if (fragment.id >= 0) {
      ids.push_back(fragment.id);
    } else {
      encode_text(fragment.text, at_start, ids);
    }
    at_start = fragment.id >= 0 && !vocab_.space_prefix_once;
  }
  const auto& end = vocab_.model == TokenizerModel::wordpiece && vocab_.separator ? vocab_.separator : vocab_.eos;
  if (options.add_special && vocab_.add_eos && end) ids.push_back(*end);
  return ids;
}

void TokenizerEngine::append_uncovered(std::string_view text, std::vector<TokenId>& ids) const {
  if (text.empty()) return;
  if (has_all_bytes_) {
    for (const char c : text) ids.push_back(byte_ids_[static_cast<uint8_t>(c)]);
  } else if (vocab_.unknown) {
    ids.push_back(*vocab_.unknown);
  }
}

std::string TokenizerEngine::token_bytes(TokenId id, bool show_special) const {
  if (id < 0 || id >= n_vocab()) return "";
  const Token& each = token(id);
  if (is_hidden(each.type)) return show_special ? each.text : "";
  if (each.type == TokenType::user_defined) return each.text;
  if (each.type != TokenType::byte) return spell(each.text);
  const std::optional<uint8_t> byte = byte_of_token(each.text);
  return byte ? std::string(1, static_cast<char>(*byte)) : each.text;
}

std::string TokenizerEngine::decode(std::span<const TokenId> ids, bool show_special) const {
  std::string text;
  bool after_prefix = adds_space_prefix();
  for (const TokenId id : ids) text += next_bytes(id, show_special, after_prefix);
  return text;
}

}  // namespace smelt
