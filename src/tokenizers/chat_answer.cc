#include "tokenizers/chat_answer.h"

#include <algorithm>
#include <span>

namespace smelt {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

}  // namespace

struct AnswerReader::Syntax {
  std::string_view open, close;                           // close empty: up to the answer's end
  std::vector<ChatCall> (*parse)(std::string_view body);  // null: thoughts
  bool begins_answer;                                     // counts only where an answer begins

  static std::span<const Syntax> all() {
    static const Syntax list[] = {
        {"<think>", "</think>", nullptr, false},
        {"<tool_call>", "</tool_call>", parse_tagged_calls, false},    // Hermes, Qwen, SmolLM 3, Granite
        {"<|tool_call|>", "<|/tool_call|>", parse_json_calls, false},  // Phi-4-mini, Granite 3
        {"[TOOL_CALLS]", "", parse_mistral_calls, false},              // Mistral
        {"<|python_tag|>", "", parse_python_calls, false},             // Llama 3
        {"<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", parse_deepseek_calls, false},
        {"{", "", parse_json_calls, true},  // Llama 3
    };
    return list;
  }
};

AnswerReader::AnswerReader(const AnswerOptions& options) : options_(options) {
  if (options.begins_thinking) inside_ = &Syntax::all().front();
  trims_ = true;
}

void AnswerReader::add(AnswerPart::Kind kind, std::string_view text) {
  if (trims_) text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  if (text.empty()) return;
  trims_ = false;
  started_ = started_ || kind == AnswerPart::Kind::text;
  if (!parts_.empty() && parts_.back().kind == kind) {
    parts_.back().text += text;
  } else {
    parts_.push_back({.kind = kind, .text = std::string(text)});
  }
}

// The first mark in pending_ that opens something.
const AnswerReader::Syntax* AnswerReader::find_open(size_t& at) const {
  const Syntax* best = nullptr;
  at = std::string::npos;
  for (const Syntax& syntax : Syntax::all()) {
    if (syntax.parse != nullptr && !options_.calls) continue;
    const bool may_begin = !started_ && pending_.find_first_not_of(kBlanks) == pending_.find(syntax.open);
    if (syntax.begins_answer && !may_begin) continue;
    const size_t found = pending_.find(syntax.open);
    if (found >= at) continue;
    at = found;
    best = &syntax;
  }
  return best;
}

// How much of pending_'s end may be the beginning of a mark that is waited for.
size_t AnswerReader::held_back() const {
  size_t most = 0;
  const auto look = [&](std::string_view mark) {
    for (size_t n = std::min(mark.size() - 1, pending_.size()); n > most; --n) {
      if (std::string_view(pending_).ends_with(mark.substr(0, n))) most = n;
    }
  };
  if (inside_ != nullptr) {
    look(inside_->close);
  } else {
    for (const Syntax& syntax : Syntax::all()) look(syntax.open);
  }
  // And the blanks in front of it, which go if it is one.
  while (most < pending_.size() && kBlanks.find(pending_[pending_.size() - 1 - most]) != std::string_view::npos) ++most;
  return most;
}

void AnswerReader::add_calls(std::string_view body, bool closed) {
  const std::vector<ChatCall> calls = inside_->parse(body);
  for (const ChatCall& call : calls) parts_.push_back({.kind = AnswerPart::Kind::call, .call = call});
  if (!calls.empty()) {
    trims_ = true;
    return;
  }
  add(AnswerPart::Kind::text, inside_->begins_answer ? "" : inside_->open);
  add(AnswerPart::Kind::text, body);
  if (closed) add(AnswerPart::Kind::text, inside_->close);
}

// True if a mark was passed, so that there may be more.
bool AnswerReader::read_outside(bool ends) {
  size_t at = 0;
  const Syntax* found = find_open(at);
  const size_t size = found != nullptr ? at : pending_.size() - (ends ? 0 : held_back());
  std::string_view text = std::string_view(pending_).substr(0, size);
  if (found != nullptr) text = text.substr(0, text.find_last_not_of(kBlanks) + 1);  // blanks between parts
  add(AnswerPart::Kind::text, text);
  pending_.erase(0, size);
  if (found == nullptr) return false;
  if (!found->begins_answer) pending_.erase(0, found->open.size());
  inside_ = found;
  trims_ = found->parse == nullptr;
  return true;
}

bool AnswerReader::read_inside(bool ends) {
  const size_t close = inside_->close.empty() ? std::string::npos : pending_.find(inside_->close);
  const bool closed = close != std::string::npos;
  if (inside_->parse == nullptr) {  // thoughts are shown as they come
    const size_t size = closed ? close : pending_.size() - (ends ? 0 : held_back());
    std::string_view text = std::string_view(pending_).substr(0, size);
    if (closed) text = text.substr(0, text.find_last_not_of(kBlanks) + 1);
    add(AnswerPart::Kind::thinking, text);
    pending_.erase(0, size + (closed ? inside_->close.size() : 0));
    trims_ = trims_ || closed;
  } else {
    if (!closed && !ends) return false;
    add_calls(std::string_view(pending_).substr(0, close), closed);
    pending_.erase(0, closed ? close + inside_->close.size() : pending_.size());
  }
  if (closed) inside_ = nullptr;
  return closed;
}

void AnswerReader::read(bool ends) {
  while (inside_ != nullptr ? read_inside(ends) : read_outside(ends)) {
  }
}

std::vector<AnswerPart> AnswerReader::push(std::string_view text) {
  pending_ += text;
  read(false);
  return std::exchange(parts_, {});
}

std::vector<AnswerPart> AnswerReader::finish() {
  read(true);
  return std::exchange(parts_, {});
}

}  // namespace smelt
