// The global functions that chat templates may call.
#include <fmt/format.h>

#include <array>
#include <cstdlib>

#include "base/text.h"
#include "templates/runtime.h"

namespace smelt::jinja {
namespace {

constexpr int64_t kMostRange = 100'000;  // Jinja's sandbox has the same limit
constexpr size_t kMostTimeFormat = 256;

Result<Value> call_range(Runtime& runtime, const Arguments& arguments) {
  SMELT_ASSIGN(const auto given, bind(arguments, {"start", "stop", "step"}, 1));
  SMELT_ASSIGN(int64_t start, to_integer(given[0], "range's bound"));
  int64_t stop = start;
  int64_t step = 1;
  if (given[1].is_undefined()) {
    start = 0;
  } else {
    SMELT_ASSIGN(stop, to_integer(given[1], "range's bound"));
  }
  if (!given[2].is_undefined()) {
    SMELT_ASSIGN(step, to_integer(given[2], "range's step"));
  }
  if (step == 0) return input_error("range's step is 0");
  std::vector<Value> out;
  for (__int128 i = start; step > 0 ? i < stop : i > stop; i += step) {
    if (out.size() == kMostRange)
      return input_error(fmt::format("range is too large, at most {} steps are allowed (step limit)", kMostRange));
    out.push_back(Value::integer(static_cast<int64_t>(i)));
  }
  return runtime.list(std::move(out));
}

Result<Value> call_namespace(Runtime& runtime, const Arguments& arguments) {
  std::vector<std::pair<std::string, Value>> attributes;
  for (const Value& each : arguments.positional) {
    const DictNode* dict = each.find_dict();
    if (dict == nullptr) return type_error("namespace takes a dictionary or named values", each);
    for (const auto& [key, value] : dict->entries) {
      SMELT_ASSIGN(const Text* name, to_string_argument(key, "an attribute's name"));
      attributes.emplace_back(name->bytes(), value);
    }
  }
  for (const auto& [name, value] : arguments.named) attributes.emplace_back(name, value);
  return runtime.new_namespace(std::move(attributes));
}

Result<Value> call_dict(Runtime& runtime, const Arguments& arguments) {
  std::vector<Entry> entries;
  for (const Value& each : arguments.positional) {
    if (each.find_dict() == nullptr) return type_error("dict takes a dictionary or named values", each);
    entries = each.find_dict()->entries;
  }
  for (const auto& [name, value] : arguments.named) {
    std::erase_if(entries, [&](const Entry& entry) {
      return entry.first.find_text() != nullptr && entry.first.find_text()->bytes() == name;
    });
    SMELT_ASSIGN(Value key, runtime.text(name));
    entries.emplace_back(std::move(key), value);
  }
  return runtime.dict(std::move(entries));
}

// The template refuses the conversation; its words are shown.
Result<Value> call_raise_exception(Runtime&, const Arguments& arguments) {
  SMELT_ASSIGN(const auto given, bind(arguments, {"message"}, 1));
  const Text* text = given[0].find_text();
  return input_error("the chat template says: " + escape_for_display(text == nullptr ? "no" : text->bytes(), 400));
}

Result<Value> call_strftime_now(Runtime& runtime, const Arguments& arguments) {
  SMELT_ASSIGN(const auto given, bind(arguments, {"format"}, 1));
  SMELT_ASSIGN(const Text* format, to_string_argument(given[0], "format"));
  if (format->empty()) return runtime.text("");
  if (format->size() > kMostTimeFormat) return input_error("the time's format is too long");
  // A width such as %999999d would fill memory within strftime.
  int64_t width = 0;
  for (const char c : format->bytes()) {
    width = c >= '0' && c <= '9' ? width * 10 + (c - '0') : 0;
    if (width > 99) return input_error("a width in the time's format is too large");
  }
  std::tm local = {};
  const std::time_t now = runtime.now();
  localtime_r(&now, &local);
  std::array<char, 100 * kMostTimeFormat> buffer = {};
  const size_t size = std::strftime(buffer.data(), buffer.size(), format->bytes().c_str(), &local);
  return runtime.text(std::string_view(buffer.data(), size));
}

constexpr GlobalFunction kGlobals[] = {
    {"range", call_range},
    {"namespace", call_namespace},
    {"dict", call_dict},
    {"raise_exception", call_raise_exception},
    {"strftime_now", call_strftime_now},
};

}  // namespace

const GlobalFunction* find_global(std::string_view name) {
  for (const GlobalFunction& each : kGlobals) {
    if (name == each.name) return &each;
  }
  return nullptr;
}

}  // namespace smelt::jinja
