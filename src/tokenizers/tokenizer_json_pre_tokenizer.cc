// Recognises the pre_tokenizer section of byte-level BPE as one of the families of pre_tokenizers.inc: its steps are
// put as regular expressions and compared with those of each family.
#include <fmt/format.h>

#include "base/text.h"
#include "tokenizers/tokenizer_json_parts.h"

namespace smelt::tokenizer_json {

const char* const kGpt2Expression = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

namespace {

struct Family {
  std::string_view names;  // separated by spaces, the usual one first
  std::vector<const char*> expressions;
};

const std::vector<Family>& families() {
  static const std::vector<Family> instance = {
#define SMELT_PRE_TOKENIZER(names, ...) {names, {__VA_ARGS__}},
#include "tokenizers/pre_tokenizers.inc"
#undef SMELT_PRE_TOKENIZER
      // As published by Falcon. Its third step sees letters that stand for bytes and cuts at those that are digits ("½"
      // for the byte 0xBD), inside characters too; the merges of its vocabulary never join what it cuts.
      {"falcon", {R"([\p{P}$+<=>^~|`]+)", kGpt2Expression, R"(\p{N}+)", R"([0-9][0-9][0-9])"}},
  };
  return instance;
}

std::string first_name(std::string_view names) { return std::string(names.substr(0, names.find(' '))); }

bool has_name(std::string_view names, std::string_view wanted) {
  while (!names.empty()) {
    const size_t end = std::min(names.find(' '), names.size());
    if (names.substr(0, end) == wanted) return true;
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  return false;
}

// Line ends are found both as they are and escaped.
std::string escape_line_ends(std::string_view expression) {
  std::string out;
  for (const char c : expression) {
    if (c == '\r') {
      out += "\\r";
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

Result<std::string> split_expression(const JsonField& step) {
  SMELT_ASSIGN(const JsonField pattern, step.get("pattern"));
  const auto regex = pattern.find("Regex");
  if (!regex) return pattern.error("is no \"Regex\", the only kind supported here");
  SMELT_ASSIGN(std::string expression, regex->string());
  SMELT_ASSIGN(const std::string behavior, step.get_string("behavior", ""));
  SMELT_ASSIGN(const bool invert, step.get_bool("invert", false));
  const bool isolated = behavior == "Isolated" && !invert;
  // Keeps the matches alone; the same if the expression leaves nothing between them, as those that end so do.
  const bool kept = behavior == "Removed" && invert && expression.ends_with("|\\s+");
  if (!isolated && !kept) {
    return step.error(fmt::format("behavior '{}' with invert {} is not supported; supported is 'Isolated' with false",
                                  escape_for_display(behavior), invert));
  }
  return escape_line_ends(expression);
}

// The expression of a step, or "" for one that cuts nothing.
Result<std::string> step_expression(const JsonField& step) {
  SMELT_ASSIGN(const std::string type, type_of(step));
  if (type == "Split") return split_expression(step);
  if (type == "Digits") {
    SMELT_ASSIGN(const bool single, step.get_bool("individual_digits", false));
    return std::string(single ? R"(\p{N})" : R"(\p{N}+)");
  }
  if (type == "Punctuation") {
    SMELT_ASSIGN(const std::string behavior, step.get_string("behavior", "Isolated"));
    if (behavior == "Contiguous") return std::string(R"([\p{P}$+<=>^~|`]+)");
    return step.error(
        fmt::format("behavior '{}' is not supported; supported is 'Contiguous'", escape_for_display(behavior)));
  }
  if (type == "ByteLevel") {
    SMELT_ASSIGN(const bool prefix, step.get_bool("add_prefix_space", true));
    if (prefix) return step.error("add_prefix_space is true, which is not supported; only false is");
    SMELT_ASSIGN(const bool use_regex, step.get_bool("use_regex", true));
    return std::string(use_regex ? kGpt2Expression : "");
  }
  return step.error(
      fmt::format("type '{}' is not supported with byte-level BPE; supported are Split, Digits, "
                  "Punctuation and ByteLevel",
                  escape_for_display(type)));
}

bool matches(const Family& family, const std::vector<std::string>& expressions) {
  if (family.expressions.size() != expressions.size()) return false;
  size_t i = 0;
  for (const char* expression : family.expressions) {
    if (escape_line_ends(expression) != expressions[i++]) return false;
  }
  return true;
}

std::string known_names() {
  std::string names;
  for (const Family& family : families()) {
    const std::string name = first_name(family.names);
    if (names.find(name) == std::string::npos) names += (names.empty() ? "" : ", ") + name;
  }
  return names;
}

}  // namespace

Result<bool> has_byte_level(const JsonField& root) {
  SMELT_ASSIGN(const auto steps, open_sequence(root.find("pre_tokenizer"), "pretokenizers"));
  for (const JsonField& step : steps) {
    SMELT_ASSIGN(const std::string type, type_of(step));
    if (type == "ByteLevel") return true;
  }
  return false;
}

Result<std::string> find_family(const JsonField& root) {
  SMELT_ASSIGN(const JsonField section, root.get("pre_tokenizer"));
  SMELT_ASSIGN(const auto steps, open_sequence(section, "pretokenizers"));
  std::vector<std::string> expressions;
  for (const JsonField& step : steps) {
    SMELT_ASSIGN(std::string expression, step_expression(step));
    if (!expression.empty()) expressions.push_back(std::move(expression));
  }
  for (const Family& family : families()) {
    if (matches(family, expressions)) return first_name(family.names);
  }
  return section.error(fmt::format("its {} regular expressions are those of no family known; known are {}",
                                   expressions.size(), known_names()));
}

Result<std::vector<std::string>> family_expressions(const std::string& family) {
  for (const Family& each : families()) {
    if (has_name(each.names, family)) return std::vector<std::string>(each.expressions.begin(), each.expressions.end());
  }
  return input_error(
      fmt::format("pre-tokenizer '{}' is not known; known are {}", escape_for_display(family), known_names()));
}

}  // namespace smelt::tokenizer_json
