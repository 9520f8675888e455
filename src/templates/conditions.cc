// Jinja's tests: what stands behind "is".
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "templates/characters.h"
#include "templates/filters.h"

namespace smelt::jinja {
namespace {

using Tested = Result<bool>;
using Test = Tested (*)(Runtime& runtime, const Value& value, const std::vector<Value>& arguments);
struct TestEntry {
  const char* name;
  size_t n_arguments;
  Test passes;
};

Tested with_integer(const Value& value, int64_t divisor, int64_t rest) {
  if (!value.is_integer()) return type_error("an integer is wanted", value);
  if (divisor == 0) return input_error("division by zero");
  return divisor == -1 ? rest == 0 : std::abs(value.as_integer() % divisor) == rest;
}

Tested compare(Runtime& runtime, const Value& a, const Value& b, const char* op) {
  SMELT_ASSIGN(const int order, runtime.compare(a, b, op));
  const std::string_view name = op;
  if (name == "<") return order < 0;
  if (name == "<=") return order <= 0;
  return name == ">" ? order > 0 : order >= 0;
}

// As str.isupper and str.islower: some letter has case, and all that have it have this one.
bool has_case(const Value& value, bool upper) {
  const Text* text = value.find_text();
  bool some = false;
  for (size_t i = 0; text != nullptr && i < text->size();) {
    const Character c = character_at(text->bytes(), i);
    if (upper ? is_lower(c.code) : is_upper(c.code)) return false;
    some = some || (upper ? is_upper(c.code) : is_lower(c.code));
    i += c.size;
  }
  return some;
}

bool is_iterable(const Value& value) {
  return value.is_undefined() || value.find_text() != nullptr || value.find_list() != nullptr ||
         value.find_dict() != nullptr;
}

bool is_sequence(const Value& value) {
  const ListNode* list = value.find_list();
  return is_iterable(value) && (list == nullptr || list->shape != ListShape::generator);
}

constexpr auto kEqual = [](Runtime& runtime, const Value& a, const std::vector<Value>& b) {
  return runtime.equal(a, b[0]);
};
constexpr auto kDiffers = [](Runtime& runtime, const Value& a, const std::vector<Value>& b) -> Tested {
  SMELT_ASSIGN(const bool same, runtime.equal(a, b[0]));
  return !same;
};
constexpr auto kLess = [](Runtime& runtime, const Value& a, const std::vector<Value>& b) {
  return compare(runtime, a, b[0], "<");
};
constexpr auto kAtMost = [](Runtime& runtime, const Value& a, const std::vector<Value>& b) {
  return compare(runtime, a, b[0], "<=");
};
constexpr auto kAbove = [](Runtime& runtime, const Value& a, const std::vector<Value>& b) {
  return compare(runtime, a, b[0], ">");
};
constexpr auto kAtLeast = [](Runtime& runtime, const Value& a, const std::vector<Value>& b) {
  return compare(runtime, a, b[0], ">=");
};

#define SMELT_IS(expression) [](Runtime&, const Value& v, const std::vector<Value>&) -> Tested { return expression; }
constexpr TestEntry kTests[] = {
    {"defined", 0, SMELT_IS(!v.is_undefined())},
    {"undefined", 0, SMELT_IS(v.is_undefined())},
    {"none", 0, SMELT_IS(v.is_none())},
    {"boolean", 0, SMELT_IS(v.holds<bool>())},
    {"true", 0, SMELT_IS(v.holds<bool>() && v.is_true())},
    {"false", 0, SMELT_IS(v.holds<bool>() && !v.is_true())},
    {"integer", 0, SMELT_IS(v.holds<int64_t>())},
    {"float", 0, SMELT_IS(v.holds<double>())},
    {"number", 0, SMELT_IS(v.is_number())},
    {"string", 0, SMELT_IS(v.find_text() != nullptr)},
    {"mapping", 0, SMELT_IS(v.find_dict() != nullptr)},
    {"iterable", 0, SMELT_IS(is_iterable(v))},
    {"sequence", 0, SMELT_IS(is_sequence(v))},
    {"callable", 0, SMELT_IS(v.is_callable())},
    {"escaped", 0, SMELT_IS((void(v), false))},
    {"upper", 0, SMELT_IS(has_case(v, true))},
    {"lower", 0, SMELT_IS(has_case(v, false))},
    {"odd", 0, SMELT_IS(with_integer(v, 2, 1))},
    {"even", 0, SMELT_IS(with_integer(v, 2, 0))},
    {"divisibleby", 1,
     [](Runtime&, const Value& v, const std::vector<Value>& given) -> Tested {
       SMELT_ASSIGN(const int64_t divisor, to_integer(given[0], "the divisor"));
       return with_integer(v, divisor, 0);
     }},
    {"in", 1,
     [](Runtime& runtime, const Value& v, const std::vector<Value>& given) { return runtime.contains(given[0], v); }},
    {"sameas", 1,
     [](Runtime& runtime, const Value& v, const std::vector<Value>& given) -> Tested {
       if (std::string_view(v.type_name()) != given[0].type_name()) return false;
       return runtime.equal(v, given[0]);
     }},
    {"eq", 1, kEqual},
    {"equalto", 1, kEqual},
    {"==", 1, kEqual},
    {"ne", 1, kDiffers},
    {"!=", 1, kDiffers},
    {"lt", 1, kLess},
    {"lessthan", 1, kLess},
    {"<", 1, kLess},
    {"le", 1, kAtMost},
    {"<=", 1, kAtMost},
    {"gt", 1, kAbove},
    {"greaterthan", 1, kAbove},
    {">", 1, kAbove},
    {"ge", 1, kAtLeast},
    {">=", 1, kAtLeast},
};
#undef SMELT_IS

}  // namespace

Result<bool> Runtime::test(const std::string& name, const Value& input, const Arguments& arguments) {
  SMELT_TRY(budget_.step());
  const auto* found =
      std::find_if(std::begin(kTests), std::end(kTests), [&](const TestEntry& each) { return name == each.name; });
  if (found != std::end(kTests)) {
    if (arguments.positional.size() != found->n_arguments || !arguments.named.empty())
      return input_error(fmt::format("test '{}' takes {} arguments", name, found->n_arguments));
    return found->passes(*this, input, arguments.positional).with_context("test '" + name + "'");
  }
  if (name == "filter") {
    const std::vector<std::string> names = filter_names();
    const Text* wanted = input.find_text();
    return wanted != nullptr && std::find(names.begin(), names.end(), wanted->bytes()) != names.end();
  }
  std::vector<std::string> names;
  for (const TestEntry& each : kTests) names.emplace_back(each.name);
  const std::string nearest = find_nearest(name, names);
  return input_error(fmt::format("there is no test '{}'{}", escape_for_display(name),
                                 nearest.empty() ? "" : "; did you mean '" + nearest + "'?"));
}

}  // namespace smelt::jinja
