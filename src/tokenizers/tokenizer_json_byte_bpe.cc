// tokenizer.json of byte-level BPE: GPT-2, Llama 3, Qwen 2, …
#include <fmt/format.h>

#include "base/text.h"
#include "tokenizers/tokenizer_json_parts.h"

namespace smelt::tokenizer_json {
Status refuse_bpe_options(const JsonField& model) {
  for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    SMELT_ASSIGN(const std::string affix, model.get_string(name, ""));
    if (!affix.empty()) {
      return model.error(
          fmt::format("{} is '{}', which is not supported; only \"\" is", name, escape_for_display(affix)));
    }
  }
  const auto dropout = model.find("dropout");
  if (!dropout) return {};
  SMELT_ASSIGN(const double rate, dropout->number());
  if (rate == 0) return {};
  return model.error("dropout is above 0; encoding at random is not supported");
}

namespace {

Status read_normalizer(const JsonField& root, Vocab& vocab) {
  SMELT_ASSIGN(const auto steps, open_sequence(root.find("normalizer"), "normalizers"));
  for (const JsonField& step : steps) {
    SMELT_ASSIGN(const std::string type, type_of(step));
    if (type != "NFC") {
      return step.error(
          fmt::format("type '{}' is not supported with byte-level BPE; supported is NFC", escape_for_display(type)));
    }
    vocab.nfc = true;
  }
  return {};
}

Status check_decoder(const JsonField& root) {
  SMELT_ASSIGN(const auto steps, open_sequence(root.find("decoder"), "decoders"));
  for (const JsonField& step : steps) {
    SMELT_ASSIGN(const std::string type, type_of(step));
    if (type != "ByteLevel") {
      return step.error(fmt::format("type '{}' is not supported with byte-level BPE; supported is ByteLevel",
                                    escape_for_display(type)));
    }
  }
  return {};
}

}  // namespace

Status read_byte_bpe(const JsonField& root, const JsonField& model, Vocab& vocab) {
  vocab.model = TokenizerModel::byte_bpe;
  vocab.add_space_prefix = false;
  SMELT_TRY(refuse_bpe_options(model));
  SMELT_ASSIGN(const bool byte_fallback, model.get_bool("byte_fallback", false));
  if (byte_fallback) return model.error("byte_fallback is true, which is not supported with byte-level BPE");
  SMELT_TRY(read_normalizer(root, vocab));
  SMELT_TRY(check_decoder(root));
  SMELT_ASSIGN(vocab.pre_tokenizer, find_family(root));
  SMELT_ASSIGN(const JsonField vocab_map, model.get("vocab"));
  SMELT_TRY(read_token_map(vocab_map, root, vocab));
  SMELT_ASSIGN(vocab.merges, read_merges(model));
  SMELT_ASSIGN(vocab.ignore_merges, model.get_bool("ignore_merges", false));
  SMELT_ASSIGN(const std::string unknown, model.get_string("unk_token", ""));
  if (!unknown.empty()) {
    SMELT_ASSIGN(const JsonField field, model.get("unk_token"));
    SMELT_ASSIGN(vocab.unknown, find_token_id(vocab, field, unknown));
  }
  return {};
}

}  // namespace smelt::tokenizer_json
