// The post_processor section of tokenizer.json: at most one token in front of a text and one behind it.
#include <fmt/format.h>

#include "base/text.h"
#include "tokenizers/tokenizer_json_parts.h"

namespace smelt::tokenizer_json {
namespace {

Result<TokenId> checked_token(const JsonField& id_field, const std::string& text, const Vocab& vocab) {
  SMELT_ASSIGN(const int64_t id, id_field.integer());
  const auto n_tokens = static_cast<int64_t>(vocab.tokens.size());
  if (id < 0 || id >= n_tokens) return id_field.error(fmt::format("is {}, allowed 0 … {}", id, n_tokens - 1));
  if (vocab.tokens[static_cast<size_t>(id)].text != text) {
    return id_field.error(fmt::format("is {}, which is the token '{}', not '{}'", id,
                                      escape_for_display(vocab.tokens[static_cast<size_t>(id)].text),
                                      escape_for_display(text)));
  }
  return static_cast<TokenId>(id);
}

// {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}
Result<TokenId> template_token(const JsonField& processor, const JsonField& piece, const Vocab& vocab) {
  SMELT_ASSIGN(const JsonField name_field, piece.get("id"));
  SMELT_ASSIGN(const std::string name, name_field.string());
  SMELT_ASSIGN(const JsonField known, processor.get("special_tokens"));
  SMELT_ASSIGN(const JsonField entry, known.get(name));
  SMELT_ASSIGN(const JsonField ids, entry.get("ids"));
  SMELT_ASSIGN(const JsonValue::Array* list, ids.array());
  if (list->size() != 1) return ids.error(fmt::format("has {} ids; only one is supported", list->size()));
  return checked_token(ids.at(0), name, vocab);
}

Status set_once(const JsonField& field, TokenId id, std::optional<TokenId>& slot, bool& flag) {
  if (flag) return field.error("more than one token on the same side of the text is not supported");
  slot = id;
  flag = true;
  return {};
}

Status read_template(const JsonField& processor, Vocab& vocab) {
  SMELT_ASSIGN(const JsonField single, processor.get("single"));
  SMELT_ASSIGN(const JsonValue::Array* pieces, single.array());
  bool seen_text = false;
  for (size_t i = 0; i < pieces->size(); ++i) {
    const JsonField piece = single.at(i);
    if (piece.find("Sequence")) {
      if (seen_text) return piece.error("the text occurs twice, which is not supported");
      seen_text = true;
      continue;
    }
    SMELT_ASSIGN(const JsonField special, piece.get("SpecialToken"));
    SMELT_ASSIGN(const TokenId id, template_token(processor, special, vocab));
    if (seen_text) {
      SMELT_TRY(set_once(piece, id, vocab.eos, vocab.add_eos));
    } else {
      SMELT_TRY(set_once(piece, id, vocab.bos, vocab.add_bos));
    }
  }
  if (!seen_text) return single.error("has no place for the text");
  return {};
}

// ["[CLS]", 101]
Result<TokenId> pair_token(const JsonField& processor, const char* name, const Vocab& vocab) {
  SMELT_ASSIGN(const JsonField pair, processor.get(name));
  SMELT_ASSIGN(const JsonValue::Array* parts, pair.array());
  if (parts->size() != 2) return pair.error("must be a token and its id");
  SMELT_ASSIGN(const std::string text, pair.at(0).string());
  return checked_token(pair.at(1), text, vocab);
}

Status read_pair(const JsonField& processor, Vocab& vocab) {
  SMELT_ASSIGN(const TokenId first, pair_token(processor, "cls", vocab));
  SMELT_ASSIGN(const TokenId last, pair_token(processor, "sep", vocab));
  SMELT_TRY(set_once(processor, first, vocab.bos, vocab.add_bos));
  return set_once(processor, last, vocab.eos, vocab.add_eos);
}

}  // namespace

Status read_post_processor(const JsonField& root, Vocab& vocab) {
  SMELT_ASSIGN(const auto steps, open_sequence(root.find("post_processor"), "processors"));
  for (const JsonField& step : steps) {
    SMELT_ASSIGN(const std::string type, type_of(step));
    if (type == "TemplateProcessing") {
      SMELT_TRY(read_template(step, vocab));
    } else if (type == "BertProcessing" || type == "RobertaProcessing") {
      SMELT_TRY(read_pair(step, vocab));
    } else if (type != "ByteLevel") {  // that one changes offsets only
      return step.error(
          fmt::format("type '{}' is not supported; supported are TemplateProcessing, BertProcessing, "
                      "RobertaProcessing and ByteLevel",
                      escape_for_display(type)));
    }
  }
  if (vocab.model == TokenizerModel::wordpiece) vocab.separator = vocab.eos;
  return {};
}

}  // namespace smelt::tokenizer_json
