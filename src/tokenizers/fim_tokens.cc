// add_fim_tokens: the tokens of fill-in-the-middle, by the texts that models publish.
#include <algorithm>
#include <string_view>

#include "tokenizers/vocab.h"

namespace smelt {
namespace {

struct KnownText {
  std::string_view text;
  std::optional<TokenId> Vocab::*field;
};

// StarCoder, SmolLM, Granite; CodeGemma, Qwen 2.5 Coder; CodeLlama; DeepSeek-Coder, whose "hole" stands between what is
// before and what is behind it; Granite's older spelling.
constexpr KnownText kTexts[] = {{"<fim_prefix>", &Vocab::fim_prefix},    {"<fim_suffix>", &Vocab::fim_suffix},
                                {"<fim_middle>", &Vocab::fim_middle},    {"<fim_pad>", &Vocab::fim_pad},
                                {"<reponame>", &Vocab::fim_repository},  {"<repo_name>", &Vocab::fim_repository},
                                {"<file_sep>", &Vocab::fim_separator},   {"<|fim_prefix|>", &Vocab::fim_prefix},
                                {"<|fim_suffix|>", &Vocab::fim_suffix},  {"<|fim_middle|>", &Vocab::fim_middle},
                                {"<|fim_pad|>", &Vocab::fim_pad},        {"<|repo_name|>", &Vocab::fim_repository},
                                {"<|file_sep|>", &Vocab::fim_separator}, {"<|file_separator|>", &Vocab::fim_separator},
                                {"▁<PRE>", &Vocab::fim_prefix},          {"▁<SUF>", &Vocab::fim_suffix},
                                {"▁<MID>", &Vocab::fim_middle},          {"▁<EOT>", &Vocab::eot},
                                {"<｜fim▁begin｜>", &Vocab::fim_prefix}, {"<｜fim▁hole｜>", &Vocab::fim_suffix},
                                {"<｜fim▁end｜>", &Vocab::fim_middle},   {"<fim-prefix>", &Vocab::fim_prefix},
                                {"<fim-suffix>", &Vocab::fim_suffix},    {"<fim-middle>", &Vocab::fim_middle},
                                {"<fim-pad>", &Vocab::fim_pad}};

bool is_mark(TokenType type) { return type == TokenType::control || type == TokenType::user_defined; }

void end_at(Vocab& vocab, const std::optional<TokenId>& id) {
  if (id && std::find(vocab.eos_all.begin(), vocab.eos_all.end(), *id) == vocab.eos_all.end())
    vocab.eos_all.push_back(*id);
}

}  // namespace

void add_fim_tokens(Vocab& vocab) {
  for (size_t i = 0; i < vocab.tokens.size(); ++i) {
    const Token& token = vocab.tokens[i];
    if (!is_mark(token.type)) continue;
    const auto known = std::find_if(std::begin(kTexts), std::end(kTexts),
                                    [&](const KnownText& each) { return each.text == token.text; });
    if (known != std::end(kTexts) && !(vocab.*(known->field))) vocab.*(known->field) = static_cast<TokenId>(i);
  }
  for (const auto field : {&Vocab::fim_prefix, &Vocab::fim_suffix, &Vocab::fim_middle, &Vocab::fim_pad,
                           &Vocab::fim_repository, &Vocab::fim_separator}) {
    const std::optional<TokenId>& id = vocab.*field;
    if (id) vocab.tokens[static_cast<size_t>(*id)].type = TokenType::control;
  }
  end_at(vocab, vocab.fim_pad);
  end_at(vocab, vocab.fim_repository);
  end_at(vocab, vocab.fim_separator);
}

}  // namespace smelt
