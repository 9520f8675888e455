// parse_sentencepiece_model: SentencePiece's tokenizer.model, a protocol buffer (ModelProto of
// google/sentencepiece/src/sentencepiece_model.proto), read from the wire format: each field is a varint of number and
// wire type, then a varint, 4 or 8 bytes, or a length and that many bytes. Fields not named here are skipped.
#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "base/checked.h"
#include "base/text.h"
#include "tokenizers/byte_token.h"
#include "tokenizers/vocab.h"

namespace smelt {
namespace {

enum Wire : uint64_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct ProtoField {
  uint64_t number = 0;
  uint64_t wire = 0;
  uint64_t offset = 0;     // of the field in the file
  uint64_t scalar = 0;     // of the three kinds of numbers
  std::string_view bytes;  // of kBytes
};

// The fields of one message. base: where it begins in the file.
class ProtoReader {
 public:
  ProtoReader(std::string_view bytes, uint64_t base) : bytes_(bytes), base_(base) {}
  bool at_end() const { return at_ == bytes_.size(); }

  Result<ProtoField> next() {
    ProtoField field;
    field.offset = base_ + at_;
    SMELT_ASSIGN(const uint64_t tag, varint());
    field.number = tag >> 3;
    field.wire = tag & 7;
    if (field.number == 0) return error(field.offset, "field number 0 does not exist; this is no SentencePiece model");
    switch (field.wire) {
      case kVarint: {
        SMELT_ASSIGN(field.scalar, varint());
        return field;
      }
      case kFixed64:
      case kFixed32:
        return fixed(field, field.wire == kFixed64 ? 8 : 4);
      case kBytes:
        return content(field);
      default:
        return error(field.offset,
                     fmt::format("wire type {} does not exist; this is no SentencePiece model", field.wire));
    }
  }
  // The fields of a message inside this one.
  ProtoReader inside(const ProtoField& field) const {
    return {field.bytes, base_ + static_cast<uint64_t>(field.bytes.data() - bytes_.data())};
  }

 private:
  static Error error(uint64_t offset, const std::string& what) {
    return input_error(fmt::format("byte {}: {}", offset, what));
  }
  Result<uint64_t> varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at_ == bytes_.size()) return error(base_ + at_, "the data ends inside a number; the file is truncated");
      const auto byte = static_cast<unsigned char>(bytes_[at_++]);
      value |= uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return value;
    }
    return error(base_ + at_, "a number has more than 10 bytes; the file is damaged");
  }
  Result<ProtoField> fixed(ProtoField field, uint64_t n_bytes) {
    if (!range_fits(at_, n_bytes, bytes_.size())) return error(field.offset, "the data ends; the file is truncated");
    for (uint64_t i = 0; i < n_bytes; ++i) {
      field.scalar |= uint64_t{static_cast<unsigned char>(bytes_[at_ + i])} << (8 * i);
    }
    at_ += n_bytes;
    return field;
  }
  Result<ProtoField> content(ProtoField field) {
    SMELT_ASSIGN(const uint64_t size, varint());
    if (!range_fits(at_, size, bytes_.size())) {
      return error(field.offset, fmt::format("field {} has {} bytes, but {} follow; the file is truncated",
                                             field.number, size, bytes_.size() - at_));
    }
    field.bytes = bytes_.substr(at_, size);
    at_ += size;
    return field;
  }

  std::string_view bytes_;
  uint64_t base_;
  uint64_t at_ = 0;
};

Error field_error(const char* name, const ProtoField& field, const std::string& what) {
  return input_error(fmt::format("field '{}' at byte {}: {}", name, field.offset, what));
}

Status require_wire(const char* name, const ProtoField& field, Wire wire) {
  if (field.wire == wire) return {};
  return field_error(name, field, fmt::format("has wire type {}, must be {}", field.wire, static_cast<uint64_t>(wire)));
}

// message SentencePiece { string piece = 1; float score = 2; Type type = 3; }
Result<Token> read_piece(ProtoReader reader) {
  Token token;
  while (!reader.at_end()) {
    SMELT_ASSIGN(const ProtoField field, reader.next());
    if (field.number == 1) {
      SMELT_TRY(require_wire("piece", field, kBytes));
      token.text = field.bytes;
    } else if (field.number == 2) {
      SMELT_TRY(require_wire("score", field, kFixed32));
      const auto bits = static_cast<uint32_t>(field.scalar);
      std::memcpy(&token.score, &bits, sizeof bits);
      if (!std::isfinite(token.score)) return field_error("score", field, "is not a finite number");
    } else if (field.number == 3) {
      SMELT_TRY(require_wire("type", field, kVarint));
      if (field.scalar < 1 || field.scalar > 6) {
        return field_error("type", field, fmt::format("is {}, allowed 1 … 6", field.scalar));
      }
      token.type = static_cast<TokenType>(field.scalar);
    }
  }
  return token;
}

// What the trainer wrote about ids; -1 is "none".
struct TrainerSpec {
  int64_t model_type = 1;  // UNIGRAM
  int64_t unknown = 0, bos = 1, eos = 2, padding = -1;
  bool space_as_suffix = false;
};

Status read_trainer_spec(ProtoReader reader, TrainerSpec& spec) {
  while (!reader.at_end()) {
    SMELT_ASSIGN(const ProtoField field, reader.next());
    if (field.wire != kVarint) continue;
    const auto value = static_cast<int32_t>(static_cast<uint32_t>(field.scalar));
    switch (field.number) {
      case 3:
        spec.model_type = value;
        break;
      case 24:
        spec.space_as_suffix = value != 0;
        break;
      case 40:
        spec.unknown = value;
        break;
      case 41:
        spec.bos = value;
        break;
      case 42:
        spec.eos = value;
        break;
      case 43:
        spec.padding = value;
        break;
      default:
        break;
    }
  }
  return {};
}

// message NormalizerSpec { bytes precompiled_charsmap = 2; bool add_dummy_prefix = 3; bool remove_extra_whitespaces =
// 4; bool escape_whitespaces = 5; }
Status read_normalizer_spec(ProtoReader reader, Vocab& vocab) {
  while (!reader.at_end()) {
    SMELT_ASSIGN(const ProtoField field, reader.next());
    if (field.number == 2) {
      SMELT_TRY(require_wire("precompiled_charsmap", field, kBytes));
      vocab.precompiled_charsmap = field.bytes;
    } else if (field.number >= 3 && field.number <= 5) {
      SMELT_TRY(require_wire("normalizer_spec", field, kVarint));
      bool Vocab::*const flags[] = {&Vocab::add_space_prefix, &Vocab::remove_extra_whitespaces,
                                    &Vocab::escape_whitespaces};
      vocab.*flags[field.number - 3] = field.scalar != 0;
    }
  }
  return {};
}

Status read_model(ProtoReader reader, Vocab& vocab, TrainerSpec& spec) {
  while (!reader.at_end()) {
    SMELT_ASSIGN(const ProtoField field, reader.next());
    if (field.number < 1 || field.number > 3) continue;
    SMELT_TRY(require_wire(field.number == 1 ? "pieces" : "spec", field, kBytes));
    if (field.number == 1) {
      SMELT_ASSIGN(Token token, read_piece(reader.inside(field)));
      if (token.text.empty())
        return field_error("pieces", field, fmt::format("token {} is empty", vocab.tokens.size()));
      if (token.type == TokenType::byte && !byte_of_token(token.text)) {
        return field_error("pieces", field,
                           fmt::format("token {} is of type byte, but its text '{}' is not of the form "
                                       "<0x0A>",
                                       vocab.tokens.size(), escape_for_display(token.text)));
      }
      vocab.tokens.push_back(std::move(token));
    } else if (field.number == 2) {
      SMELT_TRY(read_trainer_spec(reader.inside(field), spec));
    } else {
      SMELT_TRY(read_normalizer_spec(reader.inside(field), vocab));
    }
  }
  return {};
}

Result<std::optional<TokenId>> checked_id(const char* name, int64_t id, const Vocab& vocab) {
  const auto n_tokens = static_cast<int64_t>(vocab.tokens.size());
  if (id < 0) return std::optional<TokenId>();
  if (id < n_tokens) return std::optional<TokenId>(static_cast<TokenId>(id));
  return input_error(fmt::format("field 'trainer_spec.{}' is {}, allowed -1 … {}", name, id, n_tokens - 1));
}

Status apply_trainer_spec(const TrainerSpec& spec, Vocab& vocab) {
  if (spec.model_type != 1 && spec.model_type != 2) {
    return input_error(
        fmt::format("field 'trainer_spec.model_type' is {}; supported are 1 (unigram) and 2 (BPE)", spec.model_type));
  }
  if (spec.space_as_suffix) {
    return input_error("field 'trainer_spec.treat_whitespace_as_suffix' is true, which is not supported");
  }
  vocab.model = spec.model_type == 2 ? TokenizerModel::sentencepiece_bpe : TokenizerModel::unigram;
  SMELT_ASSIGN(vocab.unknown, checked_id("unk_id", spec.unknown, vocab));
  SMELT_ASSIGN(vocab.bos, checked_id("bos_id", spec.bos, vocab));
  SMELT_ASSIGN(vocab.eos, checked_id("eos_id", spec.eos, vocab));
  SMELT_ASSIGN(vocab.padding, checked_id("pad_id", spec.padding, vocab));
  if (vocab.eos) vocab.eos_all = {*vocab.eos};
  // The file does not say; models of each kind are trained so.
  vocab.add_bos = vocab.model == TokenizerModel::sentencepiece_bpe && vocab.bos.has_value();
  vocab.add_eos = vocab.model == TokenizerModel::unigram && vocab.eos.has_value();
  return {};
}

Result<Vocab> read_all(std::string_view bytes) {
  if (bytes.empty()) return input_error("byte 0: the file is empty");
  if (bytes.starts_with("version https://git-lfs")) {
    return input_error("byte 0: this is a pointer of Git LFS, not the file itself; run 'git lfs pull'");
  }
  Vocab vocab;
  vocab.remove_extra_whitespaces = true;  // the protocol's default
  TrainerSpec spec;
  SMELT_TRY(read_model(ProtoReader(bytes, 0), vocab, spec));
  if (vocab.tokens.empty()) return input_error("it has no field 'pieces'; this is no SentencePiece model");
  SMELT_TRY(apply_trainer_spec(spec, vocab));
  return vocab;
}

}  // namespace

Result<Vocab> parse_sentencepiece_model(std::span<const std::byte> bytes, const std::string& file_name) {
  return read_all({reinterpret_cast<const char*>(bytes.data()), bytes.size()})
      .with_context(escape_for_display(file_name, 4096));
}

}  // namespace smelt
