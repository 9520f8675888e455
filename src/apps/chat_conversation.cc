// Messages in, answers out.
#include "apps/chat_conversation.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/chat_input.h"

namespace smelt {
namespace {

using Role = ChatMessage::Role;
using nlohmann::ordered_json;

// Leaves out the blanks that models like to begin an answer with.
class BlankSkipper {
 public:
  std::string_view push(std::string_view text) {
    if (!started_) {
      const size_t begin = std::min(text.find_first_not_of(" \t\r\n"), text.size());
      text.remove_prefix(begin);
      started_ = !text.empty();
    }
    return text;
  }

 private:
  bool started_ = false;
};

Result<std::vector<ChatMessage>> read_messages(const ordered_json& list) {
  std::vector<ChatMessage> messages;
  if (!list.is_array()) return input_error("'messages' is missing or no array");
  for (const ordered_json& item : list) {
    const bool sound = item.is_object() && item.contains("role") && item["role"].is_string() && item.contains("text") &&
                       item["text"].is_string();
    const Role wanted = messages.size() % 2 == 0 ? Role::user : Role::assistant;
    const char* wanted_name = wanted == Role::user ? "user" : "assistant";
    if (!sound || item["role"].get<std::string>() != wanted_name)
      return input_error(fmt::format("message {}: wanted an object with \"role\": \"{}\" and \"text\"",
                                     messages.size() + 1, wanted_name));
    messages.push_back({wanted, item["text"].get<std::string>()});
  }
  if (messages.size() % 2 != 0) return input_error("the last message has no answer");
  return messages;
}

}  // namespace

Conversation::Conversation(LoadedModel model, Session session, ChatForm form, GenerateOptions options)
    : model_(std::move(model)), session_(std::move(session)), form_(form), options_(std::move(options)) {
  for (std::string& stop : chat_stop_strings(form)) options_.stop.push_back(std::move(stop));
}

Result<GenerateResult> Conversation::answer(const EmitText& emit) {
  std::vector<ChatMessage> all;
  if (!system_.empty()) all.push_back({Role::system, system_});
  all.insert(all.end(), messages_.begin(), messages_.end());
  const std::vector<TokenId> ids = encode_chat(*model_.tokenizer, form_, all);
  BlankSkipper skipper;
  const auto emit_text = [&](std::string_view text) {
    const std::string_view shown = skipper.push(text);
    return shown.empty() || emit(shown);
  };
  SMELT_ASSIGN(GenerateResult result, generate(session_, *model_.tokenizer, ids, options_, emit_text));
  ++options_.sampling.seed;
  messages_.push_back({Role::assistant, trimmed(result.text)});
  return result;
}

Result<GenerateResult> Conversation::ask(const std::string& message, const EmitText& emit) {
  messages_.push_back({Role::user, message});
  auto result = answer(emit);
  if (!result) messages_.pop_back();
  return result;
}

Result<GenerateResult> Conversation::answer_again(const EmitText& emit) {
  if (messages_.empty()) return usage_error("there is no answer yet");
  const ChatMessage last = std::move(messages_.back());
  messages_.pop_back();
  auto result = answer(emit);
  if (!result) messages_.push_back(last);
  return result;
}

std::string Conversation::to_json() const {
  ordered_json out = {{"system", system_}, {"messages", ordered_json::array()}};
  for (const ChatMessage& message : messages_)
    out["messages"].push_back({{"role", message.role == Role::user ? "user" : "assistant"}, {"text", message.text}});
  return out.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

Status Conversation::load_json(const std::string& json) {
  const ordered_json parsed = ordered_json::parse(json, nullptr, false);
  if (!parsed.is_object()) return input_error("not the JSON of a saved chat");
  SMELT_ASSIGN(auto messages, read_messages(parsed.value("messages", ordered_json())));
  messages_ = std::move(messages);
  const auto system = parsed.find("system");
  system_ = system != parsed.end() && system->is_string() ? system->get<std::string>() : "";
  return {};
}

}  // namespace smelt
