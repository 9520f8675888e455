// smelt tokenize: text to token ids.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/command.h"
#include "apps/options.h"
#include "apps/output.h"
#include "models/model.h"

namespace smelt {
namespace {

struct TokenizeArguments {
  std::string model;
  TextSource source;
  EncodeOptions options;
  bool json = false;
};

std::string format_json(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  std::vector<std::string> pieces;
  pieces.reserve(ids.size());
  for (const TokenId id : ids) pieces.push_back(tokenizer.token_bytes(id, true));
  const nlohmann::ordered_json out = {{"count", ids.size()}, {"ids", ids}, {"pieces", pieces}};
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Status run_tokenize(const TokenizeArguments& arguments) {
  SMELT_ASSIGN(const Checkpoint checkpoint, Checkpoint::open(arguments.model));
  SMELT_ASSIGN(const auto tokenizer, load_tokenizer(checkpoint));
  SMELT_ASSIGN(const std::string text, read_text(arguments.source, LastNewline::keep));
  const std::vector<TokenId> ids = tokenizer->encode(text, arguments.options);
  if (arguments.json) return print(format_json(*tokenizer, ids));
  return print(fmt::format("{}\n", fmt::join(ids, " ")));
}

Action add(CLI::App& app) {
  auto arguments = std::make_shared<TokenizeArguments>();
  add_model(app, arguments->model);
  add_text_source(app, arguments->source, "the text");
  app.add_flag("--special", arguments->options.add_special,
               "add the begin and end tokens that the vocabulary asks for");
  app.add_flag("--parse-special", arguments->options.parse_special,
               "text that spells a control token becomes that token");
  app.add_flag("--json", arguments->json, "ids and pieces as one JSON object");
  return [arguments] { return run_tokenize(*arguments); };
}

}  // namespace

extern const Command tokenize_command;
const Command tokenize_command = {
    .name = "tokenize",
    .summary = "Turn text into token ids",
    .details = "Ids are separated by spaces. Text is taken to the last byte: a newline at the end of a file counts.",
    .examples =
        "  smelt tokenize small.gguf -p \"Once upon a time\"\n"
        "  smelt tokenize small.gguf -f book.txt --special | wc -w\n"
        "  smelt tokenize small.gguf -p \"Once upon a time\" --json\n",
    .add = add,
};

}  // namespace smelt
