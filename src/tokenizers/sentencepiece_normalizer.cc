// The table ("precompiled_charsmap") of a SentencePiece model:
//
//   0    u32 n           bytes of the trie, little-endian
//   4    u32[n / 4]      trie: a double array in the layout of darts-clone, byte texts → offsets
//   4+n  texts           replacements, each ended by a zero byte
//
// A unit of the trie holds: bits 0-7 the byte that leads here, bit 8 "has a value", bit 9 "the offset is times 256",
// bits 10-30 the offset to XOR; the unit of a value has bit 31 set and the value in the rest. Source:
// google/sentencepiece src/normalizer.cc, s-yata/darts-clone (both open source); formulas re-derived.
#include "tokenizers/sentencepiece_normalizer.h"

#include <fmt/format.h>

#include "base/text.h"

namespace smelt {
namespace {

constexpr std::string_view kEscapedSpace = "\xE2\x96\x81";  // ▁, U+2581
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";   // U+FFFD
constexpr size_t kLongestSource = 256;        // bytes; a damaged table must not make each step walk the whole text
constexpr size_t kLongestReplacement = 1024;  // bytes, 30 times that of any real table; no text may grow without bound
constexpr uint32_t kValueBit = 1U << 31;

uint32_t unit_offset(uint32_t unit) { return (unit >> 10) << ((unit & (1U << 9)) >> 6); }

uint32_t read_u32(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 4; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

}  // namespace

Status SentencePieceNormalizer::build(const Vocab& vocab, bool keep_ill_formed) {
  add_space_prefix_ = vocab.add_space_prefix;
  single_prefix_ = vocab.single_space_prefix;
  remove_extra_ = vocab.remove_extra_whitespaces;
  escape_ = vocab.escape_whitespaces;
  keep_ill_formed_ = keep_ill_formed;
  if (vocab.precompiled_charsmap.empty()) return {};
  return build_table(vocab.precompiled_charsmap).with_context("precompiled_charsmap");
}

Status SentencePieceNormalizer::build_table(std::string_view bytes) {
  if (bytes.size() < 4) return input_error(fmt::format("has {} bytes; it is truncated", bytes.size()));
  const uint32_t trie_bytes = read_u32(bytes, 0);
  if (trie_bytes == 0 || trie_bytes % 4 != 0 || trie_bytes > bytes.size() - 4) {
    return input_error(
        fmt::format("a trie of {} bytes does not fit into {}; the table is damaged", trie_bytes, bytes.size()));
  }
  for (size_t at = 4; at < 4 + size_t{trie_bytes}; at += 4) units_.push_back(read_u32(bytes, at));
  replacements_ = bytes.substr(4 + size_t{trie_bytes});
  if (!replacements_.empty() && replacements_.back() != '\0') {
    return input_error("the last replacement has no end; the table is damaged");
  }
  for (size_t at = 0; at < replacements_.size();) {
    const size_t length = replacements_.find('\0', at) - at;
    if (length > kLongestReplacement) {
      return input_error(fmt::format("byte {}: a replacement of {} bytes; at most {} are allowed", 4 + trie_bytes + at,
                                     length, kLongestReplacement));
    }
    at += length + 1;
  }
  return {};
}

// The longest text of the table that begins here; consumed is 0 if there is none.
SentencePieceNormalizer::Step SentencePieceNormalizer::find_replacement(std::string_view text) const {
  Step best = {{}, 0};
  if (units_.empty()) return best;
  size_t node = unit_offset(units_[0]);
  for (size_t i = 0; i < text.size() && i < kLongestSource; ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    node ^= byte;
    if (node >= units_.size() || (units_[node] & (kValueBit | 0xFF)) != byte || byte == 0) break;
    const uint32_t unit = units_[node];
    node ^= unit_offset(unit);
    if ((unit >> 8 & 1) == 0 || node >= units_.size()) continue;
    const uint32_t at = units_[node] & ~kValueBit;
    if (at < replacements_.size()) best = {std::string_view(replacements_.c_str() + at), i + 1};
  }
  return best;
}

SentencePieceNormalizer::Step SentencePieceNormalizer::next(std::string_view text) const {
  const Step replacement = find_replacement(text);
  if (replacement.consumed > 0) return replacement;
  const size_t length = utf8_length(text, 0);
  if (length > 0) return {text.substr(0, length), length};
  return {keep_ill_formed_ ? text.substr(0, 1) : kReplacement, 1};
}

void SentencePieceNormalizer::append(std::string_view text, std::string& out) const {
  for (const char c : text) {
    if (c == ' ' && escape_) {
      out += kEscapedSpace;
    } else {
      out += c;
    }
  }
}

std::string SentencePieceNormalizer::normalize(std::string_view text, bool at_start) const {
  std::string out;
  if (text.empty()) return out;
  out.reserve(text.size() + text.size() / 2 + kEscapedSpace.size());
  const bool begins_with_space = text.starts_with(' ') || text.starts_with(kEscapedSpace);
  const bool has_prefix = at_start && add_space_prefix_ && !(single_prefix_ && begins_with_space);
  if (has_prefix) append(" ", out);
  bool after_space = true;
  while (!text.empty()) {
    const Step step = next(text);
    text.remove_prefix(step.consumed);
    for (const char c : step.text) {
      if (c != ' ') {
        out += c;
      } else if (!remove_extra_ || !after_space) {
        append(" ", out);
      }
      after_space = c == ' ';
    }
  }
  const std::string_view space = escape_ ? kEscapedSpace : " ";
  while (remove_extra_ && out.ends_with(space)) out.resize(out.size() - space.size());
  return out;
}

}  // namespace smelt
