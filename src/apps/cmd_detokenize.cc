// smelt detokenize: token ids to text.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <memory>

#include "apps/command.h"
#include "apps/options.h"
#include "apps/output.h"
#include "base/text.h"
#include "models/model.h"

namespace smelt {
namespace {

struct DetokenizeArguments {
  std::string model;
  std::vector<std::string> words;
  bool special = false;
};

Result<TokenId> parse_id(const std::string& word, int64_t n_vocab) {
  int64_t id = 0;
  const char* end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, id);
  if (error != std::errc() || stop != end)
    return usage_error(fmt::format("'{}' is not a token id", escape_for_display(word)));
  if (id < 0 || id >= n_vocab)
    return input_error(fmt::format("token id {} is outside the vocabulary, 0 … {}", id, n_vocab - 1));
  return static_cast<TokenId>(id);
}

Status run_detokenize(const DetokenizeArguments& arguments) {
  SMELT_ASSIGN(const Checkpoint checkpoint, Checkpoint::open(arguments.model));
  SMELT_ASSIGN(const auto tokenizer, load_tokenizer(checkpoint));
  std::vector<std::string> words = arguments.words;
  if (words.empty()) {
    SMELT_ASSIGN(const std::string text, read_text_file("-"));
    std::istringstream stream(text);
    for (std::string word; stream >> word;) words.push_back(word);
  }
  std::vector<TokenId> ids;
  for (const std::string& word : words) {
    SMELT_ASSIGN(const TokenId id, parse_id(word, tokenizer->n_vocab()));
    ids.push_back(id);
  }
  return print(tokenizer->decode(ids, arguments.special) + "\n");
}

Action add(CLI::App& app) {
  auto arguments = std::make_shared<DetokenizeArguments>();
  add_model(app, arguments->model);
  app.add_option("ID", arguments->words, "token ids (default: from standard input)")->type_name("N");
  app.add_flag("--special", arguments->special, "show control tokens too");
  return [arguments] { return run_detokenize(*arguments); };
}

}  // namespace

extern const Command detokenize_command;
const Command detokenize_command = {
    .name = "detokenize",
    .summary = "Turn token ids into text",
    .details = "",
    .examples =
        "  smelt detokenize small.gguf 403 407 261 378\n"
        "  smelt tokenize small.gguf -p hello | smelt detokenize small.gguf\n",
    .add = add,
};

}  // namespace smelt
