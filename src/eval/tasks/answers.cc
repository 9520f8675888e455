// Normalising answers, and finding named spans.
#include "eval/tasks/answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace smelt {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";
constexpr std::string_view kPunctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> out;
  for (size_t begin = text.find_first_not_of(kSpaces); begin != std::string_view::npos;) {
    const size_t end = std::min(text.find_first_of(kSpaces, begin), text.size());
    out.emplace_back(text.substr(begin, end - begin));
    begin = text.find_first_not_of(kSpaces, end);
  }
  return out;
}

std::string join(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, " ")); }

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

std::string as_number(const std::string& text) {
  std::string digits;
  for (const char c : text)
    if (c != ',' && c != '$' && c != ' ') digits += c;
  while (digits.ends_with('.')) digits.pop_back();
  double value = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (read.ec != std::errc() || read.ptr != digits.data() + digits.size() || !std::isfinite(value)) return text;
  return fmt::format("{}", value == 0 ? 0.0 : value);
}

std::string apply(std::string text, Normalize how) {
  switch (how) {
    case Normalize::lower:
      return lower(std::move(text));
    case Normalize::punctuation:
      std::erase_if(text, [](char c) { return kPunctuation.find(c) != std::string_view::npos; });
      return text;
    case Normalize::articles: {
      auto words = split(text);
      std::erase_if(words, [](const std::string& word) {
        const std::string small = lower(word);
        return small == "a" || small == "an" || small == "the";
      });
      return join(words);
    }
    case Normalize::number:
      return as_number(text);
  }
  return text;
}

bool stand_at(const std::vector<std::string>& words, const std::vector<std::string>& tokens, size_t at) {
  return at + words.size() <= tokens.size() &&
         std::equal(words.begin(), words.end(), tokens.begin() + static_cast<int64_t>(at));
}

}  // namespace

std::string normalize_answer(std::string_view answer, const std::vector<Normalize>& how) {
  std::string out = join(split(answer));
  for (const Normalize each : how) out = join(split(apply(std::move(out), each)));
  return out;
}

std::vector<Span> read_spans(std::string_view answer, const std::vector<std::string>& tokens) {
  std::vector<Span> out;
  while (!answer.empty()) {
    const size_t end = std::min(answer.find('\n'), answer.size());
    const std::string_view line = answer.substr(0, end);
    answer.remove_prefix(std::min(end + 1, answer.size()));
    const size_t colon = line.find(": ");
    if (colon == std::string_view::npos) continue;
    const auto words = split(line.substr(colon + 2));
    if (words.empty()) continue;
    const auto behind_all = static_cast<int64_t>(tokens.size());
    Span span{join(split(line.substr(0, colon))), behind_all, behind_all + std::ssize(words)};
    for (size_t at = 0; at < tokens.size() && span.start == behind_all; ++at) {
      const Span here{span.label, static_cast<int64_t>(at), static_cast<int64_t>(at + words.size())};
      if (stand_at(words, tokens, at) && std::find(out.begin(), out.end(), here) == out.end()) span = here;
    }
    out.push_back(std::move(span));
  }
  return out;
}

}  // namespace smelt
