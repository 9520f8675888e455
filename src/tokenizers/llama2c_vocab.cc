// parse_llama2c_tokenizer: the tokenizer.bin beside a llama2.c model. int32 longest token, then for every token float32
// score, int32 length, bytes; little-endian, without a count.
#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "base/checked.h"
#include "base/text.h"
#include "tokenizers/byte_token.h"
#include "tokenizers/vocab.h"

namespace smelt {
namespace {

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  uint64_t position() const { return position_; }
  bool at_end() const { return position_ == bytes_.size(); }

  std::optional<std::string_view> take(uint64_t n) {
    if (!range_fits(position_, n, bytes_.size())) return std::nullopt;
    const auto part = bytes_.subspan(position_, n);
    position_ += n;
    return std::string_view(reinterpret_cast<const char*>(part.data()), part.size());
  }
  std::optional<uint32_t> take_u32() {
    const auto raw = take(4);
    if (!raw) return std::nullopt;
    uint32_t value = 0;
    for (size_t i = 0; i < 4; ++i) value |= static_cast<uint32_t>(static_cast<unsigned char>((*raw)[i])) << (8 * i);
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
  uint64_t position_ = 0;
};

float as_float(uint32_t bits) {
  float value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// The file has spaces where the vocabulary has "▁", and line ends around the names of BOS and EOS.
Token make_token(int64_t id, std::string_view text, float score) {
  if (id == 0) return {"<unk>", score, TokenType::unknown};
  if (id == 1) return {"<s>", score, TokenType::control};
  if (id == 2) return {"</s>", score, TokenType::control};
  if (byte_of_token(text)) return {std::string(text), score, TokenType::byte};
  std::string spelling;
  for (const char c : text) {
    if (c == ' ') {
      spelling += "\xe2\x96\x81";
    } else {
      spelling += c;
    }
  }
  return {std::move(spelling), score, TokenType::normal};
}

Result<Token> read_token(Reader& reader, int64_t id) {
  const uint64_t start = reader.position();
  const auto at = [&](const std::string& what) {
    return input_error(fmt::format("token {} at byte {}: {}", id, start, what));
  };
  const auto score = reader.take_u32();
  const auto length = reader.take_u32();
  if (!score || !length) return at("the data ends here; the file is truncated or has fewer tokens than the model");
  if (*length > INT32_MAX)
    return at(fmt::format("its length is {}; the file is damaged", static_cast<int32_t>(*length)));
  const auto text = reader.take(*length);
  if (!text) return at(fmt::format("its {} bytes run past the end of the file; it is truncated", *length));
  if (!std::isfinite(as_float(*score))) return at("its score is not a finite number");
  return make_token(id, *text, as_float(*score));
}

}  // namespace

Result<Vocab> parse_llama2c_tokenizer(std::span<const std::byte> bytes, int64_t n_vocab, const std::string& file_name) {
  const std::string name = escape_for_display(file_name, 4096);
  if (n_vocab < 3 || n_vocab > INT32_MAX) {
    return input_error(fmt::format("{}: the model has {} tokens, at least 3 are needed", name, n_vocab));
  }
  Vocab vocab;
  vocab.model = TokenizerModel::sentencepiece_bpe;
  Reader reader(bytes);
  if (!reader.take_u32()) return input_error(fmt::format("{}: byte 0: the header of 4 bytes is missing", name));
  for (int64_t id = 0; id < n_vocab; ++id) {
    SMELT_ASSIGN(Token token, read_token(reader, id).with_context(name));
    vocab.tokens.push_back(std::move(token));
  }
  if (!reader.at_end()) {
    return input_error(
        fmt::format("{}: byte {}: data goes on after {} tokens, the number that the model has; they do "
                    "not belong together",
                    name, reader.position(), n_vocab));
  }
  vocab.unknown = 0;
  vocab.bos = 1;
  vocab.eos = 2;
  vocab.eos_all = {2};
  vocab.add_bos = true;
  return vocab;
}

}  // namespace smelt
