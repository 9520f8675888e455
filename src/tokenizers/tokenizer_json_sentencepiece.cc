// tokenizer.json of models converted from SentencePiece: Llama 2, Mistral, Gemma (BPE) and T5, XLM-R (Unigram). Their
// normalizer and pre_tokenizer spell out what SentencePiece has flags for; here they become those flags again.
#include <fmt/format.h>

#include <unordered_map>
#include <unordered_set>

#include "base/text.h"
#include "tokenizers/base64.h"
#include "tokenizers/byte_token.h"
#include "tokenizers/tokenizer_json_parts.h"

namespace smelt::tokenizer_json {
namespace {

constexpr std::string_view kSpace = "\xe2\x96\x81";  // ▁
constexpr std::string_view kEnds = R"(\A +| +\z)";   // as written by tokenizer_json_writer.cc

// What the steps do to spaces.
struct Spacing {
  bool prefix = false;         // put one in front
  bool single_prefix = false;  // … unless there is one
  bool prefix_once = false;    // … and only in front of the whole text
  bool escape = false;         // " " → "▁"
  bool strip_right = false;
  bool collapse = false;      // runs become one
  bool split_words = false;   // words are cut apart, runs vanish
  bool split_spaces = false;  // words are cut apart before each "▁"
};

Status read_replace(const JsonField& step, Spacing& spacing) {
  SMELT_ASSIGN(const JsonField pattern, step.get("pattern"));
  SMELT_ASSIGN(const std::string literal, pattern.get_string("String", ""));
  SMELT_ASSIGN(const std::string regex, pattern.get_string("Regex", ""));
  SMELT_ASSIGN(const std::string content, step.get_string("content", ""));
  if (literal == " " && content == kSpace) {
    spacing.escape = true;
  } else if (regex == kEnds && content.empty()) {
    spacing.strip_right = true;
  } else if (regex == " {2,}" && (content == " " || content == kSpace)) {
    spacing.collapse = true;
  } else {
    return step.error(
        fmt::format("replaces '{}' by '{}', which is not supported; supported are ' ' by '▁' and runs of "
                    "spaces by one",
                    escape_for_display(literal.empty() ? regex : literal), escape_for_display(content)));
  }
  return {};
}

Status read_charsmap(const JsonField& step, Vocab& vocab) {
  SMELT_ASSIGN(const JsonField field, step.get("precompiled_charsmap"));
  SMELT_ASSIGN(const std::string text, field.string());
  auto bytes = decode_base64(text);
  if (!bytes) return field.error("is not valid base64");
  if (!vocab.precompiled_charsmap.empty()) return field.error("is given twice");
  vocab.precompiled_charsmap = std::move(*bytes);
  return {};
}

// Some steps mean every kind of whitespace, SentencePiece spaces alone; that is the same if a table has made spaces of
// the other kinds.
Status require_charsmap(const JsonField& step, const Vocab& vocab) {
  if (!vocab.precompiled_charsmap.empty()) return {};
  return step.error("is supported only behind a normalizer of type Precompiled");
}

Status read_normalizer_step(const JsonField& step, Spacing& spacing, Vocab& vocab) {
  SMELT_ASSIGN(const std::string type, type_of(step));
  if (type == "Precompiled") return read_charsmap(step, vocab);
  if (type == "Replace") return read_replace(step, spacing);
  if (type == "Prepend") {
    SMELT_ASSIGN(const std::string text, step.get_string("prepend", ""));
    if (text != kSpace) return step.error("prepends something else than '▁', which is not supported");
    spacing.prefix = true;
    return {};
  }
  if (type == "Strip") {
    SMELT_TRY(require_charsmap(step, vocab));
    SMELT_ASSIGN(spacing.strip_right, step.get_bool("strip_right", true));
    if (!spacing.strip_right) return step.error("strip_right is false, which is not supported");
    return {};
  }
  return step.error(
      fmt::format("type '{}' is not supported with a SentencePiece vocabulary; supported are Precompiled, "
                  "Replace, Prepend and Strip",
                  escape_for_display(type)));
}

Status read_metaspace(const JsonField& step, Spacing& spacing) {
  SMELT_ASSIGN(const std::string replacement, step.get_string("replacement", kSpace));
  if (replacement != kSpace) return step.error("its replacement is not '▁', the only one supported");
  SMELT_ASSIGN(const bool prefix, step.get_bool("add_prefix_space", true));
  SMELT_ASSIGN(const std::string scheme, step.get_string("prepend_scheme", prefix ? "always" : "never"));
  if (scheme != "always" && scheme != "first" && scheme != "never") {
    return step.error(fmt::format("prepend_scheme '{}' is not supported; supported are always, first and never",
                                  escape_for_display(scheme)));
  }
  SMELT_ASSIGN(spacing.split_spaces, step.get_bool("split", true));
  spacing.escape = true;
  if (scheme != "never") spacing.prefix = spacing.single_prefix = true;
  spacing.prefix_once = scheme == "first";
  return {};
}

Status read_pre_tokenizer_step(const JsonField& step, const Vocab& vocab, Spacing& spacing) {
  SMELT_ASSIGN(const std::string type, type_of(step));
  if (type == "Metaspace") return read_metaspace(step, spacing);
  if (type == "WhitespaceSplit") {
    SMELT_TRY(require_charsmap(step, vocab));
    spacing.split_words = true;
    return {};
  }
  if (type == "Split" && spacing.escape) {  // at spaces, of which none are left
    SMELT_ASSIGN(const JsonField pattern, step.get("pattern"));
    SMELT_ASSIGN(const std::string literal, pattern.get_string("String", ""));
    if (literal == " ") return {};
  }
  return step.error(
      fmt::format("type '{}' is not supported with a SentencePiece vocabulary; supported are Metaspace and "
                  "WhitespaceSplit",
                  escape_for_display(type)));
}

// A token with "▁" behind its first character could be found across the cuts that the file asks for.
Status check_cuts(const JsonField& root, const Vocab& vocab) {
  for (const Token& token : vocab.tokens) {
    const bool found = token.type == TokenType::normal && token.text.find(kSpace, 1) != std::string::npos;
    if (!found) continue;
    SMELT_ASSIGN(const JsonField section, root.get("pre_tokenizer"));
    return section.error(fmt::format("cuts at every space, but token '{}' spans one; that is not supported",
                                     escape_for_display(token.text)));
  }
  return {};
}

Status read_spacing(const JsonField& root, Vocab& vocab) {
  Spacing spacing;
  SMELT_ASSIGN(const auto normalizers, open_sequence(root.find("normalizer"), "normalizers"));
  for (const JsonField& step : normalizers) SMELT_TRY(read_normalizer_step(step, spacing, vocab));
  SMELT_ASSIGN(const auto cutters, open_sequence(root.find("pre_tokenizer"), "pretokenizers"));
  for (const JsonField& step : cutters) SMELT_TRY(read_pre_tokenizer_step(step, vocab, spacing));
  if (!spacing.escape) {
    return root.error(
        "nothing in 'normalizer' or 'pre_tokenizer' makes '▁' of spaces; such a tokenizer is not supported");
  }
  if (spacing.collapse != spacing.strip_right) {
    return root.error(
        "field 'normalizer': spaces are stripped but not joined, or joined but not stripped; both or none "
        "are supported");
  }
  vocab.remove_extra_whitespaces = spacing.collapse || spacing.split_words;
  if (vocab.remove_extra_whitespaces && !spacing.prefix) {
    return root.error("extra spaces are removed without one put in front, which is not supported");
  }
  vocab.add_space_prefix = spacing.prefix;
  vocab.space_prefix_once = spacing.prefix_once && !vocab.remove_extra_whitespaces;
  vocab.single_space_prefix = spacing.single_prefix && !vocab.remove_extra_whitespaces;
  return spacing.split_spaces ? check_cuts(root, vocab) : Status();
}

void mark_bytes(Vocab& vocab) {
  for (Token& token : vocab.tokens) {
    if (token.type == TokenType::normal && byte_of_token(token.text)) token.type = TokenType::byte;
  }
}

uint64_t pair_key(size_t left, size_t right) { return uint64_t{left} << 32 | right; }

// SentencePiece merges whichever pair makes the token with the best score, so merges by rank can be said with scores if
// the merges of each token are neighbours in rank and no way to make a token is missing from them.
class ScoreMaker {
 public:
  ScoreMaker(const JsonField& merges_field, Vocab& vocab) : field_(merges_field), vocab_(vocab) {
    for (size_t i = 0; i < vocab.tokens.size(); ++i) ids_.emplace(vocab.tokens[i].text, i);
  }

  Status run(const std::vector<std::pair<std::string, std::string>>& merges) {
    for (Token& token : vocab_.tokens) token.score = -static_cast<float>(merges.size());
    for (size_t rank = 0; rank < merges.size(); ++rank) SMELT_TRY(add(rank, merges[rank]));
    for (const auto& [text, id] : ids_) {
      if (vocab_.tokens[id].type == TokenType::normal) SMELT_TRY(check_ways(text));
    }
    return {};
  }

 private:
  Result<size_t> find(size_t rank, const std::string& text) const {
    const auto it = ids_.find(text);
    if (it != ids_.end()) return it->second;
    return field_.at(rank).error(fmt::format("token '{}' is not in the vocabulary", escape_for_display(text)));
  }
  Status add(size_t rank, const std::pair<std::string, std::string>& merge) {
    SMELT_ASSIGN(const size_t left, find(rank, merge.first));
    SMELT_ASSIGN(const size_t right, find(rank, merge.second));
    SMELT_ASSIGN(const size_t made, find(rank, merge.first + merge.second));
    pairs_.insert(pair_key(left, right));
    if (made == last_made_) return {};
    last_made_ = made;
    if (!made_.insert(made).second) {
      return field_.at(rank).error(
          fmt::format("token '{}' is made by merges of different rank, which is not supported without bytes",
                      escape_for_display(vocab_.tokens[made].text)));
    }
    vocab_.tokens[made].score = -static_cast<float>(rank);
    return {};
  }
  Status check_ways(const std::string& text) const {
    for (size_t at = utf8_length(text, 0); at > 0 && at < text.size(); at += utf8_length(text, at)) {
      const auto left = ids_.find(text.substr(0, at));
      const auto right = ids_.find(text.substr(at));
      const bool both =
          left != ids_.end() && right != ids_.end() && is_normal(left->second) && is_normal(right->second);
      if (both && !pairs_.contains(pair_key(left->second, right->second))) {
        return field_.error(
            fmt::format("'{}' and '{}' are not merged although '{}' is a token; such merges are supported "
                        "with byte-level BPE only",
                        escape_for_display(left->first), escape_for_display(right->first), escape_for_display(text)));
      }
      if (utf8_length(text, at) == 0) break;
    }
    return {};
  }
  bool is_normal(size_t id) const { return vocab_.tokens[id].type == TokenType::normal; }

  const JsonField& field_;
  Vocab& vocab_;
  std::unordered_map<std::string, size_t> ids_;
  std::unordered_set<uint64_t> pairs_;
  std::unordered_set<size_t> made_;
  size_t last_made_ = SIZE_MAX;
};

Status read_unknown_text(const JsonField& model, Vocab& vocab) {
  SMELT_ASSIGN(const std::string text, model.get_string("unk_token", ""));
  if (text.empty()) return {};
  SMELT_ASSIGN(const JsonField field, model.get("unk_token"));
  SMELT_ASSIGN(vocab.unknown, find_token_id(vocab, field, text));
  vocab.tokens[static_cast<size_t>(*vocab.unknown)].type = TokenType::unknown;
  return {};
}

}  // namespace

Status read_sentencepiece_bpe(const JsonField& root, const JsonField& model, Vocab& vocab) {
  vocab.model = TokenizerModel::sentencepiece_bpe;
  SMELT_TRY(refuse_bpe_options(model));
  SMELT_ASSIGN(const bool ignore_merges, model.get_bool("ignore_merges", false));
  if (ignore_merges) return model.error("ignore_merges is true, which is supported with byte-level BPE only");
  SMELT_ASSIGN(const JsonField vocab_map, model.get("vocab"));
  SMELT_TRY(read_token_map(vocab_map, root, vocab));
  SMELT_ASSIGN(const bool has_bytes, model.get_bool("byte_fallback", false));
  if (has_bytes) mark_bytes(vocab);
  SMELT_TRY(read_unknown_text(model, vocab));
  SMELT_ASSIGN(const auto merges, read_merges(model));
  SMELT_ASSIGN(const JsonField merges_field, model.get("merges"));
  SMELT_TRY(ScoreMaker(merges_field, vocab).run(merges));
  return read_spacing(root, vocab);
}

Status read_unigram(const JsonField& root, const JsonField& model, Vocab& vocab) {
  vocab.model = TokenizerModel::unigram;
  SMELT_ASSIGN(const JsonField list, model.get("vocab"));
  SMELT_TRY(read_token_scores(list, root, vocab));
  SMELT_ASSIGN(const bool has_bytes, model.get_bool("byte_fallback", false));
  if (has_bytes) mark_bytes(vocab);
  if (const auto field = model.find("unk_id")) {
    SMELT_ASSIGN(const int64_t id, field->integer());
    const auto n_tokens = static_cast<int64_t>(vocab.tokens.size());
    if (id < 0 || id >= n_tokens) return field->error(fmt::format("is {}, allowed 0 … {}", id, n_tokens - 1));
    vocab.unknown = static_cast<TokenId>(id);
    vocab.tokens[static_cast<size_t>(id)].type = TokenType::unknown;
  }
  return read_spacing(root, vocab);
}

}  // namespace smelt::tokenizer_json
