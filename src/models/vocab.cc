// The vocabulary from wherever a checkpoint keeps it, with the special ids that Hugging Face spreads over four files.
#include <fmt/format.h>

#include <algorithm>

#include "base/json_tree.h"
#include "base/log.h"
#include "base/text.h"
#include "models/canonical_keys.h"
#include "models/family.h"
#include "models/model.h"

namespace smelt {
namespace {

std::span<const std::byte> as_bytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

int64_t count_tokens(const Checkpoint& checkpoint) {
  constexpr const char* kEmbedding = "token_embd.weight";
  const auto family = find_family(checkpoint);
  const TensorName* name = family ? find_tensor_name(**family, kEmbedding, Dialect::gguf) : nullptr;
  const TensorEntry* embedding =
      name == nullptr ? checkpoint.find_tensor(kEmbedding) : find_tensor(checkpoint, **family, *name, -1);
  return embedding == nullptr ? 0 : embedding->view.rows();
}

Error no_tokenizer(const Checkpoint& checkpoint) {
  if (checkpoint.dialect() == Dialect::hugging_face) {
    return input_error(checkpoint.path() +
                       ": no tokenizer.json, tokenizer.model or vocab.json with merges.txt in the folder");
  }
  return input_error(checkpoint.path() +
                     ": no tokenizer: key 'tokenizer.ggml.model' is missing (for a llama2.c file, put "
                     "its tokenizer beside it as tokenizer.bin)");
}

Result<TokenId> checked_id(const Metadata& metadata, const std::string& key, int64_t id, const Vocab& vocab) {
  const auto n = static_cast<int64_t>(vocab.tokens.size());
  if (id >= 0 && id < n) return static_cast<TokenId>(id);
  return input_error(fmt::format("{} is {}, allowed 0 … {}", metadata.title(key), id, n - 1));
}

// One id or a list of them: "eos_token_id" of config.json and generation_config.json.
Result<std::vector<TokenId>> find_ids(const Metadata& metadata, const std::string& key, const Vocab& vocab) {
  std::vector<TokenId> ids;
  const MetaValue* value = metadata.find(key);
  if (value == nullptr) return ids;
  std::vector<int64_t> wanted;
  if (value->type == MetaType::array) {
    SMELT_ASSIGN(auto list, metadata.find_ints(key));
    if (list) wanted = std::move(*list);
  } else {
    SMELT_ASSIGN(const uint64_t id, metadata.get_uint(key));
    wanted.push_back(static_cast<int64_t>(id));
  }
  for (const int64_t each : wanted) {
    SMELT_ASSIGN(const TokenId id, checked_id(metadata, key, each, vocab));
    ids.push_back(id);
  }
  return ids;
}

std::optional<TokenId> find_token(const Vocab& vocab, const std::string& text) {
  for (size_t i = 0; i < vocab.tokens.size(); ++i) {
    if (vocab.tokens[i].text == text) return static_cast<TokenId>(i);
  }
  return std::nullopt;
}

// A special token of tokenizer_config.json, given as text or as {"content": text}.
Result<std::optional<TokenId>> find_special(const Metadata& metadata, const std::string& name, const Vocab& vocab) {
  for (const std::string& key : {"tokenizer_config." + name, "tokenizer_config." + name + ".content"}) {
    SMELT_ASSIGN(const auto text, metadata.find_string(key));
    if (text) return find_token(vocab, *text);
  }
  return std::optional<TokenId>();
}

void add_end(Vocab& vocab, TokenId id) {
  if (std::find(vocab.eos_all.begin(), vocab.eos_all.end(), id) == vocab.eos_all.end()) vocab.eos_all.push_back(id);
}

// Tokenizer_config.json names the tokens, config.json and generation_config.json number them; the names win, and every
// end token that any of them knows ends a generation.
Status apply_special_ids(const Metadata& metadata, Vocab& vocab) {
  const struct {
    const char *name, *id_key;
    std::optional<TokenId>& field;
  } specials[] = {{"bos_token", "bos_token_id", vocab.bos},
                  {"eos_token", "eos_token_id", vocab.eos},
                  {"pad_token", "pad_token_id", vocab.padding},
                  {"unk_token", "", vocab.unknown}};
  for (const auto& [name, id_key, field] : specials) {
    SMELT_ASSIGN(const std::optional<TokenId> named, find_special(metadata, name, vocab));
    SMELT_ASSIGN(const std::vector<TokenId> numbered, find_ids(metadata, id_key, vocab));
    if (named) field = named;
    if (!field && !numbered.empty()) field = numbered.front();
  }
  for (const char* key : {"eos_token_id", "generation_config.eos_token_id"}) {
    SMELT_ASSIGN(const std::vector<TokenId> ids, find_ids(metadata, key, vocab));
    for (const TokenId id : ids) add_end(vocab, id);
    if (!vocab.eos && !ids.empty()) vocab.eos = ids.front();
  }
  if (vocab.eos) add_end(vocab, *vocab.eos);
  return {};
}

// A template, or of a list of {"name", "template"} the one named "default", else the first: the others are for tools or
// documents alone.
Result<std::string> pick_template(const JsonField& field) {
  if (field.value().array() == nullptr) return field.string();
  SMELT_ASSIGN(const JsonValue::Array* list, field.array());
  std::string picked;
  for (size_t i = list->size(); i-- > 0;) {
    SMELT_ASSIGN(const std::string name, field.at(i).get_string("name", ""));
    SMELT_ASSIGN(const JsonField source, field.at(i).get("template"));
    SMELT_ASSIGN(std::string text, source.string());
    if (name == "default") return text;
    picked = std::move(text);
  }
  return picked;
}

// As transformers looks for it: a file of its own, else the field of one of two JSON files.
Status read_chat_template(const Checkpoint& checkpoint, Vocab& vocab) {
  if (const Attachment* own_file = checkpoint.find_attachment("chat_template.jinja")) {
    vocab.chat_template = own_file->bytes;
    return {};
  }
  for (const char* name : {"chat_template.json", "tokenizer_config.json"}) {
    const Attachment* file = checkpoint.find_attachment(name);
    if (file == nullptr) continue;
    const std::string path = checkpoint.path() + "/" + name;
    SMELT_ASSIGN(const JsonValue tree, parse_json_tree(file->bytes, path));
    const auto field = JsonField(tree, "").find("chat_template");
    if (!field) continue;
    SMELT_ASSIGN(vocab.chat_template, pick_template(*field).with_context(path));
    return {};
  }
  return {};
}

Status apply_hf_settings(const Checkpoint& checkpoint, Vocab& vocab) {
  const Metadata& metadata = checkpoint.metadata();
  SMELT_TRY(apply_special_ids(metadata, vocab));
  SMELT_ASSIGN(const auto add_bos, metadata.find_bool("tokenizer_config.add_bos_token"));
  SMELT_ASSIGN(const auto add_eos, metadata.find_bool("tokenizer_config.add_eos_token"));
  vocab.add_bos = add_bos.value_or(vocab.add_bos) && vocab.bos.has_value();
  vocab.add_eos = add_eos.value_or(vocab.add_eos) && vocab.eos.has_value();
  return read_chat_template(checkpoint, vocab);
}

Result<Vocab> parse_hf_vocab(const Checkpoint& checkpoint) {
  const std::string folder = checkpoint.path() + "/";
  if (const Attachment* file = checkpoint.find_attachment("tokenizer.json")) {
    return parse_tokenizer_json(file->bytes, folder + file->name);
  }
  if (const Attachment* file = checkpoint.find_attachment("tokenizer.model")) {
    return parse_sentencepiece_model(as_bytes(file->bytes), folder + file->name);
  }
  const Attachment* tokens = checkpoint.find_attachment("vocab.json");
  const Attachment* merges = checkpoint.find_attachment("merges.txt");
  if (tokens == nullptr || merges == nullptr) return no_tokenizer(checkpoint);
  return parse_vocab_merges(tokens->bytes, merges->bytes, folder + tokens->name);
}

// Embeddings are often padded to a round number of rows; the rows without a token become unused tokens.
Status match_embedding(const Checkpoint& checkpoint, Vocab& vocab) {
  const int64_t n_rows = count_tokens(checkpoint);
  const auto n_tokens = static_cast<int64_t>(vocab.tokens.size());
  if (n_rows == 0 || n_rows == n_tokens) return {};
  const bool may_pad = checkpoint.dialect() == Dialect::hugging_face && n_tokens < n_rows;
  if (!may_pad) {
    return input_error(
        fmt::format("{}: the tokenizer has {} tokens, but the embedding has {} rows; they do not belong "
                    "together",
                    checkpoint.path(), n_tokens, n_rows));
  }
  log(LogLevel::note, fmt::format("{}: {} rows of the embedding have no token", checkpoint.path(), n_rows - n_tokens));
  for (int64_t i = n_tokens; i < n_rows; ++i) vocab.tokens.push_back({fmt::format("[PAD{}]", i), 0, TokenType::unused});
  return {};
}

Result<Vocab> load_gguf_vocab(const Checkpoint& checkpoint) {
  const Metadata& metadata = checkpoint.metadata();
  if (!metadata.contains("tokenizer.ggml.model")) {
    const Attachment* file = checkpoint.find_attachment("tokenizer.bin");
    if (file == nullptr) return no_tokenizer(checkpoint);
    return parse_llama2c_tokenizer(as_bytes(file->bytes), count_tokens(checkpoint), file->name)
        .with_context(checkpoint.path());
  }
  SMELT_ASSIGN(Vocab vocab, parse_gguf_vocab(metadata).with_context(checkpoint.path()));
  SMELT_ASSIGN(const std::vector<TokenId> ends, find_ids(metadata, kEosIdsKey, vocab).with_context(checkpoint.path()));
  for (const TokenId id : ends) add_end(vocab, id);
  return vocab;
}

}  // namespace

bool has_vocab(const Checkpoint& checkpoint) {
  if (checkpoint.metadata().contains("tokenizer.ggml.model")) return true;
  for (const char* name : {"tokenizer.json", "tokenizer.model", "tokenizer.bin", "vocab.json"}) {
    if (checkpoint.find_attachment(name) != nullptr) return true;
  }
  return false;
}

Result<Vocab> load_vocab(const Checkpoint& checkpoint) {
  if (checkpoint.dialect() == Dialect::gguf) return load_gguf_vocab(checkpoint);
  SMELT_ASSIGN(Vocab vocab, parse_hf_vocab(checkpoint));
  SMELT_TRY(apply_hf_settings(checkpoint, vocab).with_context(checkpoint.path()));
  SMELT_TRY(match_embedding(checkpoint, vocab));
  return vocab;
}

Result<std::shared_ptr<const Tokenizer>> load_tokenizer(const Checkpoint& checkpoint) {
  SMELT_ASSIGN(Vocab vocab, load_vocab(checkpoint));
  SMELT_TRY(match_embedding(checkpoint, vocab));
  return make_tokenizer(std::move(vocab)).with_context(checkpoint.path());
}

}  // namespace smelt
