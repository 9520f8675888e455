// What masks cost a token: documents as models write them, token by token under their schemas, with nothing known when
// each begins. The vocabulary is of 128,000 tokens: those of GPT-2, Falcon and StarCoder (data folder, tokenizers/) and
// joined pairs of them. Counters: microseconds of a mask and of accepting its token, over all tokens of an iteration.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <unordered_map>
#include <unordered_set>

#include "formats/checkpoint.h"
#include "grammar/constraint.h"
#include "grammar/grammar.h"
#include "models/model.h"

namespace smelt {
namespace {

constexpr size_t kVocab = 128'000;

struct Document {
  const char *name, *schema, *text;
};

constexpr Document kDocuments[] = {
    {"person",
     R"j({"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer","minimum":0,"maximum":150},
      "email":{"type":"string","format":"email"},"address":{"type":"object","properties":{"street":{"type":"string"},
      "city":{"type":"string"},"zip":{"type":"string","pattern":"^[0-9]{5}$"}},"required":["street","city"]},
      "born":{"type":"string","format":"date"}},"required":["name","age","email"],"additionalProperties":false})j",
     R"j({"name": "Margaret Hamilton", "age": 33, "email": "margaret.hamilton@example.com", "address": {"street": "77 Massachusetts Avenue", "city": "Cambridge", "zip": "02139"}, "born": "1936-08-17"})j"},
    {"tool call",
     R"j({"anyOf":[{"type":"object","properties":{"name":{"const":"get_weather"},"arguments":{"type":"object","properties":
      {"city":{"type":"string","maxLength":100},"unit":{"enum":["celsius","fahrenheit"]},"days":{"type":"integer","minimum":1,
      "maximum":14}},"required":["city"],"additionalProperties":false}},"required":["name","arguments"]},
      {"type":"object","properties":{"name":{"const":"send_mail"},"arguments":{"type":"object","properties":{"to":{"type":
      "string","format":"email"},"subject":{"type":"string","maxLength":80},"body":{"type":"string","maxLength":2000}},
      "required":["to","subject","body"]}},"required":["name","arguments"]}]})j",
     R"j({"name": "send_mail", "arguments": {"to": "team@example.org", "subject": "The weather in Oslo on Friday", "body": "Hello all,\nIt will rain in the morning, and the afternoon will be dry with a light wind from the north. Please take a coat with you, since we walk from the station to the harbour.\nKind regards"}})j"},
    {"list of records",
     R"j({"type":"array","items":{"type":"object","properties":{"id":{"type":"integer"},"title":{"type":"string"},
      "tags":{"type":"array","items":{"type":"string"}},"price":{"type":"number","minimum":0},"sold":{"type":"boolean"},
      "note":{"type":["string","null"]}},"required":["id","title","tags","price","sold"],"additionalProperties":false}})j",
     R"j([{"id": 1, "title": "A lamp for the desk", "tags": ["light", "home", "office"], "price": 39.95, "sold": false, "note": null}, {"id": 2, "title": "Wooden chair, painted blue", "tags": [], "price": 120, "sold": true, "note": "The left leg was mended"}, {"id": 3, "title": "Carpet", "tags": ["floor"], "price": 75.5, "sold": false}])j"},
    {"recursive tree",
     R"j({"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"label":{"type":"string"},"children":{"type":
      "array","items":{"$ref":"#/$defs/node"}}},"required":["label","children"],"additionalProperties":false}}})j",
     R"j({"label": "root of it all", "children": [{"label": "the first branch", "children": [{"label": "a leaf, green", "children": []}, {"label": "another leaf", "children": [{"label": "a bug on the leaf", "children": []}]}]}, {"label": "the second branch", "children": []}]})j"},
    {"any JSON", "true",
     R"j({"menu": {"id": "file", "value": "File", "popup": {"items": [{"value": "New", "onclick": "CreateNewDoc()"}, {"value": "Open", "onclick": "OpenDoc()"}, {"value": "Close", "onclick": "CloseDoc()"}], "sizes": [1, 2.5, -3e4, true, null]}}})j"},
};

Vocab big_vocab() {
  const char* given = std::getenv("SMELT_DATA");
  const std::string folder = given != nullptr ? given : "../shared/data";
  Vocab out;
  std::unordered_set<std::string> known;
  const auto add = [&](const std::string& text) {
    if (out.tokens.size() < kVocab && text.size() < 64 && known.insert(text).second)
      out.tokens.push_back({.text = text});
  };
  add("<|end|>");
  out.tokens.front().type = TokenType::control;
  for (const char* name : {"gpt-2", "falcon", "starcoder"}) {
    const auto checkpoint = Checkpoint::open(folder + "/tokenizers/ggml-vocab/ggml-vocab-" + name + ".gguf");
    if (!checkpoint) return {};
    const auto vocab = load_vocab(*checkpoint);
    if (!vocab) return {};
    for (const Token& token : vocab->tokens)
      if (token.type == TokenType::normal) add(token.text);
    if (out.pre_tokenizer.empty()) out.pre_tokenizer = vocab->pre_tokenizer;
  }
  const size_t real = out.tokens.size();
  for (size_t i = 300; out.tokens.size() < kVocab; ++i) add(out.tokens[i].text + out.tokens[(i * 7919) % real].text);
  out.eos = 0;
  out.eos_all = {0};
  return out;
}

struct Setting {
  std::shared_ptr<const TokenTrie> trie;
  std::unordered_map<std::string, TokenId> ids;  // by bytes
};

const Setting& setting() {
  static const Setting made = [] {
    Setting out;
    auto tokenizer = make_tokenizer(big_vocab());
    if (!tokenizer || (*tokenizer)->n_vocab() < static_cast<int64_t>(kVocab)) return out;
    out.trie = *TokenTrie::build(*tokenizer);
    for (TokenId id = 0; id < (*tokenizer)->n_vocab(); ++id) out.ids.emplace((*tokenizer)->token_bytes(id), id);
    return out;
  }();
  return made;
}

// The longest token each time, as a model would mostly write.
std::vector<TokenId> tokenize(const Setting& in, std::string_view text) {
  std::vector<TokenId> out;
  while (!text.empty()) {
    for (size_t n = std::min<size_t>(text.size(), 40); n > 0; --n) {
      const auto known = in.ids.find(std::string(text.substr(0, n)));
      if (known == in.ids.end()) continue;
      out.push_back(known->second);
      text.remove_prefix(n);
      break;
    }
  }
  return out;
}

void report(benchmark::State& state, std::vector<double> micros) {
  std::sort(micros.begin(), micros.end());
  const auto at = [&](double share) {
    return micros[static_cast<size_t>(share * static_cast<double>(micros.size() - 1))];
  };
  state.counters["tokens"] = static_cast<double>(micros.size()) / static_cast<double>(state.iterations());
  state.counters["us_p50"] = at(0.5);
  state.counters["us_p90"] = at(0.9);
  state.counters["us_p99"] = at(0.99);
  state.counters["us_max"] = micros.back();
}

// One document, or all of them for the last index; n_left as of a generation with room for as many tokens more.
void masks(benchmark::State& state) {
  const Setting& in = setting();
  if (in.trie == nullptr) return state.SkipWithError("the vocabularies of the data folder are missing; set SMELT_DATA");
  const auto index = static_cast<size_t>(state.range(0));
  std::vector<double> micros;
  for ([[maybe_unused]] auto _ : state) {
    for (size_t i = 0; i < std::size(kDocuments); ++i) {
      if (index < std::size(kDocuments) && i != index) continue;
      const auto nfa = std::make_shared<const Nfa>(*Nfa::compile(*parse_json_schema(kDocuments[i].schema, "s")));
      Constraint constraint(nfa, in.trie);
      constraint.begin(false);
      for (const TokenId id : tokenize(in, kDocuments[i].text)) {
        const auto start = std::chrono::steady_clock::now();
        const auto mask = constraint.mask(512);
        if (!mask || !allows(*mask, id)) return state.SkipWithError("a document's token is not allowed");
        if (!constraint.accept(id)) return state.SkipWithError("a document's token is not accepted");
        micros.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
      }
      if (!constraint.may_end()) return state.SkipWithError("a document does not end");
    }
  }
  state.SetLabel(index < std::size(kDocuments) ? kDocuments[index].name : "all");
  report(state, std::move(micros));
}
BENCHMARK(masks)->DenseRange(0, std::size(kDocuments))->Unit(benchmark::kMillisecond);

void compile_schema(benchmark::State& state) {
  for ([[maybe_unused]] auto _ : state) {
    auto nfa = Nfa::compile(*parse_json_schema(kDocuments[1].schema, "s"));
    benchmark::DoNotOptimize(nfa);
  }
}
BENCHMARK(compile_schema)->Unit(benchmark::kMillisecond);

void build_trie(benchmark::State& state) {
  if (setting().trie == nullptr)
    return state.SkipWithError("the vocabularies of the data folder are missing; set SMELT_DATA");
  const auto tokenizer = *make_tokenizer(big_vocab());
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(TokenTrie::build(tokenizer));
}
BENCHMARK(build_trie)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace smelt
