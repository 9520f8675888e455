// Reading and comparing spans.
#include "eval/tasks/spans.h"

#include <algorithm>
#include <string_view>

namespace smelt {

std::vector<Span> spans_of_tags(const std::vector<std::string>& tags) {
  std::vector<Span> out;
  bool open = false;
  for (size_t i = 0; i < tags.size(); ++i) {
    const std::string_view tag = tags[i];
    const bool begins = tag.starts_with("B-"), goes_on = tag.starts_with("I-");
    if (!begins && !goes_on) {
      open = false;
      continue;
    }
    const std::string_view label = tag.substr(2);
    if (begins || !open || out.back().label != label)
      out.push_back({std::string(label), static_cast<int64_t>(i), static_cast<int64_t>(i)});
    out.back().end = static_cast<int64_t>(i) + 1;
    open = true;
  }
  return out;
}

std::string span_text(const Span& span, const std::vector<std::string>& tokens) {
  std::string out;
  for (int64_t i = span.start; i < span.end; ++i) {
    if (i > span.start) out += ' ';
    out += tokens[static_cast<size_t>(i)];
  }
  return out;
}

SpanCounts compare_spans(const std::vector<Span>& wanted, const std::vector<Span>& found) {
  SpanCounts out{.right = 0, .wanted = std::ssize(wanted), .found = std::ssize(found)};
  std::vector<Span> left = wanted;
  for (const Span& span : found) {
    const auto same = std::find(left.begin(), left.end(), span);
    if (same == left.end()) continue;
    left.erase(same);
    ++out.right;
  }
  return out;
}

double f1_of(const SpanCounts& counts) {
  const int64_t both = counts.wanted + counts.found;
  return both == 0 ? 0 : 2.0 * static_cast<double>(counts.right) / static_cast<double>(both);
}

}  // namespace smelt
