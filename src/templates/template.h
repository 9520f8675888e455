// A chat template: parsed once, rendered for each conversation. The language is the part of Jinja that chat templates
// use, set up as transformers sets it up (docs/chat-templates.md). Rendering touches no file, no network and no object
// of the program, and is bounded in time, memory and stack.
#pragma once

#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "templates/value.h"

namespace smelt::jinja {

struct Syntax;

struct RenderOptions {
  Limits limits{};
  std::time_t now = 0;  // what strftime_now tells; 0: the time at the call
};

class Template {
 public:
  // Errors name the line.
  static Result<Template> parse(std::string_view source);
  // `variables`: messages, tools, bos_token, add_generation_prompt, … Immutable and safe to call from any thread.
  Result<Text> render(const std::vector<std::pair<std::string, Value>>& variables,
                      const RenderOptions& options = {}) const;

 private:
  explicit Template(std::shared_ptr<const Syntax> syntax) : syntax_(std::move(syntax)) {}
  std::shared_ptr<const Syntax> syntax_;
};

}  // namespace smelt::jinja
