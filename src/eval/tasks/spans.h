// Named spans of tokens in BIO tags, as conlleval reads them: a span begins at B-X, at I-X behind another label or
// behind O; and ends where its label does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace smelt {

struct Span {
  std::string label;
  int64_t start = 0, end = 0;  // in tokens, end not included
  bool operator==(const Span&) const = default;
};

// Tags other than B-X and I-X are outside of every span.
std::vector<Span> spans_of_tags(const std::vector<std::string>& tags);
// Its tokens with spaces between.
std::string span_text(const Span& span, const std::vector<std::string>& tokens);

struct SpanCounts {
  int64_t right = 0, wanted = 0, found = 0;
};
// A span is right if label, start and end are. Each span of `wanted` counts once, however often it was found.
SpanCounts compare_spans(const std::vector<Span>& wanted, const std::vector<Span>& found);
// 2·right / (wanted + found); 0 where there is nothing.
double f1_of(const SpanCounts& counts);

}  // namespace smelt
