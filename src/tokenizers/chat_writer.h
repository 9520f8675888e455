// Turns a conversation, piece by piece, into ids: text of messages never becomes special tokens, whatever it spells;
// the form's or template's own marks do. Used by chat.cc and chat_format.cc.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizers/tokenizer.h"

namespace smelt {

// Collects text until a token comes, then encodes it.
class ChatWriter {
 public:
  explicit ChatWriter(const Tokenizer& tokenizer) : tokenizer_(tokenizer) { find_marks(); }

  // Text that stands for itself: of messages, or of a form between its marks.
  void text(std::string_view piece) { text_ += piece; }
  // Text of a template: tokens that it spells become these tokens.
  void template_text(std::string_view piece);
  // The token of this text, or the text where there is none.
  void mark(std::string_view name) {
    const std::optional<TokenId> id = find_mark(name);
    if (id) {
      token(*id);
    } else {
      text(name);
    }
  }
  void begin() {
    const Vocab& vocab = tokenizer_.vocab();
    if (vocab.add_bos && vocab.bos) token(*vocab.bos);
  }
  void end() {
    const std::optional<TokenId>& eos = tokenizer_.vocab().eos;
    if (eos) {
      token(*eos);
    } else {
      text("</s>");
    }
  }
  std::vector<TokenId> take() {
    flush();
    return std::move(ids_);
  }

 private:
  struct Mark {
    std::string_view text;
    TokenId id;
  };
  void find_marks();
  std::optional<TokenId> find_mark(std::string_view name) const;
  bool is_mark(TokenId id) const;
  bool is_template_token(TokenId id) const;
  void token(TokenId id) {
    flush();
    ids_.push_back(id);
  }
  void flush();
  void append_spelled(std::string_view spelled);

  const Tokenizer& tokenizer_;
  std::vector<Mark> marks_;
  std::array<TokenId, 256> byte_ids_ = {};
  std::string text_;
  std::vector<TokenId> ids_;
};

}  // namespace smelt
