// For schemas.py: reads JSON schemas, one a line, from standard input and writes for each a line of JSON: what a model
// wrote under it, or why not.
//   schema_tool MODEL N_PREDICT SEED
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "grammar/constraint.h"
#include "grammar/grammar.h"
#include "runtime/generate.h"

namespace {

using namespace smelt;

struct Writer {
  LoadedModel loaded;
  Session session;
  std::shared_ptr<const TokenTrie> trie;
};

Result<Writer> open_writer(const char* path) {
  SMELT_ASSIGN(LoadedModel loaded, load_model(path));
  SMELT_ASSIGN(Session session, Session::create(loaded.model, {.n_ctx = 1024}));
  SMELT_ASSIGN(auto trie, TokenTrie::build(loaded.tokenizer));
  return Writer{std::move(loaded), std::move(session), std::move(trie)};
}

Result<std::shared_ptr<const Nfa>> compile(const std::string& schema) {
  SMELT_ASSIGN(const Grammar grammar, parse_json_schema(schema, "schema"));
  SMELT_ASSIGN(Nfa nfa, Nfa::compile(grammar));
  return std::make_shared<const Nfa>(std::move(nfa));
}

nlohmann::json write(Writer& writer, const std::string& schema, GenerateOptions options) {
  auto nfa = compile(schema);
  if (!nfa) return {{"refused", nfa.error().message}};
  Constraint constraint(*nfa, writer.trie);
  options.constraint = &constraint;
  const std::vector<TokenId> prompt = writer.loaded.tokenizer->encode("JSON: ", {.add_special = true});
  auto result = generate(writer.session, *writer.loaded.tokenizer, prompt, options, [](auto) { return true; });
  if (!result) return {{"unfinished", result.error().message}};
  return {{"text", result->text}, {"tokens", result->ids.size()}, {"reason", finish_reason_name(result->reason)}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  auto writer = open_writer(argv[1]);
  if (!writer) {
    std::fprintf(stderr, "schema_tool: %s\n", writer.error().message.c_str());
    return 1;
  }
  GenerateOptions options;
  options.n_predict = std::stoll(argv[2]);
  options.sampling.temperature = 1;
  options.sampling.seed = std::stoull(argv[3]);
  std::string line;
  while (std::getline(std::cin, line)) {
    ++options.sampling.seed;
    std::cout << write(*writer, line, options).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
              << std::endl;
  }
  return 0;
}
