// What defines a tokenizer, as plain data, independent of the file it came from. Parsers make it, Tokenizer runs it,
// formatters write it back into GGUF metadata or tokenizer.json.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/metadata.h"
#include "base/result.h"

namespace smelt {

using TokenId = int32_t;

enum class TokenizerModel {
  sentencepiece_bpe,  // Llama 1/2, Mistral: merges by score, byte fall-back (GGUF "llama")
  unigram,            // SentencePiece unigram: T5, … (GGUF "t5")
  byte_bpe,           // GPT-2, Llama 3, Qwen, …: merges by rank over bytes (GGUF "gpt2")
  wordpiece,          // BERT (GGUF "bert")
};

// GGUF's tokenizer.ggml.token_type numbering.
enum class TokenType : uint8_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

struct Token {
  std::string text;  // in the vocabulary's own spelling (GPT-2 byte alphabet, "▁" for space, …)
  float score = 0;
  TokenType type = TokenType::normal;
  // Of control and user-defined tokens: blanks beside the text belong to it; it is found between whole words only.
  bool strips_left = false, strips_right = false, single_word = false;
  bool normalized = false;  // looked for where those without this left plain text
};

struct Vocab {
  TokenizerModel model = TokenizerModel::byte_bpe;
  std::vector<Token> tokens;
  std::vector<std::pair<std::string, std::string>> merges;  // byte_bpe, in rank order
  std::string pre_tokenizer;  // byte_bpe: a family of the list in pre_tokenizers.inc ("gpt-2", "llama-bpe", "qwen2", …)
  std::optional<TokenId> bos, eos, eot, unknown, separator, padding, mask;  // all checked to be inside the vocabulary
  // Fill in the middle (infill.h): in front of what stands before the gap, of what stands behind it, and of what fills
  // it; what pads, and what parts repositories and files.
  std::optional<TokenId> fim_prefix, fim_suffix, fim_middle, fim_pad, fim_repository, fim_separator;
  std::vector<TokenId> eos_all;  // every id that ends generation; contains eos
  bool add_bos = false;
  bool add_eos = false;
  bool add_space_prefix = true;      // SentencePiece
  bool single_space_prefix = false;  // … but not before a text that begins with a space ("Metaspace")
  bool space_prefix_once = false;    // … and only in front of the whole text, not behind special tokens
  bool remove_extra_whitespaces = false;
  bool escape_whitespaces = true;    // SentencePiece: space ↔ ▁
  bool ignore_merges = false;        // Llama 3: a whole word in the vocabulary is taken before merging
  bool lowercase = false;            // WordPiece of uncased models
  bool nfc = false;                  // byte_bpe: text is put into Unicode's form NFC first (Qwen 2, MPT)
  std::string precompiled_charsmap;  // SentencePiece normalisation, as in the .model file
  std::string chat_template;
};

// Parsers: any bytes give a Vocab or an error naming the field. All are fuzz targets.
Result<Vocab> parse_gguf_vocab(const Metadata& metadata);  // tokenizer.ggml.*, tokenizer.chat_template
Result<Vocab> parse_tokenizer_json(std::string_view json, const std::string& file_name);
Result<Vocab> parse_sentencepiece_model(std::span<const std::byte> bytes, const std::string& file_name);
Result<Vocab> parse_llama2c_tokenizer(std::span<const std::byte> bytes, int64_t n_vocab, const std::string& file_name);
// GPT-2's vocab.json + merges.txt pair.
Result<Vocab> parse_vocab_merges(std::string_view vocab_json, std::string_view merges_txt,
                                 const std::string& file_name);

// Completes eos_all by eos, eot and the control tokens whose texts are known to end an answer ("<|im_end|>", …). Called
// by the parsers.
void add_end_tokens(Vocab& vocab);
// Completes the fim_… ids by texts that are known. They become control tokens whatever the file calls them, so that no
// text of a user turns into one, and those that part files end a text. Called by the parsers, before add_end_tokens.
void add_fim_tokens(Vocab& vocab);

// Writers: parse(format(v)) tokenizes as v does.
void add_gguf_vocab(const Vocab& vocab, Metadata& metadata);
// An error if the vocabulary cannot be said in that format (a pre-tokenizer not known here, ill-formed UTF-8, …).
Result<std::string> format_tokenizer_json(const Vocab& vocab);

}  // namespace smelt
