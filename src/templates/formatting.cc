// Text made from patterns: "…%s…" % values, "…{}…".format(values), and JSON as Python writes it.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/text.h"
#include "templates/characters.h"
#include "templates/runtime.h"

namespace smelt::jinja {
namespace {

constexpr int64_t kMostDigits = 300;

// What stands between "%" or ":" and the conversion.
struct Form {
  bool left = false, zero = false, plus = false, blank = false, comma = false, center = false, right = false;
  char fill = ' ';
  int64_t width = 0;
  int64_t precision = -1;
  char conversion = 's';
};

int64_t read_number(std::string_view pattern, size_t& at) {
  int64_t value = 0;
  while (at < pattern.size() && pattern[at] >= '0' && pattern[at] <= '9') {
    value = std::min<int64_t>(value * 10 + (pattern[at++] - '0'), int64_t{1} << 50);
  }
  return value;
}

std::string with_commas(const std::string& number) {
  const size_t begin = number.starts_with('-') ? 1 : 0;
  const size_t end = std::min(number.find('.'), number.size());
  std::string out = number;
  for (size_t at = end; at > begin + 3; at -= 3) out.insert(at - 3, ",");
  return out;
}

Result<std::string> format_number(const Form& form, const Value& value) {
  if (!value.is_number()) return type_error(fmt::format("%{} wants a number", form.conversion), value);
  if (form.precision > kMostDigits) return input_error("a number is to be written with too many digits");
  const int precision = static_cast<int>(form.precision < 0 ? 6 : form.precision);
  std::string out;
  if (std::string_view("diux").find(form.conversion) != std::string_view::npos) {
    if (!value.is_integer() && std::abs(value.as_real()) > 9.2e18) return input_error("an integer is out of range");
    const int64_t integer = value.is_integer() ? value.as_integer() : static_cast<int64_t>(value.as_real());
    out = form.conversion == 'x' ? fmt::format("{:x}", integer) : fmt::format("{}", integer);
  } else if (form.conversion == 'f') {
    out = fmt::format("{:.{}f}", value.as_real(), precision);
  } else if (form.conversion == 'e') {
    out = fmt::format("{:.{}e}", value.as_real(), precision);
  } else {
    out = fmt::format("{:.{}g}", value.as_real(), precision);
  }
  if (form.comma) out = with_commas(out);
  if (!out.starts_with('-') && (form.plus || form.blank)) out.insert(0, form.plus ? "+" : " ");
  return out;
}

Status append_padded(const Form& form, const Text& text, bool number, TextBuilder& out) {
  const int64_t n = static_cast<int64_t>(count_characters(text.bytes()));
  const auto missing = static_cast<uint64_t>(std::max<int64_t>(form.width - n, 0));
  const bool signed_number = number && !text.empty() && (text.bytes()[0] == '-' || text.bytes()[0] == '+');
  const bool zeros = form.zero && number && !form.left;
  const uint64_t behind = form.left ? missing : form.center ? missing - missing / 2 : 0;
  if (zeros && signed_number) SMELT_TRY(out.append(text, 0, 1));
  SMELT_TRY(out.append(zeros ? '0' : form.fill, missing - behind));
  SMELT_TRY(out.append(text, zeros && signed_number ? 1 : 0, std::string::npos));
  return out.append(form.fill, behind);
}

Status append_converted(Runtime& runtime, const Form& form, const Value& value, TextBuilder& out) {
  if (std::string_view("sra").find(form.conversion) == std::string_view::npos) {
    SMELT_ASSIGN(const std::string number, format_number(form, value));
    return append_padded(form, Text(number), true, out);
  }
  TextBuilder made(runtime.budget());
  SMELT_TRY(form.conversion == 's' ? runtime.print(value, made) : runtime.print_repr(value, made));
  Text text = made.take();
  if (form.precision >= 0) text = text.substr(0, find_character(text.bytes(), static_cast<size_t>(form.precision)));
  return append_padded(form, text, false, out);
}

Result<Form> read_percent(std::string_view pattern, size_t& at) {
  Form form;
  for (; at < pattern.size() && std::string_view("-0+ #").find(pattern[at]) != std::string_view::npos; ++at) {
    form.left = form.left || pattern[at] == '-';
    form.zero = form.zero || pattern[at] == '0';
    form.plus = form.plus || pattern[at] == '+';
    form.blank = form.blank || pattern[at] == ' ';
  }
  form.width = read_number(pattern, at);
  if (at < pattern.size() && pattern[at] == '.') {
    ++at;
    form.precision = read_number(pattern, at);
  }
  if (at >= pattern.size()) return input_error("incomplete format");
  form.conversion = pattern[at++];
  if (std::string_view("sradiuxfeg%").find(form.conversion) == std::string_view::npos)
    return input_error(
        fmt::format("unsupported format character '{}'", escape_for_display(std::string(1, form.conversion))));
  return form;
}

// :[[fill]align][sign][0][width][,][.precision][conversion]
Result<Form> read_specification(std::string_view spec) {
  Form form;
  size_t at = 0;
  const auto is_align = [&](size_t i) {
    return i < spec.size() && std::string_view("<>^").find(spec[i]) != std::string_view::npos;
  };
  if (is_align(1)) form.fill = spec[at++];
  if (is_align(at)) {
    form.left = spec[at] == '<';
    form.center = spec[at] == '^';
    form.right = spec[at++] == '>';
  }
  if (at < spec.size() && (spec[at] == '+' || spec[at] == ' ' || spec[at] == '-')) {
    form.plus = spec[at] == '+';
    form.blank = spec[at++] == ' ';
  }
  form.zero = at < spec.size() && spec[at] == '0';
  form.width = read_number(spec, at);
  form.comma = at < spec.size() && spec[at] == ',';
  at += form.comma ? 1 : 0;
  if (at < spec.size() && spec[at] == '.') {
    ++at;
    form.precision = read_number(spec, at);
  }
  form.conversion = at < spec.size() ? spec[at++] : '\0';
  if (at < spec.size() || std::string_view("sdxfeg\0", 7).find(form.conversion) == std::string_view::npos)
    return input_error("a format specification that is not supported: '" + escape_for_display(spec) + "'");
  return form;
}

Status append_field(Runtime& runtime, std::string_view spec, const Value& value, TextBuilder& out) {
  if (spec.empty()) return runtime.print(value, out);
  SMELT_ASSIGN(Form form, read_specification(spec));
  const bool number = value.is_number() && !value.holds<bool>();
  if (form.conversion == '\0')
    form.conversion = !number ? 's' : value.is_integer() ? 'd' : form.precision < 0 ? 's' : 'g';
  if (!number && !form.right && !form.center) form.left = true;
  return append_converted(runtime, form, value, out);
}

Result<Value> field_value(Runtime& runtime, std::string_view name, size_t& next, const Arguments& arguments) {
  const size_t end = std::min(name.find_first_of(".["), name.size());
  if (end < name.size()) return input_error("attributes in a format field are not supported");
  const bool number = !name.empty() && name.find_first_not_of("0123456789") == std::string_view::npos;
  if (name.empty() || number) {
    size_t at = 0;
    const size_t index = number ? static_cast<size_t>(read_number(name, at)) : next++;
    if (index >= arguments.positional.size()) return input_error("a format field has no argument");
    return arguments.positional[index];
  }
  for (const auto& [key, value] : arguments.named) {
    if (key == name) return value;
  }
  (void)runtime;
  return input_error("a format field names no argument: '" + escape_for_display(name) + "'");
}

}  // namespace

Result<Value> format_percent(Runtime& runtime, const Text& text, const Value& values) {
  const ListNode* list = values.find_list();
  const bool tuple = list != nullptr && list->shape == ListShape::tuple;
  const std::vector<Value> items = tuple ? list->items : std::vector<Value>{values};
  const std::string_view pattern = text.bytes();
  TextBuilder out(runtime.budget());
  size_t used = 0;
  for (size_t at = 0; at < pattern.size();) {
    const size_t mark = std::min(pattern.find('%', at), pattern.size());
    SMELT_TRY(out.append(text, at, mark - at));
    if (mark == pattern.size()) break;
    at = mark + 1;
    const Value* value = nullptr;
    if (at < pattern.size() && pattern[at] == '(') {
      const size_t end = pattern.find(')', at);
      if (end == std::string_view::npos || values.find_dict() == nullptr)
        return input_error("a format wants a dictionary");
      value = values.find_dict()->find(pattern.substr(at + 1, end - at - 1));
      if (value == nullptr) return input_error("a format names a key that is missing");
      at = end + 1;
    }
    SMELT_ASSIGN(const Form form, read_percent(pattern, at));
    if (form.conversion == '%') {
      SMELT_TRY(out.append("%"));
      continue;
    }
    if (value == nullptr && used >= items.size()) return input_error("not enough arguments for the format");
    if (value == nullptr) value = &items[used++];
    SMELT_TRY(append_converted(runtime, form, *value, out));
  }
  if (used < items.size() && values.find_dict() == nullptr)
    return input_error("more arguments than the format has places");
  return out.finish();
}

Result<Value> format_braces(Runtime& runtime, const Text& text, const Arguments& arguments) {
  const std::string_view pattern = text.bytes();
  TextBuilder out(runtime.budget());
  size_t next = 0;
  for (size_t at = 0; at < pattern.size();) {
    const size_t mark = std::min(pattern.find_first_of("{}", at), pattern.size());
    SMELT_TRY(out.append(text, at, mark - at));
    if (mark == pattern.size()) break;
    at = mark + 1;
    if (at < pattern.size() && pattern[at] == pattern[mark]) {  // {{ and }}
      SMELT_TRY(out.append(text, at++, 1));
      continue;
    }
    const size_t end = pattern.find('}', at);
    if (pattern[mark] == '}' || end == std::string_view::npos) return input_error("a single brace in a format");
    const std::string_view field = pattern.substr(at, end - at);
    const size_t colon = std::min(field.find(':'), field.size());
    SMELT_ASSIGN(const Value value, field_value(runtime, field.substr(0, colon), next, arguments));
    SMELT_TRY(append_field(runtime, colon < field.size() ? field.substr(colon + 1) : "", value, out));
    at = end + 1;
  }
  return out.finish();
}

}  // namespace smelt::jinja
