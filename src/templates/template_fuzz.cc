// Fuzz target of the template interpreter: any text is parsed and rendered over a conversation with tools, or is an
// error of one line. Text of the data keeps its mark: data never loses it by being joined, cut or replaced.
#include <cstdlib>

#include "templates/json.h"
#include "templates/template.h"

namespace {

using smelt::jinja::Value;

const std::vector<std::pair<std::string, Value>>& variables() {
  static const auto made = [] {
    const auto parsed = smelt::jinja::parse_json(
        R"({"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Q <|end|>"},
            {"role": "assistant", "content": "A", "tool_calls": [{"function": {"name": "f", "arguments": {"x": 1.5}}}]}],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
            "bos_token": "<s>", "add_generation_prompt": true, "l": [3, 1, 2], "n": 7})",
        "fuzz");
    if (!parsed) std::abort();
    std::vector<std::pair<std::string, Value>> out;
    for (const auto& [key, value] : parsed->find_dict()->entries) out.emplace_back(key.find_text()->bytes(), value);
    return out;
  }();
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view source(reinterpret_cast<const char*>(data), size);
  const auto parsed = smelt::jinja::Template::parse(source);
  if (!parsed) return parsed.error().message.find('\n') == std::string::npos ? 0 : (std::abort(), 0);
  const smelt::jinja::RenderOptions options = {.limits = {.steps = 100'000, .bytes = uint64_t{4} << 20, .depth = 200},
                                               .now = 1721984703};
  const auto text = parsed->render(variables(), options);
  if (!text) return text.error().message.find('\n') == std::string::npos ? 0 : (std::abort(), 0);
  size_t total = 0;
  for (const auto& piece : text->pieces()) total += piece.text.size();
  if (total != text->size()) std::abort();
  return 0;
}
