// parse_tokenizer_json: the file of the Hugging Face library "tokenizers". Each section is read by a file of its own;
// what a Vocab cannot say is refused, so that no text is cut otherwise than by the original. Not read, as they say
// nothing about that: truncation, padding, offsets.
#include <fmt/format.h>

#include "base/text.h"
#include "tokenizers/tokenizer_json_parts.h"

namespace smelt {
namespace tokenizer_json {

Result<std::string> type_of(const JsonField& section) {
  SMELT_ASSIGN(const JsonField type, section.get("type"));
  return type.string();
}

Result<std::vector<JsonField>> open_sequence(const std::optional<JsonField>& section, const char* member) {
  std::vector<JsonField> steps;
  if (!section) return steps;
  std::vector<JsonField> unopened = {*section};
  while (!unopened.empty()) {
    const JsonField step = unopened.back();
    unopened.pop_back();
    SMELT_ASSIGN(const std::string type, type_of(step));
    if (type != "Sequence") {
      steps.push_back(step);
      continue;
    }
    SMELT_ASSIGN(const JsonField list, step.get(member));
    SMELT_ASSIGN(const JsonValue::Array* parts, list.array());
    for (size_t i = parts->size(); i-- > 0;) unopened.push_back(list.at(i));
  }
  return steps;
}

namespace {

// Files of older versions have no model.type.
Result<std::string> model_type(const JsonField& model) {
  if (model.find("type")) return type_of(model);
  if (model.find("merges")) return std::string("BPE");
  const auto vocab = model.find("vocab");
  if (vocab && vocab->value().array() != nullptr) return std::string("Unigram");
  if (model.find("max_input_chars_per_word")) return std::string("WordPiece");
  return model.error("has no 'type'");
}

Result<Vocab> read(const JsonField& root) {
  SMELT_ASSIGN(const JsonField model, root.get("model"));
  SMELT_ASSIGN(const std::string type, model_type(model));
  SMELT_ASSIGN(const bool byte_level, has_byte_level(root));
  Vocab vocab;
  if (type == "BPE") {
    SMELT_TRY(byte_level ? read_byte_bpe(root, model, vocab) : read_sentencepiece_bpe(root, model, vocab));
  } else if (type == "Unigram") {
    SMELT_TRY(read_unigram(root, model, vocab));
  } else if (type == "WordPiece") {
    SMELT_TRY(read_wordpiece(root, model, vocab));
  } else {
    return model.error(
        fmt::format("type '{}' is not supported; supported are BPE, Unigram and WordPiece", escape_for_display(type)));
  }
  SMELT_TRY(read_post_processor(root, vocab));
  add_fim_tokens(vocab);
  add_end_tokens(vocab);
  return vocab;
}

}  // namespace
}  // namespace tokenizer_json

Result<Vocab> parse_tokenizer_json(std::string_view json, const std::string& file_name) {
  SMELT_ASSIGN(const JsonValue tree, parse_json_tree(json, file_name));
  const std::string name = escape_for_display(file_name, 4096);
  if (tree.object() == nullptr) return input_error(name + ": the top level is no object; this is no tokenizer.json");
  return tokenizer_json::read(JsonField(tree, "")).with_context(name);
}

}  // namespace smelt
