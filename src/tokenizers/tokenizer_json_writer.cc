// format_tokenizer_json: a vocabulary as the file of the Hugging Face library "tokenizers".
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/text.h"
#include "tokenizers/base64.h"
#include "tokenizers/tokenizer_json_parts.h"

namespace smelt {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kSpace = "▁";

bool is_added(const Token& token) {
  return token.type == TokenType::control || token.type == TokenType::user_defined || token.type == TokenType::unknown;
}

const std::string& text_of(const Vocab& vocab, TokenId id) { return vocab.tokens[static_cast<size_t>(id)].text; }

// "▁word" and "ing" of a Vocab are "word" and "##ing" there.
std::string spell(const Vocab& vocab, const Token& token) {
  if (vocab.model != TokenizerModel::wordpiece || is_added(token)) return token.text;
  if (token.text.starts_with(kSpace)) return token.text.substr(std::string_view(kSpace).size());
  const bool bracketed = token.text.size() > 2 && token.text.front() == '[' && token.text.back() == ']';
  return bracketed ? token.text : "##" + token.text;
}

Json added_tokens(const Vocab& vocab) {
  auto list = Json::array();
  for (size_t i = 0; i < vocab.tokens.size(); ++i) {
    const Token& token = vocab.tokens[i];
    if (!is_added(token)) continue;
    list.push_back({{"id", i},
                    {"content", token.text},
                    {"single_word", token.single_word},
                    {"lstrip", token.strips_left},
                    {"rstrip", token.strips_right},
                    {"normalized", token.normalized},
                    {"special", token.type != TokenType::user_defined}});
  }
  return list;
}

// {text: id}; ids of equal texts cannot both be said. Built as text, since the library's ordered object would look
// through all earlier keys for each new one.
Result<std::string> token_map(const Vocab& vocab) {
  std::unordered_map<std::string, size_t> ids;
  std::string out = "{";
  for (size_t i = 0; i < vocab.tokens.size(); ++i) {
    const std::string text = spell(vocab, vocab.tokens[i]);
    const auto [earlier, inserted] = ids.emplace(text, i);
    if (!inserted) {
      return input_error(fmt::format("tokens {} and {} are both '{}', which tokenizer.json cannot say", earlier->second,
                                     i, escape_for_display(text)));
    }
    out += fmt::format("{}{}:{}", i == 0 ? "" : ",", Json(text).dump(), i);
  }
  return out + "}";
}

std::string merge_list(const std::vector<std::pair<std::string, std::string>>& merges) {
  std::string out = "[";
  for (const auto& [left, right] : merges) {
    out += fmt::format("{}[{},{}]", out.size() == 1 ? "" : ",", Json(left).dump(), Json(right).dump());
  }
  return out + "]";
}

// Every way to make each token from two others, the best token first: what SentencePiece does by score.
std::vector<std::pair<std::string, std::string>> merges_by_score(const Vocab& vocab) {
  std::unordered_map<std::string_view, size_t> ids;
  for (size_t i = 0; i < vocab.tokens.size(); ++i) {
    if (vocab.tokens[i].type == TokenType::normal) ids.emplace(vocab.tokens[i].text, i);
  }
  std::vector<size_t> order;
  for (const auto& [text, id] : ids) order.push_back(id);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const float left = vocab.tokens[a].score;
    const float right = vocab.tokens[b].score;
    return left != right ? left > right : a < b;
  });
  std::vector<std::pair<std::string, std::string>> merges;
  for (const size_t id : order) {
    const std::string_view text = vocab.tokens[id].text;
    for (size_t at = utf8_length(text, 0); at > 0 && at < text.size();) {
      const std::string_view left = text.substr(0, at);
      const std::string_view right = text.substr(at);
      if (ids.contains(left) && ids.contains(right)) merges.emplace_back(left, right);
      const size_t length = utf8_length(text, at);
      if (length == 0) break;
      at += length;
    }
  }
  return merges;
}

bool has_all_bytes(const Vocab& vocab) {
  return std::count_if(vocab.tokens.begin(), vocab.tokens.end(),
                       [](const Token& token) { return token.type == TokenType::byte; }) == 256;
}

Result<std::string> bpe_model(const Vocab& vocab) {
  const bool bytes = vocab.model == TokenizerModel::byte_bpe;
  const Json unknown = vocab.unknown ? Json(text_of(vocab, *vocab.unknown)) : Json();
  SMELT_ASSIGN(const std::string map, token_map(vocab));
  return fmt::format(
      R"({{"type":"BPE","dropout":null,"unk_token":{},"continuing_subword_prefix":null,"end_of_word_suffix":null,)"
      R"("fuse_unk":{},"byte_fallback":{},"ignore_merges":{},"vocab":{},"merges":{}}})",
      unknown.dump(), !bytes, !bytes && has_all_bytes(vocab), vocab.ignore_merges, map,
      merge_list(bytes ? vocab.merges : merges_by_score(vocab)));
}

std::string unigram_model(const Vocab& vocab) {
  auto list = Json::array();
  for (const Token& token : vocab.tokens) list.push_back({token.text, token.score});
  return fmt::format(R"({{"type":"Unigram","unk_id":{},"vocab":{},"byte_fallback":{}}})",
                     vocab.unknown ? Json(*vocab.unknown).dump() : "null", list.dump(), has_all_bytes(vocab));
}

Result<std::string> wordpiece_model(const Vocab& vocab) {
  SMELT_ASSIGN(const std::string map, token_map(vocab));
  const Json unknown = vocab.unknown ? text_of(vocab, *vocab.unknown) : "[UNK]";
  return fmt::format(
      R"({{"type":"WordPiece","unk_token":{},"continuing_subword_prefix":"##","max_input_chars_per_word":100,"vocab":{}}})",
      unknown.dump(), map);
}

Result<std::string> model_json(const Vocab& vocab) {
  if (vocab.model == TokenizerModel::unigram) return unigram_model(vocab);
  return vocab.model == TokenizerModel::wordpiece ? wordpiece_model(vocab) : bpe_model(vocab);
}

Json replace_step(Json pattern, const char* content) {
  return {{"type", "Replace"}, {"pattern", std::move(pattern)}, {"content", content}};
}

Json normalizer(const Vocab& vocab) {
  if (vocab.model == TokenizerModel::byte_bpe) return vocab.nfc ? Json{{"type", "NFC"}} : Json();
  if (vocab.model == TokenizerModel::wordpiece) {
    return {{"type", "BertNormalizer"},
            {"clean_text", true},
            {"handle_chinese_chars", true},
            {"strip_accents", nullptr},
            {"lowercase", vocab.lowercase}};
  }
  auto steps = Json::array();
  if (!vocab.precompiled_charsmap.empty()) {
    steps.push_back({{"type", "Precompiled"}, {"precompiled_charsmap", encode_base64(vocab.precompiled_charsmap)}});
  }
  if (vocab.remove_extra_whitespaces) {
    steps.push_back(replace_step({{"Regex", R"(\A +| +\z)"}}, ""));
    steps.push_back(replace_step({{"Regex", " {2,}"}}, " "));
  }
  if (vocab.add_space_prefix && !vocab.single_space_prefix) {
    steps.push_back({{"type", "Prepend"}, {"prepend", kSpace}});
  }
  if (!vocab.single_space_prefix) steps.push_back(replace_step({{"String", " "}}, kSpace));
  return {{"type", "Sequence"}, {"normalizers", std::move(steps)}};
}

Json byte_level(bool use_regex) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

Result<Json> family_steps(const Vocab& vocab) {
  SMELT_ASSIGN(const auto expressions,
               tokenizer_json::family_expressions(vocab.pre_tokenizer.empty() ? "default" : vocab.pre_tokenizer));
  if (expressions.size() == 1 && expressions[0] == tokenizer_json::kGpt2Expression) return byte_level(true);
  auto steps = Json::array();
  for (const std::string& expression : expressions) {
    steps.push_back(
        {{"type", "Split"}, {"pattern", {{"Regex", expression}}}, {"behavior", "Isolated"}, {"invert", false}});
  }
  steps.push_back(byte_level(false));
  return Json{{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
}

Result<Json> pre_tokenizer(const Vocab& vocab) {
  if (vocab.model == TokenizerModel::byte_bpe) return family_steps(vocab);
  if (vocab.model == TokenizerModel::wordpiece) return Json{{"type", "BertPreTokenizer"}};
  if (!vocab.single_space_prefix) return Json();
  const char* scheme = !vocab.add_space_prefix ? "never" : vocab.space_prefix_once ? "first" : "always";
  return Json{{"type", "Metaspace"}, {"replacement", kSpace}, {"prepend_scheme", scheme}, {"split", false}};
}

Json post_processor(const Vocab& vocab) {
  const Json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  auto single = Json::array();
  Json known = Json::object();
  const auto add = [&](TokenId id) {
    const std::string& name = text_of(vocab, id);
    single.push_back({{"SpecialToken", {{"id", name}, {"type_id", 0}}}});
    known[name] = {{"id", name}, {"ids", {id}}, {"tokens", {name}}};
  };
  if (vocab.add_bos && vocab.bos) add(*vocab.bos);
  single.push_back(text);
  if (vocab.add_eos && vocab.eos) add(*vocab.eos);
  if (known.empty()) return {};
  auto pair = single;
  pair.push_back({{"Sequence", {{"id", "B"}, {"type_id", 1}}}});
  return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", known}};
}

Json decoder(const Vocab& vocab) {
  if (vocab.model == TokenizerModel::byte_bpe) return byte_level(true);
  if (vocab.model == TokenizerModel::wordpiece) return {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}};
  auto steps = Json::array();
  steps.push_back(replace_step({{"String", kSpace}}, " "));
  steps.push_back({{"type", "ByteFallback"}});
  steps.push_back({{"type", "Fuse"}});
  if (vocab.add_space_prefix) steps.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return {{"type", "Sequence"}, {"decoders", std::move(steps)}};
}

Status check_texts(const Vocab& vocab) {
  if (!vocab.escape_whitespaces)
    return input_error("a SentencePiece vocabulary that keeps spaces cannot be said there");
  for (size_t i = 0; i < vocab.tokens.size(); ++i) {
    if (is_valid_utf8(vocab.tokens[i].text)) continue;
    return input_error(
        fmt::format("token {}, '{}', is no valid UTF-8, as JSON must be", i, escape_for_display(vocab.tokens[i].text)));
  }
  for (size_t i = 0; i < vocab.merges.size(); ++i) {  // some may be of no tokens
    const auto& [left, right] = vocab.merges[i];
    if (is_valid_utf8(left) && is_valid_utf8(right)) continue;
    return input_error(fmt::format("merge {}, '{}' and '{}', is no valid UTF-8, as JSON must be", i,
                                   escape_for_display(left), escape_for_display(right)));
  }
  return {};
}

Result<std::string> format(const Vocab& vocab) {
  SMELT_TRY(check_texts(vocab));
  SMELT_ASSIGN(const Json cutter, pre_tokenizer(vocab));
  SMELT_ASSIGN(const std::string model, model_json(vocab));
  return fmt::format(
      "{{\n\"version\":\"1.0\",\n\"truncation\":null,\n\"padding\":null,\n\"added_tokens\":{},\n\"normalizer\":{},\n"
      "\"pre_tokenizer\":{},\n\"post_processor\":{},\n\"decoder\":{},\n\"model\":{}\n}}\n",
      added_tokens(vocab).dump(), normalizer(vocab).dump(), cutter.dump(), post_processor(vocab).dump(),
      decoder(vocab).dump(), model);
}

}  // namespace

Result<std::string> format_tokenizer_json(const Vocab& vocab) {
  const auto format_checked = [&]() -> Result<std::string> {
    SMELT_ASSIGN(std::string text, format(vocab));
    SMELT_ASSIGN(const Vocab read, parse_tokenizer_json(text, "read back"));
    SMELT_TRY(tokenizer_json::check_same(vocab, read));
    return text;
  };
  return format_checked().with_context("tokenizer.json cannot hold this vocabulary");
}

}  // namespace smelt
