// Takes an answer apart as it comes: thoughts, the answer proper, and calls of tools in the syntaxes that model
// families use. Called for every piece of text that the model writes; text is never lost, what cannot be read as a call
// stays text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tokenizers/chat.h"

namespace smelt {

struct AnswerPart {
  enum class Kind { text, thinking, call } kind;
  std::string text{};  // of text and thinking
  ChatCall call{};
};

struct AnswerOptions {
  bool begins_thinking = false;  // ChatPrompt::begins_thinking
  bool calls = false;            // tools were offered; else their syntax is text
};

class AnswerReader {
 public:
  explicit AnswerReader(const AnswerOptions& options);
  std::vector<AnswerPart> push(std::string_view text);
  std::vector<AnswerPart> finish();  // what is left when no more comes

 private:
  struct Syntax;
  void read(bool ends);
  bool read_outside(bool ends);
  bool read_inside(bool ends);
  void add(AnswerPart::Kind kind, std::string_view text);
  void add_calls(std::string_view body, bool closed);
  const Syntax* find_open(size_t& at) const;
  size_t held_back() const;

  AnswerOptions options_;
  const Syntax* inside_ = nullptr;
  bool started_ = false;  // something but blanks has come
  bool trims_ = false;    // blanks that begin a part are left out
  std::string pending_;
  std::vector<AnswerPart> parts_;
};

// The calls in what stands between a syntax's marks; empty if it cannot be read.
std::vector<ChatCall> parse_json_calls(std::string_view body);     // {"name": …, "arguments": …}, or a list of them
std::vector<ChatCall> parse_mistral_calls(std::string_view body);  // such a list, or name[ARGS]{…}
std::vector<ChatCall> parse_python_calls(std::string_view body);   // Llama 3: JSON, name.call(key="value"), or code
std::vector<ChatCall> parse_deepseek_calls(std::string_view body);
std::vector<ChatCall> parse_tagged_calls(std::string_view body);  // JSON, or <function=name><parameter=key>value…

}  // namespace smelt
