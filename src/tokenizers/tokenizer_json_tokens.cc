// The tokens of tokenizer.json: model.vocab, added_tokens and model.merges.
#include <fmt/format.h>

#include <cmath>
#include <unordered_map>

#include "base/text.h"
#include "tokenizers/tokenizer_json_parts.h"

namespace smelt::tokenizer_json {
namespace {

constexpr size_t kMaxHoles = 4096;  // ids without a token; more would let a small file ask for a large vocabulary

// Collects tokens at ids given in any order.
class TokenTable {
 public:
  explicit TokenTable(size_t n_given) : n_limit_(n_given + kMaxHoles) {}

  Status check_id(int64_t id, const JsonField& field) const {
    if (id >= 0 && static_cast<uint64_t>(id) < n_limit_ && id < INT32_MAX) return {};
    return field.error(
        fmt::format("is {}, allowed 0 … {} in a file with {} tokens", id, n_limit_ - 1, n_limit_ - kMaxHoles));
  }
  // The id must have been checked.
  Status put(int64_t id, Token token, const JsonField& field) {
    const auto at = static_cast<size_t>(id);
    if (at >= used_.size()) {
      used_.resize(at + 1);
      tokens_.resize(at + 1);
    }
    if (used_[at]) {
      return field.error(fmt::format("id {} is given to '{}' and to '{}'", id, escape_for_display(tokens_[at].text),
                                     escape_for_display(token.text)));
    }
    const auto [earlier, inserted] = ids_.emplace(token.text, id);
    if (!inserted) {
      return field.error(
          fmt::format("token '{}' has the ids {} and {}", escape_for_display(token.text), earlier->second, id));
    }
    used_[at] = true;
    tokens_[at] = std::move(token);
    return {};
  }
  // An added token may repeat one of the model, at the same id, and then says of what type it is.
  Status put_added(int64_t id, Token token, const JsonField& field) {
    const auto earlier = ids_.find(token.text);
    if (earlier == ids_.end()) return put(id, std::move(token), field);
    if (earlier->second != id) {
      return field.error(fmt::format("token '{}' has id {} here and {} in the model", escape_for_display(token.text),
                                     id, earlier->second));
    }
    Token& known = tokens_[static_cast<size_t>(id)];
    if (known.type == TokenType::control || known.type == TokenType::user_defined) {
      return field.error(fmt::format("token '{}' is given twice", escape_for_display(token.text)));
    }
    const float score = known.score;
    known = std::move(token);
    known.score = score;
    return {};
  }

  std::vector<Token> take() {
    for (size_t id = 0; id < used_.size(); ++id) {
      if (!used_[id]) tokens_[id] = {fmt::format("[PAD{}]", id), 0, TokenType::unused};
    }
    return std::move(tokens_);
  }

 private:
  size_t n_limit_;
  std::vector<Token> tokens_;
  std::vector<bool> used_;
  std::unordered_map<std::string, int64_t> ids_;
};

size_t count_added(const JsonField& root) {
  const auto list = root.find("added_tokens");
  return list && list->value().array() != nullptr ? list->value().array()->size() : 0;
}

Status add_token(const JsonField& added, TokenTable& table) {
  SMELT_ASSIGN(const JsonField id_field, added.get("id"));
  SMELT_ASSIGN(const int64_t id, id_field.integer());
  SMELT_TRY(table.check_id(id, id_field));
  SMELT_ASSIGN(const JsonField content_field, added.get("content"));
  SMELT_ASSIGN(std::string content, content_field.string());
  if (content.empty()) return content_field.error("is empty");
  SMELT_ASSIGN(const bool special, added.get_bool("special", false));
  Token token{std::move(content), 0, special ? TokenType::control : TokenType::user_defined};
  SMELT_ASSIGN(token.strips_left, added.get_bool("lstrip", false));
  SMELT_ASSIGN(token.strips_right, added.get_bool("rstrip", false));
  SMELT_ASSIGN(token.single_word, added.get_bool("single_word", false));
  SMELT_ASSIGN(token.normalized, added.get_bool("normalized", !special));
  return table.put_added(id, std::move(token), added);
}

Status add_tokens(const JsonField& root, TokenTable& table) {
  const auto list = root.find("added_tokens");
  if (!list) return {};
  SMELT_ASSIGN(const JsonValue::Array* entries, list->array());
  for (size_t i = 0; i < entries->size(); ++i) SMELT_TRY(add_token(list->at(i), table));
  return {};
}

Status finish(TokenTable& table, const JsonField& root, const JsonField& vocab_field, Vocab& vocab) {
  SMELT_TRY(add_tokens(root, table));
  vocab.tokens = table.take();
  if (vocab.tokens.empty()) return vocab_field.error("is empty; the file has no tokens");
  return {};
}

Result<std::pair<std::string, std::string>> read_merge(const JsonField& merge) {
  if (const std::string* text = merge.value().text()) {
    const size_t space = text->find(' ');
    const bool two = space != std::string::npos && space > 0 && space + 1 < text->size() &&
                     text->find(' ', space + 1) == std::string::npos;
    if (two) return std::make_pair(text->substr(0, space), text->substr(space + 1));
    return merge.error(fmt::format("is '{}', must be two tokens with a space between", escape_for_display(*text)));
  }
  const JsonValue::Array* pair = merge.value().array();
  if (pair == nullptr || pair->size() != 2 || (*pair)[0].text() == nullptr || (*pair)[1].text() == nullptr) {
    return merge.error("must be two tokens, as \"a b\" or [\"a\", \"b\"]");
  }
  if ((*pair)[0].text()->empty() || (*pair)[1].text()->empty()) return merge.error("merges an empty token");
  return std::make_pair(*(*pair)[0].text(), *(*pair)[1].text());
}

}  // namespace

Status read_token_map(const JsonField& vocab_map, const JsonField& root, Vocab& vocab) {
  SMELT_ASSIGN(const JsonValue::Object* members, vocab_map.object());
  TokenTable table(members->size() + count_added(root));
  for (const JsonMember& member : *members) {
    const JsonField field(member.value, fmt::format("{}.{}", vocab_map.path(), member.key));
    SMELT_ASSIGN(const int64_t id, field.integer());
    SMELT_TRY(table.check_id(id, field));
    SMELT_TRY(table.put(id, {member.key, 0, TokenType::normal}, vocab_map));
  }
  return finish(table, root, vocab_map, vocab);
}

Status read_token_scores(const JsonField& list, const JsonField& root, Vocab& vocab) {
  SMELT_ASSIGN(const JsonValue::Array* entries, list.array());
  TokenTable table(entries->size() + count_added(root));
  for (size_t i = 0; i < entries->size(); ++i) {
    const JsonValue::Array* pair = (*entries)[i].array();
    const bool good = pair != nullptr && pair->size() == 2 && (*pair)[0].text() != nullptr && (*pair)[1].number();
    if (!good) return list.at(i).error("must be a token and its score, as [\"a\", -1.5]");
    const auto score = static_cast<float>(*(*pair)[1].number());
    if (!std::isfinite(score)) return list.at(i).error("the score is out of range");
    SMELT_TRY(table.put(static_cast<int64_t>(i), {*(*pair)[0].text(), score, TokenType::normal}, list));
  }
  return finish(table, root, list, vocab);
}

Result<TokenId> find_token_id(const Vocab& vocab, const JsonField& field, const std::string& text) {
  for (size_t i = 0; i < vocab.tokens.size(); ++i) {
    if (vocab.tokens[i].text == text) return static_cast<TokenId>(i);
  }
  return field.error(fmt::format("token '{}' is not in the vocabulary", escape_for_display(text)));
}

Result<std::vector<std::pair<std::string, std::string>>> read_merges(const JsonField& model) {
  SMELT_ASSIGN(const JsonField list, model.get("merges"));
  SMELT_ASSIGN(const JsonValue::Array* entries, list.array());
  std::vector<std::pair<std::string, std::string>> merges;
  merges.reserve(entries->size());
  for (size_t i = 0; i < entries->size(); ++i) {
    SMELT_ASSIGN(auto merge, read_merge(list.at(i)));
    merges.push_back(std::move(merge));
  }
  return merges;
}

}  // namespace smelt::tokenizer_json
