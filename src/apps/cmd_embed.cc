// smelt embed: texts to vectors.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/command.h"
#include "apps/options.h"
#include "apps/output.h"
#include "apps/signals.h"
#include "apps/text_list.h"
#include "runtime/embedder.h"

namespace smelt {
namespace {

struct EmbedArguments {
  std::string model;
  TextList texts;
  std::string pooling = "auto", normalize = "auto";
  int64_t n_threads = 0;
  Compute compute = Compute::int8;
  bool json = false;
};

using Vectors = std::vector<std::vector<float>>;

std::string format_json(const Embedder& embedder, const std::vector<std::string>& texts, const Vectors& vectors) {
  nlohmann::ordered_json out = {{"model", embedder.config().name},
                                {"pooling", pooling_name(embedder.embedding_config().pooling)},
                                {"normalized", embedder.embedding_config().normalize},
                                {"max_tokens", embedder.embedding_config().max_tokens},
                                {"width", embedder.config().d_model},
                                {"embeddings", nlohmann::ordered_json::array()}};
  for (size_t i = 0; i < texts.size(); ++i) {
    out["embeddings"].push_back({{"text", texts[i]}, {"embedding", vectors[i]}});
  }
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string format_lines(const Vectors& vectors) {
  std::string out;
  for (const std::vector<float>& vector : vectors) out += fmt::format("{:.7g}\n", fmt::join(vector, " "));
  return out;
}

Status run_embed(const EmbedArguments& arguments) {
  SMELT_ASSIGN(const std::vector<std::string> texts, read_texts(arguments.texts));
  EmbedOptions options = {.pooling = find_pooling(arguments.pooling),
                          .normalize = std::nullopt,
                          .n_threads = static_cast<int>(arguments.n_threads),
                          .compute = arguments.compute};
  if (arguments.normalize != "auto") options.normalize = arguments.normalize == "yes";
  SMELT_ASSIGN(Embedder embedder, Embedder::open(arguments.model, options));
  SMELT_ASSIGN(const Vectors vectors, embedder.embed(texts, &interrupt_token()));
  return print(arguments.json ? format_json(embedder, texts, vectors) : format_lines(vectors));
}

Action add(CLI::App& app) {
  auto arguments = std::make_shared<EmbedArguments>();
  add_model(app, arguments->model);
  add_text_list(app, arguments->texts);
  app.add_option("--pooling", arguments->pooling, "how the tokens' rows become one (default auto: as the model says)")
      ->check(CLI::IsMember({"auto", "cls", "mean", "last"}))
      ->type_name("auto|cls|mean|last");
  app.add_option("--normalize", arguments->normalize, "to length 1 (default auto: as the model says)")
      ->check(CLI::IsMember({"auto", "yes", "no"}))
      ->type_name("auto|yes|no");
  add_threads(app, arguments->n_threads);
  add_compute(app, arguments->compute);
  add_json(app, arguments->json);
  return [arguments] { return run_embed(*arguments); };
}

}  // namespace

extern const Command embed_command;
const Command embed_command = {
    .name = "embed",
    .summary = "Turn texts into vectors",
    .details =
        "For encoders (BERT, MiniLM, RoBERTa, ModernBERT, …) and for models that write text. How the rows of a text's "
        "tokens become one vector is read from the model: the folders of sentence-transformers or GGUF's pooling_type. "
        "Longer texts than the model takes are cut, which a note tells. One line a text: numbers with spaces between.",
    .examples =
        "  smelt embed minilm --text \"a red car\" --text \"an automobile\"\n"
        "  smelt embed minilm --file sentences.txt --json\n"
        "  smelt embed small.gguf --text \"a red car\" --pooling mean --normalize yes\n",
    .add = add,
};

}  // namespace smelt
