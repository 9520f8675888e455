#include "tokenizers/infill.h"

#include <algorithm>
#include <string>

namespace smelt {
namespace {

// Without the space that SentencePiece puts in front of a text: the suffix goes on where the gap ends. It is encoded
// behind a character that joins with nothing, whose tokens are taken off again, as CodeLlama's authors do.
void append_without_prefix(const Tokenizer& tokenizer, std::string_view text, std::vector<TokenId>& ids) {
  const std::string mark = "\u263A";
  const std::vector<TokenId> front = tokenizer.encode(mark);
  const std::vector<TokenId> all = tokenizer.encode(mark + std::string(text));
  const bool apart = front.size() <= all.size() && std::equal(front.begin(), front.end(), all.begin());
  const std::vector<TokenId> plain =
      apart && tokenizer.adds_space_prefix()
          ? std::vector<TokenId>(all.begin() + static_cast<ptrdiff_t>(front.size()), all.end())
          : tokenizer.encode(text);
  ids.insert(ids.end(), plain.begin(), plain.end());
}

}  // namespace

Result<std::vector<TokenId>> encode_infill(const Tokenizer& tokenizer, std::string_view prefix,
                                           std::string_view suffix) {
  const Vocab& vocab = tokenizer.vocab();
  if (!vocab.fim_prefix || !vocab.fim_suffix || !vocab.fim_middle) {
    return input_error(
        "the model has no fill-in-the-middle tokens (<fim_prefix>, <fim_suffix>, <fim_middle> or their like); take one "
        "that "
        "was trained to infill, or 'smelt run' to go on with a text");
  }
  std::vector<TokenId> ids;
  if (vocab.add_bos && vocab.bos) ids.push_back(*vocab.bos);
  ids.push_back(*vocab.fim_prefix);
  const std::vector<TokenId> before = tokenizer.encode(prefix);
  ids.insert(ids.end(), before.begin(), before.end());
  ids.push_back(*vocab.fim_suffix);
  append_without_prefix(tokenizer, suffix, ids);
  ids.push_back(*vocab.fim_middle);
  return ids;
}

}  // namespace smelt
