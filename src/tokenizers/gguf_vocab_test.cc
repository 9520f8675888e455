// tokenizer.ggml.* keys: what they mean, what applies without them, and the zoo of bad ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "tokenizers/vocab.h"

namespace smelt {
namespace {

using testing::HasSubstr;

constexpr const char* kTokens = "tokenizer.ggml.tokens";

// A good byte-level vocabulary of six tokens.
Metadata byte_bpe_keys() {
  Metadata m;
  m.set("tokenizer.ggml.model", MetaValue::of_string("gpt2"));
  m.set("tokenizer.ggml.pre", MetaValue::of_string("qwen2"));
  m.set(kTokens, MetaValue::of_strings({"a", "b", "ab", "Ġ", "<|endoftext|>", "<|im_end|>"}));
  m.set("tokenizer.ggml.token_type", MetaValue::of_i32s({1, 1, 1, 1, 3, 3}));
  m.set("tokenizer.ggml.merges", MetaValue::of_strings({"a b"}));
  m.set("tokenizer.ggml.eos_token_id", MetaValue::of_u32(4));
  m.set("tokenizer.chat_template", MetaValue::of_string("{{ x }}"));
  return m;
}

Metadata sentencepiece_keys() {
  Metadata m;
  m.set("tokenizer.ggml.model", MetaValue::of_string("llama"));
  m.set(kTokens, MetaValue::of_strings({"<unk>", "<s>", "</s>", "<0x0A>", "▁a"}));
  m.set("tokenizer.ggml.scores", MetaValue::of_f32s({0, 0, 0, 0, -1.5}));
  m.set("tokenizer.ggml.token_type", MetaValue::of_i32s({2, 3, 3, 6, 1}));
  return m;
}

TEST(GgufVocab, ReadsAByteLevelVocabulary) {
  const auto vocab = parse_gguf_vocab(byte_bpe_keys());
  ASSERT_TRUE(vocab) << vocab.error().message;
  EXPECT_EQ(vocab->model, TokenizerModel::byte_bpe);
  EXPECT_EQ(vocab->pre_tokenizer, "qwen2");
  EXPECT_EQ(vocab->tokens.size(), 6U);
  EXPECT_EQ(vocab->tokens[4].type, TokenType::control);
  ASSERT_EQ(vocab->merges.size(), 1U);
  EXPECT_EQ(vocab->merges[0], std::make_pair(std::string("a"), std::string("b")));
  EXPECT_EQ(vocab->eos, 4);
  EXPECT_EQ(vocab->bos, std::nullopt) << "the default 11 is outside this vocabulary";
  EXPECT_EQ(vocab->eos_all, (std::vector<TokenId>{4, 5}));
  EXPECT_FALSE(vocab->add_bos);
  EXPECT_FALSE(vocab->add_space_prefix);
  EXPECT_FALSE(vocab->ignore_merges);
  EXPECT_EQ(vocab->chat_template, "{{ x }}");
}

TEST(GgufVocab, Llama3FamilyTakesWholeWordsFirstAndBeginsWithBos) {
  Metadata keys = byte_bpe_keys();
  keys.set("tokenizer.ggml.pre", MetaValue::of_string("llama-bpe"));
  keys.set("tokenizer.ggml.bos_token_id", MetaValue::of_u32(5));
  const auto vocab = parse_gguf_vocab(keys);
  ASSERT_TRUE(vocab) << vocab.error().message;
  EXPECT_TRUE(vocab->ignore_merges);
  EXPECT_TRUE(vocab->add_bos);
}

TEST(GgufVocab, SentencePieceDefaultsApplyWithoutKeys) {
  const auto vocab = parse_gguf_vocab(sentencepiece_keys());
  ASSERT_TRUE(vocab) << vocab.error().message;
  EXPECT_EQ(vocab->bos, 1);
  EXPECT_EQ(vocab->eos, 2);
  EXPECT_EQ(vocab->unknown, 0);
  EXPECT_TRUE(vocab->add_bos);
  EXPECT_FALSE(vocab->add_eos);
  EXPECT_TRUE(vocab->add_space_prefix);
  EXPECT_EQ(vocab->tokens[4].score, -1.5F);
}

TEST(GgufVocab, ByteTokensAreKnownByTheirTextWithoutTypes) {
  Metadata keys = sentencepiece_keys();
  keys.erase("tokenizer.ggml.token_type");
  const auto vocab = parse_gguf_vocab(keys);
  ASSERT_TRUE(vocab) << vocab.error().message;
  EXPECT_EQ(vocab->tokens[3].type, TokenType::byte);
}

TEST(GgufVocab, MinusOneAndAllBitsMeanNoToken) {
  Metadata keys = sentencepiece_keys();
  keys.set("tokenizer.ggml.bos_token_id", MetaValue::of_i32(-1));
  keys.set("tokenizer.ggml.unknown_token_id", MetaValue::of_u32(0xFFFFFFFF));
  const auto vocab = parse_gguf_vocab(keys);
  ASSERT_TRUE(vocab) << vocab.error().message;
  EXPECT_EQ(vocab->bos, std::nullopt);
  EXPECT_EQ(vocab->unknown, std::nullopt);
  EXPECT_FALSE(vocab->add_bos);
}

TEST(GgufVocab, WordPieceClosesWithItsSeparator) {
  Metadata m;
  m.set("tokenizer.ggml.model", MetaValue::of_string("bert"));
  m.set(kTokens, MetaValue::of_strings({"[CLS]", "[SEP]", "▁a", "b"}));
  m.set("tokenizer.ggml.cls_token_id", MetaValue::of_u32(0));
  m.set("tokenizer.ggml.seperator_token_id", MetaValue::of_u32(1));
  const auto vocab = parse_gguf_vocab(m);
  ASSERT_TRUE(vocab) << vocab.error().message;
  EXPECT_EQ(vocab->bos, 0);
  EXPECT_EQ(vocab->separator, 1);
  EXPECT_EQ(vocab->eos, 1);
  EXPECT_TRUE(vocab->add_bos);
  EXPECT_TRUE(vocab->add_eos);
  EXPECT_TRUE(vocab->lowercase);
}

struct BadKeys {
  const char* name;
  std::function<void(Metadata&)> change;  // of sentencepiece_keys()
  std::vector<std::string> hints;
};

std::function<void(Metadata&)> set(const char* key, MetaValue value) {
  return [key, value](Metadata& m) { m.set(key, value); };
}
std::function<void(Metadata&)> erase(const char* key) {
  return [key](Metadata& m) { m.erase(key); };
}
std::function<void(Metadata&)> set_merge(const char* merge) {
  return [merge](Metadata& m) {
    m = byte_bpe_keys();
    m.set("tokenizer.ggml.merges", MetaValue::of_strings({"a b", merge}));
  };
}

const std::vector<BadKeys>& zoo() {
  static const std::vector<BadKeys> zoo = {
      {"no_model", erase("tokenizer.ggml.model"), {"'tokenizer.ggml.model'"}},
      {"model_unknown", set("tokenizer.ggml.model", MetaValue::of_string("rwkv")), {"'rwkv'", "gpt2"}},
      {"model_control", set("tokenizer.ggml.model", MetaValue::of_string("\x1b[2J")), {"\\x1b[2J"}},
      {"model_number", set("tokenizer.ggml.model", MetaValue::of_u32(1)), {"tokenizer.ggml.model", "string"}},
      {"no_tokens", erase(kTokens), {"'tokenizer.ggml.tokens'", "no vocabulary"}},
      {"tokens_empty", set(kTokens, MetaValue::of_strings({})), {"'tokenizer.ggml.tokens'", "empty"}},
      {"tokens_numbers", set(kTokens, MetaValue::of_i32s({1, 2})), {"tokenizer.ggml.tokens"}},
      {"tokens_string", set(kTokens, MetaValue::of_string("a")), {"tokenizer.ggml.tokens"}},
      {"no_scores", erase("tokenizer.ggml.scores"), {"'tokenizer.ggml.scores'", "missing"}},
      {"scores_short", set("tokenizer.ggml.scores", MetaValue::of_f32s({0, 0})), {"scores' has 2", "tokens' has 5"}},
      {"scores_long", set("tokenizer.ggml.scores", MetaValue::of_f32s({0, 0, 0, 0, 0, 0})), {"scores' has 6"}},
      {"score_nan", set("tokenizer.ggml.scores", MetaValue::of_f32s({0, 0, 0, NAN, 0})), {"scores'", "value 3"}},
      {"score_inf", set("tokenizer.ggml.scores", MetaValue::of_f32s({INFINITY, 0, 0, 0, 0})), {"value 0", "finite"}},
      {"score_above_f32",
       set("tokenizer.ggml.scores",
           {MetaType::array, MetaArray{MetaType::f64, std::vector<double>{1e300, 0, 0, 0, 0}}}),
       {"value 0", "finite"}},
      {"types_short", set("tokenizer.ggml.token_type", MetaValue::of_i32s({1})), {"token_type' has 1"}},
      {"type_7", set("tokenizer.ggml.token_type", MetaValue::of_i32s({1, 1, 7, 1, 1})), {"value 2 is 7", "0 … 6"}},
      {"type_negative", set("tokenizer.ggml.token_type", MetaValue::of_i32s({-1, 1, 1, 1, 1})), {"value 0 is -1"}},
      {"type_byte_of_word",
       set("tokenizer.ggml.token_type", MetaValue::of_i32s({2, 3, 3, 6, 6})),
       {"token 4", "'▁a'", "<0x0A>"}},
      {"types_floats", set("tokenizer.ggml.token_type", MetaValue::of_f32s({1, 1, 1, 1, 1})), {"token_type"}},
      {"bos_outside", set("tokenizer.ggml.bos_token_id", MetaValue::of_u32(5)), {"bos_token_id' is 5", "0 … 4"}},
      {"eos_2p63",
       set("tokenizer.ggml.eos_token_id", MetaValue::of_u64(uint64_t{1} << 63)),
       {"eos_token_id' is 9223372036854775808"}},
      {"eot_negative", set("tokenizer.ggml.eot_token_id", MetaValue::of_i32(-2)), {"eot_token_id"}},
      {"unknown_string", set("tokenizer.ggml.unknown_token_id", MetaValue::of_string("0")), {"unknown_token_id"}},
      {"padding_wraps_i32",
       set("tokenizer.ggml.padding_token_id", MetaValue::of_u64((uint64_t{1} << 32) + 1)),
       {"padding_token_id' is 4294967297"}},
      {"add_bos_number", set("tokenizer.ggml.add_bos_token", MetaValue::of_u32(1)), {"add_bos_token", "bool"}},
      {"space_prefix_string", set("tokenizer.ggml.add_space_prefix", MetaValue::of_string("no")), {"add_space_prefix"}},
      {"charsmap_string", set("tokenizer.ggml.precompiled_charsmap", MetaValue::of_string("x")), {"charsmap"}},
      {"charsmap_ints",
       set("tokenizer.ggml.precompiled_charsmap", MetaValue::of_i32s({1, 256})),
       {"charsmap' holds 256", "bytes"}},
      {"template_number", set("tokenizer.chat_template", MetaValue::of_u32(1)), {"tokenizer.chat_template"}},
      {"no_merges",
       [](Metadata& m) {
         m = byte_bpe_keys();
         m.erase("tokenizer.ggml.merges");
       },
       {"'tokenizer.ggml.merges' is missing"}},
      {"merge_of_one", set_merge("ab"), {"merges': value 1", "'ab'", "two tokens"}},
      {"merge_empty", set_merge(""), {"value 1"}},
      {"merge_empty_right", set_merge("a "), {"value 1", "'a '"}},
      {"merge_empty_left", set_merge(" b"), {"value 1", "' b'"}},
      {"pre_number",
       [](Metadata& m) {
         m = byte_bpe_keys();
         m.set("tokenizer.ggml.pre", MetaValue::of_u32(3));
       },
       {"tokenizer.ggml.pre"}},
  };
  return zoo;
}

TEST(GgufVocabZoo, EachIsRefusedByName) {
  for (const BadKeys& bad : zoo()) {
    SCOPED_TRACE(bad.name);
    Metadata keys = sentencepiece_keys();
    bad.change(keys);
    const auto vocab = parse_gguf_vocab(keys);
    ASSERT_FALSE(vocab);
    EXPECT_EQ(vocab.error().kind, ErrorKind::input);
    for (const std::string& hint : bad.hints) EXPECT_THAT(vocab.error().message, HasSubstr(hint));
    EXPECT_EQ(vocab.error().message.find_first_of("\n\x1b"), std::string::npos);
  }
}

void expect_same(const Vocab& a, const Vocab& b) {
  ASSERT_EQ(a.tokens.size(), b.tokens.size());
  for (size_t i = 0; i < a.tokens.size(); ++i) {
    EXPECT_EQ(a.tokens[i].text, b.tokens[i].text) << i;
    EXPECT_EQ(a.tokens[i].score, b.tokens[i].score) << i;
    EXPECT_EQ(a.tokens[i].type, b.tokens[i].type) << i;
  }
  const auto flags = [](const Vocab& v) {
    return std::make_tuple(v.model, v.merges, v.pre_tokenizer, v.add_bos, v.add_eos, v.add_space_prefix,
                           v.single_space_prefix, v.remove_extra_whitespaces, v.escape_whitespaces, v.ignore_merges,
                           v.lowercase, v.nfc, v.precompiled_charsmap, v.chat_template);
  };
  const auto ids = [](const Vocab& v) {
    return std::make_tuple(v.bos, v.eos, v.eot, v.unknown, v.separator, v.padding, v.mask, v.eos_all);
  };
  EXPECT_EQ(flags(a), flags(b));
  EXPECT_EQ(ids(a), ids(b));
}

TEST(GgufVocab, ReadsBackWhatItWrites) {
  const auto round_trip = [](const Vocab& vocab) {
    Metadata keys;
    add_gguf_vocab(vocab, keys);
    const auto again = parse_gguf_vocab(keys);
    ASSERT_TRUE(again) << again.error().message;
    expect_same(vocab, *again);
  };
  Vocab bpe = *parse_gguf_vocab(byte_bpe_keys());
  round_trip(bpe);
  bpe.ignore_merges = bpe.nfc = true;
  bpe.eot = 3;
  bpe.eos_all = {4, 3, 5};
  round_trip(bpe);
  bpe.pre_tokenizer = "llama-bpe";
  bpe.ignore_merges = false;
  round_trip(bpe);

  Vocab sentencepiece = *parse_gguf_vocab(sentencepiece_keys());
  round_trip(sentencepiece);
  sentencepiece.bos.reset();
  sentencepiece.add_bos = sentencepiece.add_space_prefix = sentencepiece.escape_whitespaces = false;
  sentencepiece.remove_extra_whitespaces = sentencepiece.single_space_prefix = true;
  sentencepiece.padding = 4;
  round_trip(sentencepiece);

  Vocab unigram = sentencepiece;
  unigram.model = TokenizerModel::unigram;
  unigram.precompiled_charsmap = std::string("\x00\xff\x80z", 4);
  round_trip(unigram);

  Vocab wordpiece;
  wordpiece.model = TokenizerModel::wordpiece;
  wordpiece.tokens = {{"[CLS]", 0, TokenType::control}, {"[SEP]", 0, TokenType::control}, {"▁a"}};
  wordpiece.add_space_prefix = false;
  wordpiece.bos = 0;
  wordpiece.separator = wordpiece.eos = 1;
  wordpiece.eos_all = {1};
  wordpiece.add_bos = wordpiece.add_eos = true;
  round_trip(wordpiece);
}

}  // namespace
}  // namespace smelt
