// tokenizer.json of WordPiece (BERT). The file marks pieces that go on a word ("##ing"); a Vocab marks those that begin
// one ("▁ing"), as GGUF does.
#include <fmt/format.h>

#include "base/text.h"
#include "tokenizers/tokenizer_json_parts.h"

namespace smelt::tokenizer_json {
namespace {

Status require(const JsonField& step, const char* name, bool otherwise, bool wanted) {
  SMELT_ASSIGN(const bool flag, step.get_bool(name, otherwise));
  if (flag == wanted) return {};
  return step.error(fmt::format("{} is {}, which is not supported; only {} is", name, flag, wanted));
}

Status read_normalizer(const JsonField& root, Vocab& vocab) {
  SMELT_ASSIGN(const JsonField section, root.get("normalizer"));
  SMELT_ASSIGN(const auto steps, open_sequence(section, "normalizers"));
  if (steps.size() != 1)
    return section.error(fmt::format("has {} steps; only BertNormalizer is supported", steps.size()));
  SMELT_ASSIGN(const std::string type, type_of(steps[0]));
  if (type != "BertNormalizer") {
    return steps[0].error(fmt::format("type '{}' is not supported with WordPiece; supported is BertNormalizer",
                                      escape_for_display(type)));
  }
  SMELT_TRY(require(steps[0], "clean_text", true, true));
  SMELT_TRY(require(steps[0], "handle_chinese_chars", true, true));
  SMELT_ASSIGN(vocab.lowercase, steps[0].get_bool("lowercase", true));
  return require(steps[0], "strip_accents", vocab.lowercase, vocab.lowercase);
}

Status check_pre_tokenizer(const JsonField& root) {
  SMELT_ASSIGN(const JsonField section, root.get("pre_tokenizer"));
  SMELT_ASSIGN(const std::string type, type_of(section));
  if (type == "BertPreTokenizer") return {};
  return section.error(fmt::format("type '{}' is not supported with WordPiece; supported is BertPreTokenizer",
                                   escape_for_display(type)));
}

// "[unused7]" and the like never come from text and keep their spelling.
bool is_bracketed(const std::string& text) { return text.size() > 2 && text.front() == '[' && text.back() == ']'; }

void mark_beginnings(Vocab& vocab, const std::string& prefix) {
  for (Token& token : vocab.tokens) {
    if (token.type != TokenType::normal || is_bracketed(token.text)) continue;
    token.text = token.text.starts_with(prefix) ? token.text.substr(prefix.size()) : "▁" + token.text;
  }
}

}  // namespace

Status read_wordpiece(const JsonField& root, const JsonField& model, Vocab& vocab) {
  vocab.model = TokenizerModel::wordpiece;
  vocab.add_space_prefix = false;
  SMELT_TRY(read_normalizer(root, vocab));
  SMELT_TRY(check_pre_tokenizer(root));
  SMELT_ASSIGN(const std::string prefix, model.get_string("continuing_subword_prefix", "##"));
  if (prefix.empty()) return model.error("continuing_subword_prefix is empty, which is not supported");
  if (const auto limit = model.find("max_input_chars_per_word")) {
    SMELT_ASSIGN(const int64_t n_chars, limit->integer());
    if (n_chars != 100) return limit->error(fmt::format("is {}, which is not supported; only 100 is", n_chars));
  }
  SMELT_ASSIGN(const JsonField vocab_map, model.get("vocab"));
  SMELT_TRY(read_token_map(vocab_map, root, vocab));
  SMELT_ASSIGN(const JsonField unknown_field, model.get("unk_token"));
  SMELT_ASSIGN(const std::string unknown, unknown_field.string());
  SMELT_ASSIGN(vocab.unknown, find_token_id(vocab, unknown_field, unknown));
  mark_beginnings(vocab, prefix);
  return {};
}

}  // namespace smelt::tokenizer_json
