// name_template: whose template a Jinja chat template is, told by the marks it contains. Only shown; templates are run,
// not guessed.
#include <algorithm>
#include <array>

#include "tokenizers/chat.h"

namespace smelt {
namespace {

constexpr size_t kMostMarks = 3;

struct KnownTemplate {
  const char* name;
  std::array<std::string_view, kMostMarks> marks;  // all of these occur, empty ones aside
};

// The first row whose marks all occur; rows with marks of their own stand before the forms that they grew from.
constexpr KnownTemplate kTemplates[] = {
    {"Phi-4", {"<|im_start|>", "<|im_sep|>"}},
    {"Kimi", {"<|im_middle|>"}},
    {"ChatML", {"<|im_start|>", "<|im_end|>"}},
    {"Llama 3", {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"}},
    {"Llama 4", {"<|header_start|>", "<|header_end|>"}},
    {"Llama 2", {"[INST]", "[/INST]", "<<SYS>>"}},
    {"Mistral", {"[INST]", "[/INST]"}},
    {"Gemma", {"<start_of_turn>"}},
    {"Phi-3", {"<|user|>", "<|assistant|>", "<|end|>"}},
    {"GPT-OSS", {"<|start|>", "<|message|>"}},
    {"GLM-4", {"[gMASK]"}},
    {"Granite", {"<|start_of_role|>"}},
    {"Command R", {"<|START_OF_TURN_TOKEN|>"}},
    {"DeepSeek", {"<｜User｜>", "<｜Assistant｜>"}},
    {"DeepSeek LLM", {"'User: '", "'Assistant: '"}},
    {"OpenChat", {"GPT4 Correct"}},
    {"Vicuna", {"USER: ", "ASSISTANT:"}},
    {"EXAONE", {"[|user|]", "[|assistant|]"}},
    {"MiniCPM", {"<用户>"}},
    {"Alpaca", {"### Instruction:", "### Response:"}},
};

bool has_marks(std::string_view text, const KnownTemplate& known) {
  for (const std::string_view mark : known.marks) {
    if (text.find(mark) == std::string_view::npos) return false;
  }
  return true;
}

// Zephyr's marks are those of other forms too (Falcon 3, GLM Edge). Only here is a user's message ended by a token,
// named between its mark and the next.
bool is_zephyr(std::string_view text) {
  constexpr std::string_view kUser = "<|user|>";
  const size_t user = text.find(kUser);
  if (user == std::string_view::npos || text.find("<|assistant|>") == std::string_view::npos) return false;
  const std::string_view rest = text.substr(user + kUser.size());
  const size_t end = std::min({rest.find("eos_token"), rest.find("</s>"), rest.find("<|endoftext|>")});
  return end < std::min(rest.find("<|assistant|>"), rest.find("<|system|>"));
}

}  // namespace

std::string name_template(std::string_view text) {
  for (const KnownTemplate& known : kTemplates) {
    if (has_marks(text, known)) return known.name;
  }
  return is_zephyr(text) ? "Zephyr" : "";
}

}  // namespace smelt
