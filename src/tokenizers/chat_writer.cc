#include "tokenizers/chat_writer.h"

#include <algorithm>

#include "base/text.h"
#include "tokenizers/byte_token.h"

namespace smelt {
namespace {

constexpr std::string_view kMarks[] = {
    "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>",    "<|im_start|>", "<|im_end|>", "[INST]", "[/INST]",
    "<|system|>",          "<|user|>",          "<|assistant|>", "<<SYS>>",      "<</SYS>>"};

// <tool_call>, <|im_end|>, [INST], …; not the runs of blanks that some vocabularies have as such tokens.
bool looks_like_mark(std::string_view name) {
  return name.size() > 2 &&
         ((name.front() == '<' && name.back() == '>') || (name.front() == '[' && name.back() == ']'));
}

bool may_be_mark(const Token& token) {
  return token.type == TokenType::control || token.type == TokenType::user_defined;
}

}  // namespace

void ChatWriter::find_marks() {
  byte_ids_.fill(-1);
  const std::vector<Token>& tokens = tokenizer_.vocab().tokens;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    if (tokens[i].type == TokenType::byte) {
      if (const auto byte = byte_of_token(tokens[i].text)) byte_ids_[*byte] = id;
    }
    if (!may_be_mark(tokens[i])) continue;
    const auto* found = std::find(std::begin(kMarks), std::end(kMarks), tokens[i].text);
    if (found != std::end(kMarks)) marks_.push_back({*found, id});
  }
}

std::optional<TokenId> ChatWriter::find_mark(std::string_view name) const {
  for (const Mark& mark : marks_) {
    if (mark.text == name) return mark.id;
  }
  return std::nullopt;
}

// One character alone is none, whatever the file says of it.
bool ChatWriter::is_mark(TokenId id) const {
  const Vocab& vocab = tokenizer_.vocab();
  const std::string& name = vocab.tokens[static_cast<size_t>(id)].text;
  if (utf8_length(name, 0) == name.size()) return false;
  if (id == vocab.bos || id == vocab.eos || id == vocab.eot || tokenizer_.is_end(id)) return true;
  if (vocab.tokens[static_cast<size_t>(id)].type == TokenType::user_defined && looks_like_mark(name)) return true;
  return std::any_of(marks_.begin(), marks_.end(), [&](const Mark& mark) { return mark.id == id; });
}

// Encodes what has come together. Control tokens never come of it; some vocabularies have marks as user-defined tokens,
// which do and are spelled out.
void ChatWriter::flush() {
  if (text_.empty()) return;
  for (const TokenId id : tokenizer_.encode(text_, {.goes_on = !ids_.empty()})) {
    if (!is_mark(id)) {
      ids_.push_back(id);
    } else if (id != tokenizer_.vocab().unknown) {  // which spells nothing
      append_spelled(tokenizer_.vocab().tokens[static_cast<size_t>(id)].text);
    }
  }
  text_.clear();
}

// Byte by byte where there are tokens for that, else character by character: no mark is that short.
void ChatWriter::append_spelled(std::string_view spelled) {
  while (!spelled.empty()) {
    const TokenId byte = byte_ids_[static_cast<uint8_t>(spelled.front())];
    const size_t length = byte >= 0 ? 1 : std::max<size_t>(utf8_length(spelled, 0), 1);
    if (byte >= 0) {
      ids_.push_back(byte);
    } else {
      for (const TokenId id : tokenizer_.encode(spelled.substr(0, length), {.goes_on = true})) {
        if (!is_mark(id)) ids_.push_back(id);
      }
    }
    spelled.remove_prefix(length);
  }
}

// Other user-defined tokens (runs of blanks) come of the text around them when that is encoded.
bool ChatWriter::is_template_token(TokenId id) const {
  const Vocab& vocab = tokenizer_.vocab();
  if (id == vocab.unknown) return false;
  return vocab.tokens[static_cast<size_t>(id)].type == TokenType::control || is_mark(id);
}

void ChatWriter::template_text(std::string_view piece) {
  for (const TextFragment& fragment : tokenizer_.split_special(piece)) {
    if (fragment.id >= 0 && is_template_token(fragment.id)) {
      token(fragment.id);
    } else {
      text(fragment.text);
    }
  }
}

}  // namespace smelt
