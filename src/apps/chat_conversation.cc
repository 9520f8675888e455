// Messages in, answers out.
#include "apps/chat_conversation.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "apps/chat_input.h"

namespace smelt {
namespace {

using Role = ChatMessage::Role;
using nlohmann::ordered_json;

ordered_json call_json(const ChatCall& call) {
  const ordered_json arguments = ordered_json::parse(call.arguments, nullptr, false);
  ordered_json out = {{"name", call.name},
                      {"arguments", arguments.is_discarded() ? ordered_json(call.arguments) : arguments}};
  if (!call.id.empty()) out["id"] = call.id;
  return out;
}

ordered_json message_json(const ChatMessage& message) {
  ordered_json out = {{"role", chat_role_name(message.role)}, {"text", message.text}};
  if (!message.thinking.empty()) out["thinking"] = message.thinking;
  if (!message.call_id.empty()) out["call_id"] = message.call_id;
  if (message.calls.empty()) return out;
  out["calls"] = ordered_json::array();
  for (const ChatCall& call : message.calls) out["calls"].push_back(call_json(call));
  return out;
}

std::string dump(const ordered_json& value, int indent) {
  return value.dump(indent, ' ', false, ordered_json::error_handler_t::replace);
}

std::string find_text(const ordered_json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::optional<std::vector<ChatCall>> read_calls(const ordered_json& message) {
  std::vector<ChatCall> calls;
  if (!message.contains("calls")) return calls;
  if (!message["calls"].is_array()) return std::nullopt;
  for (const ordered_json& each : message["calls"]) {
    if (!each.is_object() || find_text(each, "name").empty() || !each.contains("arguments")) return std::nullopt;
    const ordered_json& given = each["arguments"];
    calls.push_back({find_text(each, "id"), find_text(each, "name"),
                     given.is_string() ? given.get<std::string>() : dump(given, -1)});
  }
  return calls;
}

// The roles that may follow these messages, the usual one first.
std::vector<Role> next_roles(const std::vector<ChatMessage>& messages) {
  if (messages.empty()) return {Role::user};
  const ChatMessage& last = messages.back();
  if (last.role == Role::user) return {Role::assistant};
  if (last.role == Role::tool) return {Role::assistant, Role::tool, Role::user};
  return last.calls.empty() ? std::vector<Role>{Role::user} : std::vector<Role>{Role::user, Role::tool};
}

Result<std::vector<ChatMessage>> read_messages(const ordered_json& list) {
  std::vector<ChatMessage> messages;
  if (!list.is_array()) return input_error("'messages' is missing or no array");
  for (const ordered_json& item : list) {
    const std::vector<Role> wanted = next_roles(messages);
    const std::string name = item.is_object() ? find_text(item, "role") : "";
    const auto role =
        std::find_if(wanted.begin(), wanted.end(), [&](Role each) { return name == chat_role_name(each); });
    const bool sound = role != wanted.end() && item.contains("text") && item["text"].is_string();
    const auto calls = sound ? read_calls(item) : std::nullopt;
    if (!calls)
      return input_error(fmt::format("message {}: wanted an object with \"role\": \"{}\" and \"text\"",
                                     messages.size() + 1, chat_role_name(wanted.front())));
    messages.push_back(
        {*role, find_text(item, "text"), find_text(item, "thinking"), *calls, find_text(item, "call_id")});
  }
  if (!messages.empty() && messages.back().role != Role::assistant)
    return input_error("the last message has no answer");
  return messages;
}

// Adds up the parts of an answer.
void add_part(const AnswerPart& part, ChatMessage& answer) {
  if (part.kind == AnswerPart::Kind::text) answer.text += part.text;
  if (part.kind == AnswerPart::Kind::thinking) answer.thinking += part.text;
  if (part.kind == AnswerPart::Kind::call) answer.calls.push_back(part.call);
}

}  // namespace

Conversation::Conversation(LoadedModel model, Session session, ChatFormat format, ChatOptions chat,
                           GenerateOptions options)
    : model_(std::move(model)),
      session_(std::move(session)),
      format_(std::move(format)),
      chat_(std::move(chat)),
      options_(std::move(options)) {
  // A constraint says itself where an answer ends.
  if (options_.constraint == nullptr) {
    for (std::string& stop : format_.stop_strings()) options_.stop.push_back(std::move(stop));
  }
  // Marks of calls and thoughts are control tokens in some vocabularies.
  options_.show_special = format_.has_template() && (chat_.tools || format_.knows_thinking());
}

Result<GenerateResult> Conversation::answer(const EmitPart& emit) {
  std::vector<ChatMessage> all;
  if (!system_.empty()) all.push_back({Role::system, system_});
  all.insert(all.end(), messages_.begin(), messages_.end());
  SMELT_ASSIGN(const ChatPrompt prompt, format_.encode(all, chat_));
  if (options_.constraint != nullptr && prompt.begins_thinking) {
    return input_error(
        "the chat template begins answers with thoughts, which a constraint leaves no room for; --think off");
  }
  AnswerReader reader({.begins_thinking = prompt.begins_thinking, .calls = chat_.tools.has_value()});
  ChatMessage answer = {Role::assistant, ""};
  const auto take = [&](const std::vector<AnswerPart>& parts) {
    bool goes_on = true;
    for (const AnswerPart& part : parts) {
      add_part(part, answer);
      goes_on = emit(part) && goes_on;
    }
    return goes_on;
  };
  const auto emit_text = [&](std::string_view text) { return take(reader.push(text)); };
  SMELT_ASSIGN(GenerateResult result, generate(session_, *model_.tokenizer, prompt.ids, options_, emit_text));
  take(reader.finish());
  ++options_.sampling.seed;
  answer.text = trimmed(answer.text);
  messages_.push_back(std::move(answer));
  return result;
}

std::vector<ChatCall> Conversation::open_calls() const {
  size_t n_results = 0;
  while (n_results < messages_.size() && messages_[messages_.size() - 1 - n_results].role == Role::tool) ++n_results;
  if (n_results == messages_.size()) return {};
  const std::vector<ChatCall>& calls = messages_[messages_.size() - 1 - n_results].calls;
  if (n_results >= calls.size()) return {};
  return {calls.begin() + static_cast<ptrdiff_t>(n_results), calls.end()};
}

Status Conversation::add_result(const std::string& text) {
  const std::vector<ChatCall> open = open_calls();
  if (open.empty()) return usage_error("the model has called no tool whose result is missing");
  messages_.push_back({Role::tool, text, "", {}, open.front().id});
  return {};
}

Result<GenerateResult> Conversation::ask(const std::string& message, const EmitPart& emit) {
  messages_.push_back({Role::user, message});
  auto result = answer(emit);
  if (!result) messages_.pop_back();
  return result;
}

Result<GenerateResult> Conversation::answer_again(const EmitPart& emit) {
  if (messages_.empty() || messages_.back().role != Role::assistant) return usage_error("there is no answer yet");
  const ChatMessage last = std::move(messages_.back());
  messages_.pop_back();
  auto result = answer(emit);
  if (!result) messages_.push_back(last);
  return result;
}

std::string Conversation::to_json() const {
  ordered_json out = {{"system", system_}, {"messages", ordered_json::array()}};
  for (const ChatMessage& message : messages_) out["messages"].push_back(message_json(message));
  return dump(out, 2) + "\n";
}

std::string format_call(const ChatCall& call) { return dump(call_json(call), -1); }

std::string format_answer(const ChatMessage& answer, FinishReason reason) {
  ordered_json out = message_json(answer);
  out.erase("role");
  out["end"] = finish_reason_name(reason);
  return dump(out, -1);
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
