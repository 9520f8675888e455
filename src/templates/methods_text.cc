// Methods of strings, as Python's str has them, on UTF-8 text that keeps the origin of its bytes.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "templates/characters.h"
#include "templates/methods.h"

namespace smelt::jinja {
namespace {

using Values = std::vector<Value>;

const Text& text_of(const Value& value) { return *value.find_text(); }
bool is_absent(const Value& value) { return value.is_undefined() || value.is_none(); }

Result<Value> map_characters(Runtime& runtime, const Text& text,
                             std::string (*map)(char32_t c, bool first, bool behind_letter)) {
  TextBuilder out(runtime.budget());
  bool behind_letter = false;
  for (size_t i = 0; i < text.size();) {
    const Character c = character_at(text.bytes(), i);
    SMELT_TRY(runtime.budget().step());
    SMELT_TRY(out.append(map(c.code, i == 0, behind_letter), text.foreign_at(i)));
    behind_letter = is_letter(c.code);
    i += c.size;
  }
  return out.finish();
}

Result<Value> method_upper(Runtime& runtime, const Value& receiver, const Arguments&) {
  return map_characters(runtime, text_of(receiver), [](char32_t c, bool, bool) { return to_upper(c); });
}
Result<Value> method_lower(Runtime& runtime, const Value& receiver, const Arguments&) {
  return map_characters(runtime, text_of(receiver), [](char32_t c, bool, bool) { return to_lower(c); });
}
Result<Value> method_capitalize(Runtime& runtime, const Value& receiver, const Arguments&) {
  return map_characters(runtime, text_of(receiver),
                        [](char32_t c, bool first, bool) { return first ? to_title(c) : to_lower(c); });
}
Result<Value> method_title(Runtime& runtime, const Value& receiver, const Arguments&) {
  return map_characters(runtime, text_of(receiver),
                        [](char32_t c, bool, bool behind) { return behind ? to_lower(c) : to_title(c); });
}
Result<Value> method_swapcase(Runtime& runtime, const Value& receiver, const Arguments&) {
  return map_characters(runtime, text_of(receiver),
                        [](char32_t c, bool, bool) { return is_upper(c) ? to_lower(c) : to_upper(c); });
}

Result<Value> strip_method(Runtime& runtime, const Value& receiver, const Arguments& arguments, bool left, bool right) {
  SMELT_ASSIGN(const Values given, bind(arguments, {"chars"}));
  const Text& text = text_of(receiver);
  std::u32string set;
  if (!is_absent(given[0])) {
    SMELT_ASSIGN(const Text* chars, to_string_argument(given[0], "chars"));
    SMELT_TRY(runtime.budget().step(chars->size() * (1 + text.size() / 64)));
    set = decode_utf8(chars->bytes());
    if (set.empty()) return receiver;
  }
  const Range range = strip(text.bytes(), set, left, right);
  return runtime.text(text, range.begin, range.end - range.begin);
}
Result<Value> method_strip(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  return strip_method(runtime, receiver, arguments, true, true);
}
Result<Value> method_lstrip(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  return strip_method(runtime, receiver, arguments, true, false);
}
Result<Value> method_rstrip(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  return strip_method(runtime, receiver, arguments, false, true);
}

Status add_part(Runtime& runtime, const Text& text, Range range, Values& parts) {
  SMELT_ASSIGN(Value part, runtime.text(text, range.begin, range.end - range.begin));
  SMELT_TRY(runtime.budget().step());
  parts.push_back(std::move(part));
  return {};
}

// Words between white space; behind the last cut the rest stays together.
Result<Value> split_words(Runtime& runtime, const Text& text, int64_t most) {
  const std::string_view bytes = text.bytes();
  Values parts;
  size_t at = strip(bytes, {}, true, false).begin;
  while (at < bytes.size()) {
    size_t end = at;
    const bool rest = most >= 0 && static_cast<int64_t>(parts.size()) >= most;
    while (end < bytes.size() && (rest || !is_space(character_at(bytes, end).code)))
      end += character_at(bytes, end).size;
    SMELT_TRY(add_part(runtime, text, {at, end}, parts));
    at = end + strip(bytes.substr(end), {}, true, false).begin;
  }
  return runtime.list(std::move(parts));
}

Result<Value> split_at(Runtime& runtime, const Text& text, const std::string& separator, int64_t most) {
  if (separator.empty()) return input_error("empty separator");
  Values parts;
  size_t at = 0;
  while (most < 0 || static_cast<int64_t>(parts.size()) < most) {
    const size_t found = text.bytes().find(separator, at);
    if (found == std::string::npos) break;
    SMELT_TRY(add_part(runtime, text, {at, found}, parts));
    at = found + separator.size();
  }
  SMELT_TRY(add_part(runtime, text, {at, text.size()}, parts));
  return runtime.list(std::move(parts));
}

Result<Value> split_from_right(Runtime& runtime, const Text& text, const std::string& separator, int64_t most) {
  if (separator.empty()) return input_error("empty separator");
  Values parts;
  size_t end = text.size();
  while (most < 0 || static_cast<int64_t>(parts.size()) < most) {
    const size_t found =
        end < separator.size() ? std::string::npos : text.bytes().rfind(separator, end - separator.size());
    if (found == std::string::npos) break;
    SMELT_TRY(add_part(runtime, text, {found + separator.size(), end}, parts));
    end = found;
  }
  SMELT_TRY(add_part(runtime, text, {0, end}, parts));
  std::reverse(parts.begin(), parts.end());
  return runtime.list(std::move(parts));
}

Result<Value> split_method(Runtime& runtime, const Value& receiver, const Arguments& arguments, bool from_right) {
  SMELT_ASSIGN(const Values given, bind(arguments, {"sep", "maxsplit"}));
  SMELT_ASSIGN(const int64_t most, given[1].is_undefined() ? Result<int64_t>(-1) : to_integer(given[1], "maxsplit"));
  const Text& text = text_of(receiver);
  SMELT_TRY(runtime.budget().step(text.size() / 16));
  if (is_absent(given[0])) {
    if (from_right && most >= 0) return input_error("rsplit with maxsplit needs a separator here");
    return split_words(runtime, text, most);
  }
  SMELT_ASSIGN(const Text* separator, to_string_argument(given[0], "sep"));
  return (from_right ? split_from_right : split_at)(runtime, text, separator->bytes(), most);
}
Result<Value> method_split(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  return split_method(runtime, receiver, arguments, false);
}
Result<Value> method_rsplit(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  return split_method(runtime, receiver, arguments, true);
}

Result<Value> method_splitlines(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  SMELT_ASSIGN(const Values given, bind(arguments, {"keepends"}));
  const Text& text = text_of(receiver);
  const std::string_view bytes = text.bytes();
  SMELT_TRY(runtime.budget().step(bytes.size() / 16));
  Values parts;
  for (size_t begin = 0; begin < bytes.size();) {
    size_t end = begin;
    while (end < bytes.size() && !is_line_end(character_at(bytes, end).code)) end += character_at(bytes, end).size;
    size_t next = end;
    if (end < bytes.size()) next += bytes.substr(end, 2) == "\r\n" ? 2 : character_at(bytes, end).size;
    SMELT_TRY(add_part(runtime, text, {begin, given[0].is_true() ? next : end}, parts));
    begin = next;
  }
  return runtime.list(std::move(parts));
}

// partition: what is in front of the separator, it, and what is behind it.
Result<Value> partition(Runtime& runtime, const Value& receiver, const Arguments& arguments, bool from_right) {
  SMELT_ASSIGN(const Values given, bind(arguments, {"sep"}, 1));
  SMELT_ASSIGN(const Text* separator, to_string_argument(given[0], "sep"));
  if (separator->empty()) return input_error("empty separator");
  const Text& text = text_of(receiver);
  const size_t n = separator->size();
  const size_t found = from_right ? text.bytes().rfind(separator->bytes()) : text.bytes().find(separator->bytes());
  const size_t all = text.size();
  Range cuts[3] = {{0, found}, {found, found + n}, {found + n, all}};
  if (found == std::string::npos) {
    cuts[0] = {0, from_right ? 0 : all};
    cuts[1] = {0, 0};
    cuts[2] = {0, from_right ? all : 0};
  }
  Values parts;
  for (const Range& cut : cuts) SMELT_TRY(add_part(runtime, text, cut, parts));
  return runtime.list(std::move(parts), ListShape::tuple);
}
Result<Value> method_partition(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  return partition(runtime, receiver, arguments, false);
}
Result<Value> method_rpartition(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  return partition(runtime, receiver, arguments, true);
}

// One string or a tuple of them.
Result<Value> has_affix(Runtime& runtime, const Value& receiver, const Arguments& arguments, bool at_end) {
  SMELT_ASSIGN(const Values given, bind(arguments, {"prefix"}, 1));
  Values affixes = {given[0]};
  if (given[0].find_list() != nullptr) {
    SMELT_ASSIGN(affixes, runtime.iterate(given[0]));
  }
  const std::string& bytes = text_of(receiver).bytes();
  for (const Value& affix : affixes) {
    SMELT_ASSIGN(const Text* text, to_string_argument(affix, "what a text begins or ends with"));
    SMELT_TRY(runtime.budget().step(1 + text->size() / 64));
    if (at_end ? bytes.ends_with(text->bytes()) : bytes.starts_with(text->bytes())) return Value::boolean(true);
  }
  return Value::boolean(false);
}
Result<Value> method_startswith(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  return has_affix(runtime, receiver, arguments, false);
}
Result<Value> method_endswith(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  return has_affix(runtime, receiver, arguments, true);
}
Result<Value> method_removeprefix(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  SMELT_ASSIGN(const Value found, has_affix(runtime, receiver, arguments, false));
  if (!found.is_true() || arguments.positional.empty()) return receiver;
  const size_t n = arguments.positional[0].find_text() == nullptr ? 0 : text_of(arguments.positional[0]).size();
  return runtime.text(text_of(receiver), n, std::string::npos);
}
Result<Value> method_removesuffix(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  SMELT_ASSIGN(const Value found, has_affix(runtime, receiver, arguments, true));
  if (!found.is_true() || arguments.positional.empty()) return receiver;
  const size_t n = arguments.positional[0].find_text() == nullptr ? 0 : text_of(arguments.positional[0]).size();
  return runtime.text(text_of(receiver), 0, text_of(receiver).size() - n);
}

Result<Value> method_replace(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  SMELT_ASSIGN(const Values given, bind(arguments, {"old", "new", "count"}, 2));
  SMELT_ASSIGN(const Text* from, to_string_argument(given[0], "old"));
  SMELT_ASSIGN(const Text* to, to_string_argument(given[1], "new"));
  SMELT_ASSIGN(int64_t most, given[2].is_undefined() ? Result<int64_t>(-1) : to_integer(given[2], "count"));
  const Text& text = text_of(receiver);
  SMELT_TRY(runtime.budget().step(text.size() / 16));
  TextBuilder out(runtime.budget());
  size_t at = 0;
  while (most != 0 && at <= text.size()) {
    const size_t found = text.bytes().find(from->bytes(), at);
    if (found == std::string::npos) break;
    SMELT_TRY(runtime.budget().step());
    SMELT_TRY(out.append(text, at, found - at));
    SMELT_TRY(out.append(*to));
    at = found + from->size();
    --most;
    if (!from->empty()) continue;
    if (at >= text.size()) return out.finish();  // between all characters, and around them
    const size_t size = character_at(text.bytes(), at).size;
    SMELT_TRY(out.append(text, at, size));
    at += size;
  }
  SMELT_TRY(out.append(text, at, std::string::npos));
  return out.finish();
}

Result<int64_t> find_index(Runtime& runtime, const Value& receiver, const Arguments& arguments, bool from_right) {
  SMELT_ASSIGN(const Values given, bind(arguments, {"sub", "start"}, 1));
  SMELT_ASSIGN(const Text* part, to_string_argument(given[0], "sub"));
  const std::string& bytes = text_of(receiver).bytes();
  SMELT_TRY(runtime.budget().step(bytes.size() / 16));
  size_t from = 0;
  if (!is_absent(given[1])) {
    SMELT_ASSIGN(int64_t start, to_integer(given[1], "start"));
    if (start < 0) start = std::max<int64_t>(start + static_cast<int64_t>(count_characters(bytes)), 0);
    from = find_character(bytes, static_cast<size_t>(start));
  }
  const size_t found = from_right ? bytes.rfind(part->bytes()) : bytes.find(part->bytes(), from);
  if (found == std::string::npos || found < from) return -1;
  return static_cast<int64_t>(count_characters(std::string_view(bytes).substr(0, found)));
}
Result<Value> method_find(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  SMELT_ASSIGN(const int64_t found, find_index(runtime, receiver, arguments, false));
  return Value::integer(found);
}
Result<Value> method_rfind(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  SMELT_ASSIGN(const int64_t found, find_index(runtime, receiver, arguments, true));
  return Value::integer(found);
}
Result<Value> method_index(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  SMELT_ASSIGN(const int64_t found, find_index(runtime, receiver, arguments, false));
  if (found < 0) return input_error("substring not found");
  return Value::integer(found);
}

Result<Value> method_count(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  SMELT_ASSIGN(const Values given, bind(arguments, {"sub"}, 1));
  SMELT_ASSIGN(const Text* part, to_string_argument(given[0], "sub"));
  const std::string& bytes = text_of(receiver).bytes();
  SMELT_TRY(runtime.budget().step(bytes.size() / 16));
  if (part->empty()) return Value::integer(static_cast<int64_t>(count_characters(bytes)) + 1);
  int64_t n = 0;
  for (size_t at = bytes.find(part->bytes()); at != std::string::npos;
       at = bytes.find(part->bytes(), at + part->size()))
    ++n;
  return Value::integer(n);
}

Result<Value> method_join(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  SMELT_ASSIGN(const Values given, bind(arguments, {"iterable"}, 1));
  SMELT_ASSIGN(const Values items, runtime.iterate(given[0]));
  TextBuilder out(runtime.budget());
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) SMELT_TRY(out.append(text_of(receiver)));
    SMELT_ASSIGN(const Text* item, to_string_argument(items[i], "each item"));
    SMELT_TRY(out.append(*item));
  }
  return out.finish();
}

Result<Value> method_format(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  return format_braces(runtime, text_of(receiver), arguments);
}

enum class Side { left, right, both };

// Fills up to `width` characters; as str.center does, the odd one goes left when the width is odd.
Result<Value> fill(Runtime& runtime, const Value& receiver, const Arguments& arguments, Side side) {
  SMELT_ASSIGN(const Values given, bind(arguments, {"width", "fillchar"}, 1));
  SMELT_ASSIGN(const int64_t width, to_integer(given[0], "width"));
  char with = ' ';
  if (!is_absent(given[1])) {
    SMELT_ASSIGN(const Text* filler, to_string_argument(given[1], "fillchar"));
    if (filler->size() != 1) return input_error("fillchar must be one ASCII character");
    with = filler->bytes().front();
  }
  const Text& text = text_of(receiver);
  const int64_t missing = std::max<int64_t>(width - static_cast<int64_t>(count_characters(text.bytes())), 0);
  int64_t left = side == Side::left ? missing : 0;
  if (side == Side::both) left = missing / 2 + (missing & width & 1);
  TextBuilder out(runtime.budget());
  SMELT_TRY(out.append(with, static_cast<uint64_t>(left)));
  SMELT_TRY(out.append(text));
  SMELT_TRY(out.append(with, static_cast<uint64_t>(missing - left)));
  return out.finish();
}
Result<Value> method_ljust(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  return fill(runtime, receiver, arguments, Side::right);
}
Result<Value> method_rjust(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  return fill(runtime, receiver, arguments, Side::left);
}
Result<Value> method_center(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  return fill(runtime, receiver, arguments, Side::both);
}

Result<Value> method_zfill(Runtime& runtime, const Value& receiver, const Arguments& arguments) {
  SMELT_ASSIGN(const Values given, bind(arguments, {"width"}, 1));
  SMELT_ASSIGN(const int64_t width, to_integer(given[0], "width"));
  const Text& text = text_of(receiver);
  const int64_t missing = std::max<int64_t>(width - static_cast<int64_t>(count_characters(text.bytes())), 0);
  const size_t sign = !text.empty() && (text.bytes()[0] == '-' || text.bytes()[0] == '+') ? 1 : 0;
  TextBuilder out(runtime.budget());
  SMELT_TRY(out.append(text, 0, sign));
  SMELT_TRY(out.append('0', static_cast<uint64_t>(missing)));
  SMELT_TRY(out.append(text, sign, std::string::npos));
  return out.finish();
}

Result<Value> all_are(Runtime& runtime, const Value& receiver, bool (*passes)(char32_t c)) {
  const std::string& bytes = text_of(receiver).bytes();
  SMELT_TRY(runtime.budget().step(bytes.size() / 16));
  bool all = !bytes.empty();
  for (size_t i = 0; i < bytes.size() && all;) {
    const Character c = character_at(bytes, i);
    all = passes(c.code);
    i += c.size;
  }
  return Value::boolean(all);
}
Result<Value> method_isdigit(Runtime& runtime, const Value& receiver, const Arguments&) {
  return all_are(runtime, receiver, is_digit);
}
Result<Value> method_isalpha(Runtime& runtime, const Value& receiver, const Arguments&) {
  return all_are(runtime, receiver, is_letter);
}
Result<Value> method_isalnum(Runtime& runtime, const Value& receiver, const Arguments&) {
  return all_are(runtime, receiver, [](char32_t c) { return is_letter(c) || is_digit(c); });
}
Result<Value> method_isspace(Runtime& runtime, const Value& receiver, const Arguments&) {
  return all_are(runtime, receiver, is_space);
}
Result<Value> method_isupper(Runtime& runtime, const Value& receiver, const Arguments&) {
  SMELT_ASSIGN(const bool passes, runtime.test("upper", receiver, {}));
  return Value::boolean(passes);
}
Result<Value> method_islower(Runtime& runtime, const Value& receiver, const Arguments&) {
  SMELT_ASSIGN(const bool passes, runtime.test("lower", receiver, {}));
  return Value::boolean(passes);
}

constexpr MethodEntry kTextMethods[] = {
#define SMELT_METHOD(name) \
  { #name, method_##name }
    SMELT_METHOD(strip),        SMELT_METHOD(lstrip),       SMELT_METHOD(rstrip),     SMELT_METHOD(split),
    SMELT_METHOD(startswith),   SMELT_METHOD(endswith),     SMELT_METHOD(replace),    SMELT_METHOD(upper),
    SMELT_METHOD(lower),        SMELT_METHOD(title),        SMELT_METHOD(capitalize), SMELT_METHOD(find),
    SMELT_METHOD(join),         SMELT_METHOD(format),       SMELT_METHOD(rsplit),     SMELT_METHOD(splitlines),
    SMELT_METHOD(partition),    SMELT_METHOD(rpartition),   SMELT_METHOD(rfind),      SMELT_METHOD(index),
    SMELT_METHOD(count),        SMELT_METHOD(swapcase),     SMELT_METHOD(ljust),      SMELT_METHOD(rjust),
    SMELT_METHOD(center),       SMELT_METHOD(zfill),        SMELT_METHOD(isdigit),    SMELT_METHOD(isalpha),
    SMELT_METHOD(isalnum),      SMELT_METHOD(isspace),      SMELT_METHOD(isupper),    SMELT_METHOD(islower),
    SMELT_METHOD(removeprefix), SMELT_METHOD(removesuffix),
#undef SMELT_METHOD
};

}  // namespace

std::span<const MethodEntry> text_methods() { return kTextMethods; }

}  // namespace smelt::jinja
