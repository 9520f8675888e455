// The table of filters, and those over single values; filters over lists are in filters_list.cc, over strings in
// filters_text.cc. Each does what Jinja's filter of its name does.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/text.h"
#include "templates/characters.h"
#include "templates/filters.h"

namespace smelt::jinja {
namespace {

constexpr FilterEntry kFilters[] = {
#define SMELT_FILTER(name, function) {#name, filter_##function},
#include "templates/filters.inc"
#undef SMELT_FILTER
};

Result<double> parse_real(const Text& text, bool& sound) {
  const Range range = strip(text.bytes(), {}, true, true);
  const char* first = text.bytes().data() + range.begin;
  const char* last = text.bytes().data() + range.end;
  if (first != last && *first == '+') ++first;
  double value = 0;
  const auto read = std::from_chars(first, last, value);
  sound = first != last && read.ec == std::errc() && read.ptr == last;
  return value;
}

// As Python's round(value, precision): correctly rounded decimal, halves to even.
double round_to(double value, int64_t precision) {
  if (!std::isfinite(value)) return value;
  if (precision >= 0)
    return std::strtod(fmt::format("{:.{}f}", value, std::min<int64_t>(precision, 330)).c_str(), nullptr);
  const double unit = std::pow(10.0, static_cast<double>(std::min<int64_t>(-precision, 330)));
  return std::nearbyint(value / unit) * unit;
}

}  // namespace

std::vector<std::string> filter_names() {
  std::vector<std::string> names;
  for (const FilterEntry& entry : kFilters) names.emplace_back(entry.name);
  return names;
}

Result<Value> Runtime::filter(const std::string& name, const Value& input, const Arguments& arguments) {
  SMELT_TRY(budget_.step());
  for (const FilterEntry& entry : kFilters) {
    if (name == entry.name) return entry.apply(*this, input, arguments).with_context("filter '" + name + "'");
  }
  const std::string nearest = find_nearest(name, filter_names());
  return input_error(fmt::format("there is no filter '{}'{}", escape_for_display(name),
                                 nearest.empty() ? "" : "; did you mean '" + nearest + "'?"));
}

Result<Value> filter_default(Runtime&, const Value& input, const Arguments& arguments) {
  SMELT_ASSIGN(const auto given, bind(arguments, {"default_value", "boolean"}));
  const bool empty = input.is_undefined() || (given[1].is_true() && !input.is_true());
  if (!empty) return input;
  return given[0].is_undefined() ? Value::text("", false) : given[0];
}

Result<Value> filter_string(Runtime& runtime, const Value& input, const Arguments&) { return runtime.to_text(input); }
Result<Value> filter_safe(Runtime& runtime, const Value& input, const Arguments&) { return runtime.to_text(input); }

Result<Value> filter_int(Runtime&, const Value& input, const Arguments& arguments) {
  SMELT_ASSIGN(const auto given, bind(arguments, {"default", "base"}));
  const Value standard = given[0].is_undefined() ? Value::integer(0) : given[0];
  if (input.is_integer()) return Value::integer(input.as_integer());
  double real = 0;
  bool sound = input.is_number();
  if (sound) real = input.as_real();
  if (const Text* text = input.find_text()) {
    const int base = given[1].is_integer() ? static_cast<int>(std::clamp<int64_t>(given[1].as_integer(), 2, 36)) : 10;
    const Range range = strip(text->bytes(), {}, true, true);
    const char* first = text->bytes().data() + range.begin;
    const char* last = text->bytes().data() + range.end;
    if (first != last && *first == '+') ++first;
    int64_t integer = 0;
    const auto read = std::from_chars(first, last, integer, base);
    if (first != last && read.ec == std::errc() && read.ptr == last) return Value::integer(integer);
    SMELT_ASSIGN(real, parse_real(*text, sound));
  }
  const bool fits = sound && std::abs(real) < 9.2e18;
  return fits ? Value::integer(static_cast<int64_t>(real)) : standard;
}

Result<Value> filter_float(Runtime&, const Value& input, const Arguments& arguments) {
  SMELT_ASSIGN(const auto given, bind(arguments, {"default"}));
  const Value standard = given[0].is_undefined() ? Value::real(0) : given[0];
  if (input.is_number()) return Value::real(input.as_real());
  const Text* text = input.find_text();
  if (text == nullptr) return standard;
  bool sound = false;
  SMELT_ASSIGN(const double real, parse_real(*text, sound));
  return sound ? Value::real(real) : standard;
}

Result<Value> filter_abs(Runtime& runtime, const Value& input, const Arguments&) {
  if (!input.is_number()) return type_error("a number is wanted", input);
  if (input.holds<bool>()) return Value::integer(input.as_integer());
  return input.as_real() < 0 ? runtime.negate(input) : Result<Value>(input);
}

Result<Value> filter_round(Runtime&, const Value& input, const Arguments& arguments) {
  SMELT_ASSIGN(const auto given, bind(arguments, {"precision", "method"}));
  if (!input.is_number()) return type_error("a number is wanted", input);
  const int64_t precision = given[0].is_integer() ? std::clamp<int64_t>(given[0].as_integer(), -330, 330) : 0;
  const Text* method = given[1].find_text();
  const std::string name = method == nullptr ? "common" : method->bytes();
  if (name == "common" && input.is_integer()) {
    if (precision >= 0) return Value::integer(input.as_integer());
    return Value::integer(static_cast<int64_t>(round_to(input.as_real(), precision)));
  }
  if (name == "common") return Value::real(round_to(input.as_real(), precision));
  const double unit = std::pow(10.0, static_cast<double>(precision));
  if (name == "ceil") return Value::real(std::ceil(input.as_real() * unit) / unit);
  if (name == "floor") return Value::real(std::floor(input.as_real() * unit) / unit);
  return input_error("method must be common, ceil or floor");
}

Result<Value> filter_length(Runtime& runtime, const Value& input, const Arguments&) {
  if (input.is_undefined()) return Value::integer(0);
  const ListNode* list = input.find_list();
  if (list != nullptr && list->shape != ListShape::generator)
    return Value::integer(static_cast<int64_t>(list->items.size()));
  if (const DictNode* dict = input.find_dict()) return Value::integer(static_cast<int64_t>(dict->entries.size()));
  const Text* text = input.find_text();
  if (text == nullptr) return type_error("something with a length is wanted", input);
  SMELT_TRY(runtime.budget().step(text->size() / 64));
  return Value::integer(static_cast<int64_t>(count_characters(text->bytes())));
}

Result<Value> filter_tojson(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return format_json(runtime, input, arguments);
}

Result<Value> filter_items(Runtime& runtime, const Value& input, const Arguments&) {
  if (input.is_undefined()) return runtime.list({});
  if (input.find_dict() == nullptr) return type_error("a dictionary is wanted", input);
  return runtime.method(input, "items", {});
}

Result<Value> filter_attr(Runtime& runtime, const Value& input, const Arguments& arguments) {
  SMELT_ASSIGN(const auto given, bind(arguments, {"name"}, 1));
  SMELT_ASSIGN(const Text* name, to_string_argument(given[0], "name"));
  if (input.find_dict() != nullptr && !has_method(input, name->bytes())) return Value();
  return runtime.item(input, given[0]);
}

}  // namespace smelt::jinja
