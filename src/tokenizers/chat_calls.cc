// The syntaxes in which model families call tools, one function each.
#include <nlohmann/json.hpp>
#include <optional>

#include "tokenizers/chat_answer.h"

namespace smelt {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kBlanks = " \t\r\n";
constexpr int kMaxDepth = 64;

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

// Discarded where it is not sound or nests deeper than any call.
ordered_json parse_json(std::string_view text) {
  const auto limit = [](int depth, ordered_json::parse_event_t, ordered_json&) { return depth <= kMaxDepth; };
  return ordered_json::parse(text.begin(), text.end(), limit, false);
}

std::string dump(const ordered_json& value) {
  return value.is_string() ? value.get<std::string>()
                           : value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::optional<ChatCall> read_call(const ordered_json& given) {
  if (!given.is_object()) return std::nullopt;
  const ordered_json& object = given.contains("function") && given["function"].is_object() ? given["function"] : given;
  if (!object.contains("name") || !object["name"].is_string()) return std::nullopt;
  ChatCall call;
  call.name = object["name"].get<std::string>();
  call.arguments = "{}";
  for (const char* key : {"arguments", "parameters"}) {
    if (object.contains(key)) call.arguments = dump(object[key]);
  }
  if (given.contains("id") && given["id"].is_string()) call.id = given["id"].get<std::string>();
  return call;
}

// The length of the JSON value that `text` begins with: up to its bracket's match.
size_t json_length(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\') {
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == '{' || c == '[')) {
      ++depth;
    } else if (!quoted && (c == '}' || c == ']') && --depth <= 0) {
      return i + 1;
    }
  }
  return text.size();
}

// What stands between `open` and `close` from `at` on, which is moved behind it.
std::optional<std::string_view> between(std::string_view text, std::string_view open, std::string_view close,
                                        size_t& at) {
  const size_t begin = text.find(open, at);
  if (begin == std::string_view::npos) return std::nullopt;
  const size_t end = text.find(close, begin + open.size());
  if (end == std::string_view::npos) return std::nullopt;
  at = end + close.size();
  return text.substr(begin + open.size(), end - begin - open.size());
}

bool is_name(std::string_view text) {
  if (text.empty()) return false;
  return text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
         std::string_view::npos;
}

}  // namespace

// One value, or several in a row, set apart by blanks or semicolons.
std::vector<ChatCall> parse_json_calls(std::string_view body) {
  std::vector<ChatCall> calls;
  for (std::string_view rest = trimmed(body); !rest.empty();) {
    if (rest.front() != '{' && rest.front() != '[') return {};
    const size_t size = json_length(rest);
    const ordered_json value = parse_json(rest.substr(0, size));
    const ordered_json list = value.is_array() ? value : ordered_json::array({value});
    for (const ordered_json& each : list) {
      const auto call = read_call(each);
      if (!call) return {};
      calls.push_back(*call);
    }
    rest = trimmed(rest.substr(size));
    if (!rest.empty() && (rest.front() == ';' || rest.front() == ',')) rest = trimmed(rest.substr(1));
  }
  return calls;
}

std::vector<ChatCall> parse_mistral_calls(std::string_view body) {
  std::string_view rest = trimmed(body);
  if (rest.starts_with("[") || rest.starts_with("{")) return parse_json_calls(rest);
  constexpr std::string_view kArguments = "[ARGS]";
  constexpr std::string_view kAgain = "[TOOL_CALLS]";
  std::vector<ChatCall> calls;
  while (!rest.empty()) {
    const size_t open = rest.find('{');
    if (open == std::string_view::npos) return {};
    std::string_view name = rest.substr(0, open);
    name = trimmed(name.substr(0, name.find(kArguments)));
    name = trimmed(name.substr(0, name.find("[CALL_ID]")));
    const size_t size = json_length(rest.substr(open));
    const ordered_json arguments = parse_json(rest.substr(open, size));
    if (!is_name(name) || !arguments.is_object()) return {};
    calls.push_back({.id = "", .name = std::string(name), .arguments = dump(arguments)});
    rest = trimmed(rest.substr(open + size));
    if (rest.starts_with(kAgain)) rest = trimmed(rest.substr(kAgain.size()));
  }
  return calls;
}

namespace {

// name.call(key="value", …)
std::optional<ChatCall> read_python_call(std::string_view text) {
  const size_t dot = text.find(".call(");
  if (dot == std::string_view::npos || text.back() != ')' || !is_name(text.substr(0, dot))) return std::nullopt;
  std::string_view rest = text.substr(dot + 6, text.size() - dot - 7);
  ordered_json arguments = ordered_json::object();
  while (!trimmed(rest).empty()) {
    const size_t equals = rest.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string_view key = trimmed(rest.substr(0, equals));
    std::string_view value = trimmed(rest.substr(equals + 1));
    size_t end = 0;
    if (value.starts_with('"')) {
      for (end = 1; end < value.size() && value[end] != '"'; ++end) end += value[end] == '\\' ? 1 : 0;
      end = std::min(end + 1, value.size());
    } else {
      end = std::min(value.find(','), value.size());
    }
    const ordered_json parsed = parse_json(value.substr(0, end));
    if (!is_name(key) || parsed.is_discarded()) return std::nullopt;
    arguments[std::string(key)] = parsed;
    rest = trimmed(value.substr(end));
    if (rest.starts_with(',')) rest.remove_prefix(1);
  }
  return ChatCall{.id = "", .name = std::string(text.substr(0, dot)), .arguments = dump(arguments)};
}

}  // namespace

std::vector<ChatCall> parse_python_calls(std::string_view body) {
  const std::string_view text = trimmed(body);
  if (text.empty()) return {};
  if (auto calls = parse_json_calls(text); !calls.empty()) return calls;
  if (const auto call = read_python_call(text)) return {*call};
  const ordered_json code = {{"code", std::string(text)}};
  return {{.id = "", .name = "code_interpreter", .arguments = dump(code)}};
}

// type<｜tool▁sep｜>name, and the arguments in a fence of JSON; later versions: name<｜tool▁sep｜>arguments.
std::vector<ChatCall> parse_deepseek_calls(std::string_view body) {
  constexpr std::string_view kSeparator = "<｜tool▁sep｜>";
  constexpr std::string_view kFence = "```";
  std::vector<ChatCall> calls;
  size_t at = 0;
  while (const auto inner = between(body, "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", at)) {
    const size_t cut = inner->find(kSeparator);
    if (cut == std::string_view::npos) return {};
    std::string_view name = trimmed(inner->substr(0, cut));
    std::string_view json = trimmed(inner->substr(cut + kSeparator.size()));
    if (const size_t fence = json.find(kFence); fence != std::string_view::npos && json.front() != '{') {
      name = trimmed(json.substr(0, fence));
      json = json.substr(fence);
      json = json.substr(std::min(json.find('{'), json.size()));
      json = json.substr(0, json.rfind('}') + 1);
    }
    const ordered_json arguments = parse_json(json);
    if (!is_name(name) || !arguments.is_object()) return {};
    calls.push_back({.id = "", .name = std::string(name), .arguments = dump(arguments)});
  }
  return calls;
}

std::vector<ChatCall> parse_tagged_calls(std::string_view body) {
  const std::string_view text = trimmed(body);
  if (!text.starts_with("<function=")) return parse_json_calls(text);
  size_t at = 0;
  const auto name = between(text, "<function=", ">", at);
  if (!name || !is_name(trimmed(*name))) return {};
  ordered_json arguments = ordered_json::object();
  while (const auto key = between(text, "<parameter=", ">", at)) {
    const size_t end = text.find("</parameter>", at);
    if (end == std::string_view::npos) return {};
    const std::string_view value = trimmed(text.substr(at, end - at));
    const ordered_json parsed = parse_json(value);
    arguments[std::string(trimmed(*key))] = parsed.is_discarded() ? ordered_json(std::string(value)) : parsed;
    at = end;
  }
  return {{.id = "", .name = std::string(trimmed(*name)), .arguments = dump(arguments)}};
}

}  // namespace smelt
