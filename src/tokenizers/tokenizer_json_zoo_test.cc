// The zoo of bad tokenizer.json files: each is a good file with one thing changed, and is refused in one line that
// names the file and the field; those that are odd but sound are read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "tokenizers/tokenizer.h"

namespace smelt {
namespace {

using testing::HasSubstr;

constexpr const char* kFile = "dir/tokenizer.json";

// A file by its sections; each a JSON text.
struct Sketch {
  std::string added = R"([{"id":5,"content":"<|end|>","special":true}])";
  std::string normalizer = "null";
  std::string pre_tokenizer = R"({"type":"ByteLevel","add_prefix_space":false,"use_regex":true})";
  std::string post_processor = "null";
  std::string decoder = R"({"type":"ByteLevel"})";
  std::string model = R"({"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"c":3,"Ġ":4},"merges":["a b"]})";
  std::string text() const {
    return R"({"version":"1.0","added_tokens":)" + added + R"(,"normalizer":)" + normalizer + R"(,"pre_tokenizer":)" +
           pre_tokenizer + R"(,"post_processor":)" + post_processor + R"(,"decoder":)" + decoder + R"(,"model":)" +
           model + "}";
  }
};

Sketch sentencepiece() {
  Sketch sketch;
  sketch.added = R"([{"id":0,"content":"<unk>","special":true}])";
  sketch.normalizer = R"({"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},
                          {"type":"Replace","pattern":{"String":" "},"content":"▁"}]})";
  sketch.pre_tokenizer = "null";
  sketch.decoder = "null";
  sketch.model = R"({"type":"BPE","unk_token":"<unk>","byte_fallback":true,
                     "vocab":{"<unk>":0,"▁":1,"a":2,"b":3,"ab":4,"<0x0A>":5},"merges":[["a","b"]]})";
  return sketch;
}

Sketch unigram() {
  Sketch sketch = sentencepiece();
  sketch.normalizer = "null";
  sketch.pre_tokenizer = R"({"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":false})";
  sketch.model = R"({"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["▁",-1],["a",-2.5],["ab",-3]]})";
  return sketch;
}

Sketch wordpiece() {
  Sketch sketch;
  sketch.added = R"([{"id":0,"content":"[UNK]","special":true}])";
  sketch.normalizer = R"({"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,
                          "strip_accents":null,"lowercase":true})";
  sketch.pre_tokenizer = R"({"type":"BertPreTokenizer"})";
  sketch.decoder = R"({"type":"WordPiece","prefix":"##"})";
  sketch.model = R"({"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##",
                     "max_input_chars_per_word":100,"vocab":{"[UNK]":0,"a":1,"##a":2}})";
  return sketch;
}

struct BadFile {
  const char* name;
  std::string text;
  std::vector<std::string> hints;
};

using Section = std::string Sketch::*;
std::string with(Sketch sketch, Section section, std::string text) {
  sketch.*section = std::move(text);
  return sketch.text();
}
// One part of a section replaced.
std::string swap(Sketch sketch, Section section, const std::string& from, const std::string& to) {
  std::string& text = sketch.*section;
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  if (at != std::string::npos) text.replace(at, from.size(), to);
  return sketch.text();
}
std::string repeat(const std::string& part, int n) {
  std::string out;
  for (int i = 0; i < n; ++i) out += part;
  return out;
}
std::string split_step(const std::string& expression,
                       const std::string& more = R"("behavior":"Isolated","invert":false)") {
  return R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":")" + expression + R"("},)" + more +
         R"(},{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]})";
}

std::optional<Error> load_error(const std::string& text) {
  auto vocab = parse_tokenizer_json(text, kFile);
  if (!vocab) return std::move(vocab).error();
  auto tokenizer = make_tokenizer(std::move(*vocab)).with_context(kFile);
  if (!tokenizer) return std::move(tokenizer).error();
  for (const char* sample : {"ab c", "", "\xFF<0x0A>"}) (*tokenizer)->decode((*tokenizer)->encode(sample));
  return std::nullopt;
}

class TokenizerJsonZoo : public testing::TestWithParam<BadFile> {};

TEST_P(TokenizerJsonZoo, Refuses) {
  const BadFile& bad = GetParam();
  const auto error = load_error(bad.text);
  ASSERT_TRUE(error) << "was read";
  EXPECT_TRUE(error->message.starts_with(std::string(kFile) + ": ")) << error->message;
  EXPECT_TRUE(is_valid_utf8(error->message)) << error->message;
  EXPECT_EQ(error->message.find_first_of("\n\r\t\x1b"), std::string::npos) << error->message;
  EXPECT_LT(error->message.size(), 1000U) << error->message;
  for (const std::string& hint : bad.hints) EXPECT_THAT(error->message, HasSubstr(hint));
}

std::string name_of(const testing::TestParamInfo<BadFile>& one) { return one.param.name; }

const Sketch kGood;

std::vector<BadFile> json_zoo() {
  using namespace std::string_literals;
  return {
      {"tok_empty", "", {"line 1:1", "JSON"}},
      {"tok_truncated", kGood.text().substr(0, 200), {"line 1:", "JSON"}},
      {"tok_html", "<!DOCTYPE html>", {"line 1:1", "JSON"}},
      {"tok_utf16", "\xff\xfe{\0\"\0a\0"s, {"line 1:1", "UTF-16"}},
      {"tok_nul", std::string(64, '\0'), {"line 1:1"}},
      {"tok_deep", R"({"model":)" + std::string(100000, '['), {"line 1:", "levels"}},
      {"tok_deep_objects", repeat("{\"a\":", 100000), {"line 1:", "levels"}},
      {"tok_array", "[]", {"top level"}},
      {"tok_string", "\"x\"", {"top level"}},
      {"tok_null", "null", {"top level"}},
      {"tok_trailing", kGood.text() + "}", {"line 1:", "JSON"}},
      {"tok_bad_utf8", swap(kGood, &Sketch::model, "\"ab\"", "\"a\xFF\""), {"line 1:"}},
      {"tok_lone_surrogate", swap(kGood, &Sketch::model, "\"ab\"", "\"\\ud800\""), {"line 1:"}},
      {"tok_number_1e999", swap(unigram(), &Sketch::model, "-2.5", "1e999"), {"line"}},
      {"tok_nan", swap(unigram(), &Sketch::model, "-2.5", "NaN"), {"line"}},
      {"tok_model_missing", R"({"version":"1.0","added_tokens":[]})", {"field 'model'", "missing"}},
      {"tok_model_twice", R"({"model":{},"model":{}})", {"model"}},
      {"tok_model_number", with(kGood, &Sketch::model, "4"), {"field 'model"}},
      {"tok_model_list", with(kGood, &Sketch::model, "[]"), {"field 'model"}},
      {"tok_model_empty", with(kGood, &Sketch::model, "{}"), {"field 'model'", "type"}},
      {"tok_model_unknown",
       swap(kGood, &Sketch::model, "\"BPE\"", "\"WordLevel\""),
       {"field 'model'", "'WordLevel'", "supported are"}},
      {"tok_model_type_number", swap(kGood, &Sketch::model, "\"BPE\"", "7"), {"field 'model.type'"}},
      {"tok_model_type_escape", swap(kGood, &Sketch::model, "\"BPE\"", "\"\\u001b[2J\\n\""), {"\\x1b[2J\\x0a"}},
  };
}
INSTANTIATE_TEST_SUITE_P(Json, TokenizerJsonZoo, testing::ValuesIn(json_zoo()), name_of);

std::vector<BadFile> vocab_zoo() {
  const Section model = &Sketch::model;
  const Section added = &Sketch::added;
  return {
      {"vocab_missing",
       R"({"model":{"type":"BPE","merges":[]},"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false}})",
       {"model.vocab", "missing"}},
      {"vocab_null", swap(kGood, model, R"({"a":0,"b":1,"ab":2,"c":3,"Ġ":4})", "null"), {"model.vocab"}},
      {"vocab_list", swap(kGood, model, R"({"a":0,"b":1,"ab":2,"c":3,"Ġ":4})", "[]"), {"field 'model.vocab'"}},
      {"vocab_empty",
       with(Sketch{.added = "[]"}, model, R"({"type":"BPE","vocab":{},"merges":[]})"),
       {"field 'model.vocab'", "empty"}},
      {"vocab_one_short", swap(kGood, model, R"("ab":2,)", ""), {"merge 0", "'ab'"}},
      {"id_negative", swap(kGood, model, "\"c\":3", "\"c\":-1"), {"field 'model.vocab.c'", "is -1", "allowed 0"}},
      {"id_2_40",
       swap(kGood, model, "\"c\":3", "\"c\":1099511627776"),
       {"field 'model.vocab.c'", "1099511627776", "allowed 0"}},
      {"id_2_31", swap(kGood, model, "\"c\":3", "\"c\":2147483648"), {"field 'model.vocab.c'", "2147483648"}},
      {"id_2_64", swap(kGood, model, "\"c\":3", "\"c\":18446744073709551616"), {"model.vocab.c"}},
      {"id_float", swap(kGood, model, "\"c\":3", "\"c\":3.5"), {"field 'model.vocab.c'"}},
      {"id_text", swap(kGood, model, "\"c\":3", "\"c\":\"3\""), {"field 'model.vocab.c'"}},
      {"id_null", swap(kGood, model, "\"c\":3", "\"c\":null"), {"field 'model.vocab.c'"}},
      {"id_large_hole",
       swap(kGood, model, "\"c\":3", "\"c\":999999"),
       {"field 'model.vocab.c'", "in a file with 6 tokens"}},
      {"id_duplicate", swap(kGood, model, "\"c\":3", "\"c\":2"), {"field 'model.vocab'", "id 2", "'ab'", "'c'"}},
      {"token_twice", swap(kGood, model, "\"c\":3", "\"a\":3"), {"line 1:", "'a'"}},
      {"token_twice_by_escape", swap(kGood, model, "\"c\":3", "\"\\u0061\":3"), {"line 1:", "'a'"}},
      {"added_number", with(kGood, added, "3"), {"field 'added_tokens'"}},
      {"added_text", with(kGood, added, R"(["<|end|>"])"), {"added_tokens[0]"}},
      {"added_no_id",
       with(kGood, added, R"([{"content":"<|end|>","special":true}])"),
       {"added_tokens[0].id", "missing"}},
      {"added_no_content", with(kGood, added, R"([{"id":5,"special":true}])"), {"added_tokens[0].content"}},
      {"added_empty",
       with(kGood, added, R"([{"id":5,"content":"","special":true}])"),
       {"added_tokens[0].content", "empty"}},
      {"added_id_negative",
       with(kGood, added, R"([{"id":-5,"content":"x","special":true}])"),
       {"added_tokens[0].id", "is -5"}},
      {"added_id_2_40", with(kGood, added, R"([{"id":1099511627776,"content":"x"}])"), {"added_tokens[0].id"}},
      {"added_id_taken", with(kGood, added, R"([{"id":2,"content":"x"}])"), {"added_tokens[0]", "id 2"}},
      {"added_other_id", with(kGood, added, R"([{"id":5,"content":"ab"}])"), {"added_tokens[0]", "'ab'"}},
      {"added_twice",
       with(kGood, added, R"([{"id":5,"content":"x"},{"id":5,"content":"x"}])"),
       {"added_tokens[1]", "twice"}},
      {"added_special_number",
       with(kGood, added, R"([{"id":5,"content":"x","special":1}])"),
       {"added_tokens[0].special"}},
      {"added_single_word",
       with(kGood, added, R"([{"id":5,"content":"x","single_word":7}])"),
       {"added_tokens[0]", "single_word"}},
      {"added_lstrip", with(kGood, added, R"([{"id":5,"content":"x","lstrip":7}])"), {"added_tokens[0]", "lstrip"}},
      {"merges_missing", swap(kGood, model, R"(,"merges":["a b"])", ""), {"model.merges", "missing"}},
      {"merges_map", swap(kGood, model, R"(["a b"])", "{}"), {"field 'model.merges'"}},
      {"merge_one_token", swap(kGood, model, "a b", "ab"), {"model.merges[0]", "'ab'"}},
      {"merge_three_tokens", swap(kGood, model, "a b", "a b c"), {"model.merges[0]"}},
      {"merge_empty_half", swap(kGood, model, "a b", "a "), {"model.merges[0]"}},
      {"merge_number", swap(kGood, model, R"("a b")", "1"), {"model.merges[0]"}},
      {"merge_list_of_three", swap(kGood, model, R"("a b")", R"(["a","b","c"])"), {"model.merges[0]"}},
      {"merge_of_unknown", swap(kGood, model, "a b", "a z"), {"merge 0", "'z'"}},
      {"merge_result_unknown", swap(kGood, model, "a b", "b a"), {"merge 0", "'ba'"}},
      {"merge_1mb", swap(kGood, model, "a b", std::string(1 << 20, 'a')), {"model.merges[0]"}},
      {"unknown_not_there",
       swap(kGood, model, R"("type":"BPE")", R"("type":"BPE","unk_token":"<nope>")"),
       {"model.unk_token", "'<nope>'"}},
      {"dropout", swap(kGood, model, R"("type":"BPE")", R"("type":"BPE","dropout":0.5)"), {"field 'model'", "dropout"}},
      {"end_of_word_suffix",
       swap(kGood, model, R"("type":"BPE")", R"("type":"BPE","end_of_word_suffix":"</w>")"),
       {"end_of_word_suffix"}},
      {"byte_fallback",
       swap(kGood, model, R"("type":"BPE")", R"("type":"BPE","byte_fallback":true)"),
       {"byte_fallback"}},
  };
}
INSTANTIATE_TEST_SUITE_P(Vocab, TokenizerJsonZoo, testing::ValuesIn(vocab_zoo()), name_of);

std::vector<BadFile> section_zoo() {
  const Section pre = &Sketch::pre_tokenizer;
  const Section normalizer = &Sketch::normalizer;
  return {
      {"pre_regex_nested",
       with(kGood, pre, split_step("(a+)+$")),
       {"field 'pre_tokenizer'", "no family known", "llama-bpe"}},
      {"pre_regex_repeat", with(kGood, pre, split_step("a{1000000000}")), {"no family known"}},
      {"pre_regex_deep", with(kGood, pre, split_step(repeat("(", 20000))), {"no family known"}},
      {"pre_regex_empty", with(kGood, pre, split_step("")), {"field 'pre_tokenizer'"}},
      {"pre_regex_number",
       with(
           kGood, pre,
           R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":7},"behavior":"Isolated"},{"type":"ByteLevel","add_prefix_space":false}]})"),
       {"pattern.Regex"}},
      {"pre_removed",
       with(kGood, pre, split_step("a", R"("behavior":"Removed","invert":false)")),
       {"behavior 'Removed'"}},
      {"pre_unknown_step",
       with(kGood, pre, R"({"type":"Sequence","pretokenizers":[{"type":"CharDelimiterSplit"},{"type":"ByteLevel"}]})"),
       {"pretokenizers[0]", "'CharDelimiterSplit'"}},
      {"pre_prefix_space",
       with(kGood, pre, R"({"type":"ByteLevel","add_prefix_space":true})"),
       {"field 'pre_tokenizer'", "add_prefix_space"}},
      {"pre_list", with(kGood, pre, "[]"), {"pre_tokenizer"}},
      {"pre_no_type", with(kGood, pre, "{}"), {"pre_tokenizer.type"}},
      {"pre_sequence_of_text",
       with(kGood, pre, R"({"type":"Sequence","pretokenizers":["ByteLevel"]})"),
       {"pretokenizers[0]"}},
      {"normalizer_unknown", with(kGood, normalizer, R"({"type":"Nmt"})"), {"field 'normalizer'", "'Nmt'"}},
      {"normalizer_doubles",
       with(sentencepiece(), normalizer,
            R"({"type":"Sequence","normalizers":[)" +
                repeat(R"({"type":"Replace","pattern":{"String":"a"},"content":"aa"},)", 60) +
                R"({"type":"Prepend","prepend":"▁"}]})"),
       {"normalizers[0]", "'a'", "'aa'", "not supported"}},
      {"normalizer_regex",
       with(sentencepiece(), normalizer, R"({"type":"Replace","pattern":{"Regex":"(a+)+$"},"content":""})"),
       {"field 'normalizer'", "not supported"}},
      {"normalizer_prepend_text",
       with(sentencepiece(), normalizer, R"({"type":"Prepend","prepend":"xx"})"),
       {"field 'normalizer'", "prepends"}},
      {"normalizer_none", with(sentencepiece(), normalizer, "null"), {"'▁'", "not supported"}},
      {"charsmap_not_base64",
       with(unigram(), normalizer, R"({"type":"Precompiled","precompiled_charsmap":"@@@"})"),
       {"normalizer.precompiled_charsmap", "base64"}},
      {"charsmap_short",
       with(unigram(), normalizer, R"({"type":"Precompiled","precompiled_charsmap":"AAA="})"),
       {"precompiled_charsmap", "truncated"}},
      {"charsmap_trie_too_long",
       with(unigram(), normalizer, R"({"type":"Precompiled","precompiled_charsmap":"////fwAAAAA="})"),
       {"precompiled_charsmap", "damaged"}},
  };
}
INSTANTIATE_TEST_SUITE_P(Sections, TokenizerJsonZoo, testing::ValuesIn(section_zoo()), name_of);

std::vector<BadFile> model_zoo() {
  const Section pre = &Sketch::pre_tokenizer;
  const Section post = &Sketch::post_processor;
  const Section normalizer = &Sketch::normalizer;
  return {
      {"post_unknown", with(kGood, post, R"({"type":"Nope"})"), {"field 'post_processor'", "'Nope'"}},
      {"post_id_outside",
       with(
           kGood, post,
           R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"special_tokens":{"x":{"id":"x","ids":[999],"tokens":["x"]}}})"),
       {"special_tokens.x.ids[0]", "is 999", "allowed 0"}},
      {"post_id_of_other",
       with(
           kGood, post,
           R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"special_tokens":{"x":{"id":"x","ids":[0],"tokens":["x"]}}})"),
       {"special_tokens.x.ids[0]", "'a', not 'x'"}},
      {"post_no_text",
       with(kGood, post, R"({"type":"TemplateProcessing","single":[],"special_tokens":{}})"),
       {"post_processor.single"}},
      {"post_token_not_listed",
       with(kGood, post, R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}}],"special_tokens":{}})"),
       {"special_tokens.x", "missing"}},
      {"decoder_unknown", with(kGood, &Sketch::decoder, R"({"type":"CTC"})"), {"field 'decoder'", "'CTC'"}},
      {"score_text", swap(unigram(), &Sketch::model, "-2.5", "\"-2.5\""), {"model.vocab[2]", "score"}},
      {"score_missing", swap(unigram(), &Sketch::model, ",-2.5", ""), {"model.vocab[2]", "score"}},
      {"score_1e39", swap(unigram(), &Sketch::model, "-2.5", "-1e39"), {"model.vocab[2]", "out of range"}},
      {"unigram_token_twice", swap(unigram(), &Sketch::model, "\"ab\"", "\"a\""), {"model.vocab", "'a'"}},
      {"unk_id_outside",
       swap(unigram(), &Sketch::model, "\"unk_id\":0", "\"unk_id\":4"),
       {"model.unk_id", "is 4", "allowed 0"}},
      {"unk_id_negative", swap(unigram(), &Sketch::model, "\"unk_id\":0", "\"unk_id\":-1"), {"model.unk_id", "is -1"}},
      {"wordpiece_no_unknown", swap(wordpiece(), &Sketch::model, R"("unk_token":"[UNK]",)", ""), {"model.unk_token"}},
      {"wordpiece_prefix_empty",
       swap(wordpiece(), &Sketch::model, R"("##",)", R"("",)"),
       {"continuing_subword_prefix"}},
      {"wordpiece_limit",
       swap(wordpiece(), &Sketch::model, "100", "1000000000"),
       {"max_input_chars_per_word", "1000000000"}},
      {"wordpiece_normalizer",
       with(wordpiece(), normalizer, R"({"type":"Lowercase"})"),
       {"field 'normalizer'", "'Lowercase'"}},
      {"wordpiece_pre_tokenizer",
       with(wordpiece(), pre, R"({"type":"Whitespace"})"),
       {"field 'pre_tokenizer'", "'Whitespace'"}},
  };
}
INSTANTIATE_TEST_SUITE_P(Models, TokenizerJsonZoo, testing::ValuesIn(model_zoo()), name_of);

struct GoodFile {
  const char* name;
  std::string text;
};
class OddTokenizerJson : public testing::TestWithParam<GoodFile> {};

TEST_P(OddTokenizerJson, IsRead) {
  const auto error = load_error(GetParam().text);
  EXPECT_FALSE(error) << error->message;
}

// Odd, but nothing in them is wrong.
std::vector<GoodFile> odd_files() {
  const Section model = &Sketch::model;
  return {
      {"good", kGood.text()},
      {"sentencepiece", sentencepiece().text()},
      {"unigram", unigram().text()},
      {"wordpiece", wordpiece().text()},
      {"no_type", swap(kGood, model, R"("type":"BPE",)", "")},
      {"small_hole", swap(kGood, model, "\"c\":3", "\"c\":30")},
      {"no_bytes", swap(sentencepiece(), model, R"(,"<0x0A>":5)", "")},
      {"byte_minus_1", swap(sentencepiece(), model, "<0x0A>", "<0x-1>")},  // a text like any other
      {"token_1mb", swap(kGood, model, "\"c\"", "\"" + std::string(1 << 20, 'c') + "\"")},
      {"merges_as_lists", swap(kGood, model, "\"a b\"", R"(["a","b"])")},
      {"unknown_members", R"({"more":{"a":[1]},)" + kGood.text().substr(1)},
      {"empty_normalizers", with(kGood, &Sketch::normalizer, R"({"type":"Sequence","normalizers":[]})")},
      {"empty_token", swap(kGood, model, "\"c\"", "\"\"")},
  };
}
INSTANTIATE_TEST_SUITE_P(Odd, OddTokenizerJson, testing::ValuesIn(odd_files()),
                         [](const testing::TestParamInfo<GoodFile>& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace smelt
