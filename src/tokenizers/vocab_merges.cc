// parse_vocab_merges: vocab.json ({text: id}) and merges.txt (one "a b" a line) of GPT-2 and its kin.
#include <fmt/format.h>

#include "base/text.h"
#include "tokenizers/tokenizer_json_parts.h"

namespace smelt {
namespace {

Status read_merge_lines(std::string_view text, Vocab& vocab) {
  size_t n_line = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++n_line;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || (n_line == 1 && line.starts_with("#version"))) continue;
    const size_t space = line.find(' ');
    const bool two = space != std::string_view::npos && space > 0 && space + 1 < line.size() &&
                     line.find(' ', space + 1) == std::string_view::npos;
    if (!two) {
      return input_error(fmt::format("merges.txt, line {}: '{}' must be two tokens with a space between", n_line,
                                     escape_for_display(line)));
    }
    vocab.merges.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
  return {};
}

// The pair says nothing about special tokens; this one is GPT-2's.
void find_end(Vocab& vocab) {
  for (size_t i = 0; i < vocab.tokens.size(); ++i) {
    if (vocab.tokens[i].text != "<|endoftext|>") continue;
    vocab.tokens[i].type = TokenType::control;
    vocab.bos = vocab.eos = static_cast<TokenId>(i);
    vocab.eos_all = {*vocab.eos};
  }
}

Result<Vocab> read(const JsonValue& tree, std::string_view merges_txt) {
  Vocab vocab;
  vocab.pre_tokenizer = "gpt-2";
  vocab.add_space_prefix = false;
  const JsonValue no_other_fields;
  SMELT_TRY(tokenizer_json::read_token_map(JsonField(tree, ""), JsonField(no_other_fields, ""), vocab));
  SMELT_TRY(read_merge_lines(merges_txt, vocab));
  find_end(vocab);
  return vocab;
}

}  // namespace

Result<Vocab> parse_vocab_merges(std::string_view vocab_json, std::string_view merges_txt,
                                 const std::string& file_name) {
  SMELT_ASSIGN(const JsonValue tree, parse_json_tree(vocab_json, file_name));
  return read(tree, merges_txt).with_context(escape_for_display(file_name, 4096));
}

}  // namespace smelt
