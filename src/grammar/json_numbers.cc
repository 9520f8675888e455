// Numbers between bounds as texts: digits that are free, and digits that a bound ties.
#include <algorithm>
#include <string>

#include "grammar/json_grammar.h"

namespace smelt {
namespace {

constexpr int64_t kMostDefault = 999'999'999'999'999;  // 15 digits, which every reader keeps

ExprId digits(Grammar& grammar, char first, char last) {
  return grammar.chars({{static_cast<char32_t>(first), static_cast<char32_t>(last)}});
}

// Numbers of as many digits as both bounds have.
ExprId same_length(Grammar& grammar, std::string_view least, std::string_view most) {
  if (least == most) return grammar.text(least);
  if (least.find_first_not_of('0') == std::string_view::npos && most.find_first_not_of('9') == std::string_view::npos) {
    const auto n = static_cast<int64_t>(least.size());
    return grammar.repeat(digits(grammar, '0', '9'), n, n);
  }
  const std::string_view low = least.substr(1), high = most.substr(1);
  const std::string zeros(low.size(), '0'), nines(low.size(), '9');
  char first = least.front(), last = most.front();
  std::vector<ExprId> choices;
  const auto add = [&](std::string_view digit, std::string_view from, std::string_view to) {
    choices.push_back(grammar.sequence({grammar.text(digit), same_length(grammar, from, to)}));
  };
  if (first == last) {
    add(least.substr(0, 1), low, high);
    return choices.front();
  }
  if (low != zeros) {
    add(least.substr(0, 1), low, nines);
    ++first;
  }
  if (high != nines) {
    add(most.substr(0, 1), zeros, high);
    --last;
  }
  if (first <= last) {
    const auto n = static_cast<int64_t>(low.size());
    choices.push_back(
        grammar.sequence({digits(grammar, first, last), grammar.repeat(digits(grammar, '0', '9'), n, n)}));
  }
  return grammar.choice(std::move(choices));
}

// From 0 on.
ExprId whole_numbers(Grammar& grammar, int64_t least, int64_t most) {
  std::vector<ExprId> choices;
  const std::string low = std::to_string(least), high = std::to_string(most);
  for (size_t n = low.size(); least <= most && n <= high.size(); ++n) {
    const std::string first = n == low.size() ? low : "1" + std::string(n - 1, '0');
    const std::string last = n == high.size() ? high : std::string(n, '9');
    choices.push_back(same_length(grammar, first, last));
  }
  return grammar.choice(std::move(choices));
}

struct Fraction {
  int64_t one;  // 10^digits
  int digits;
};

std::string padded(int64_t number, int digits) {
  const std::string text = std::to_string(number);
  return std::string(static_cast<size_t>(digits) - text.size(), '0') + text;
}

// What stands behind a whole number, so that it lies between least and most, parts of `one`; perhaps nothing.
ExprId fraction(Grammar& grammar, int64_t least, int64_t most, Fraction in) {
  std::vector<ExprId> choices;
  if (least == 0) choices.push_back(grammar.empty());
  int64_t unit = in.one;
  for (int n = 1; n <= in.digits; ++n) {
    unit /= 10;
    const int64_t low = (least + unit - 1) / unit, high = most / unit;
    if (low <= high)
      choices.push_back(grammar.sequence({grammar.text("."), same_length(grammar, padded(low, n), padded(high, n))}));
  }
  return grammar.choice(std::move(choices));
}

// From 0 on.
ExprId decimals(Grammar& grammar, int64_t least, int64_t most, Fraction in) {
  std::vector<ExprId> choices;
  const int64_t low = least / in.one, high = most / in.one, all = in.one - 1;
  const auto add = [&](int64_t first, int64_t last, int64_t from, int64_t to) {
    if (first <= last && from <= to)
      choices.push_back(grammar.sequence({whole_numbers(grammar, first, last), fraction(grammar, from, to, in)}));
  };
  if (least > most) return grammar.nothing();
  if (low == high) {
    add(low, low, least % in.one, most % in.one);
  } else {
    add(low, low, least % in.one, all);
    add(low + 1, high - 1, 0, all);
    add(high, high, 0, most % in.one);
  }
  return grammar.choice(std::move(choices));
}

// Numbers below 0 are those above with a sign; `positive` makes them.
template <class Make>
ExprId with_sign(Grammar& grammar, int64_t least, int64_t most, Make positive) {
  std::vector<ExprId> choices;
  if (most >= 0) choices.push_back(positive(std::max<int64_t>(least, 0), most));
  if (least < 0)
    choices.push_back(grammar.sequence({grammar.text("-"), positive(std::max<int64_t>(-most, 1), -least)}));
  return grammar.choice(std::move(choices));
}

}  // namespace

ExprId add_integers(Grammar& grammar, const ScaledBounds& bounds) {
  const int64_t least = bounds.least.value_or(std::min(-kMostDefault, bounds.most.value_or(0)));
  const int64_t most = bounds.most.value_or(std::max(kMostDefault, bounds.least.value_or(0)));
  if (least > most) return grammar.nothing();
  return with_sign(grammar, least, most, [&](int64_t from, int64_t to) { return whole_numbers(grammar, from, to); });
}

ExprId add_decimals(Grammar& grammar, const ScaledBounds& bounds, int n_digits) {
  Fraction in = {1, n_digits};
  for (int i = 0; i < n_digits; ++i) in.one *= 10;
  constexpr int64_t kMost = 999'999'999'999'999'999;
  const int64_t least = bounds.least.value_or(-kMost), most = bounds.most.value_or(kMost);
  if (least > most) return grammar.nothing();
  return with_sign(grammar, least, most, [&](int64_t from, int64_t to) { return decimals(grammar, from, to, in); });
}

ExprId add_any_number(Grammar& grammar) {
  const ExprId digit = digits(grammar, '0', '9');
  const ExprId sign = grammar.repeat(grammar.text("-"), 0, 1);
  const ExprId whole =
      grammar.choice({grammar.text("0"), grammar.sequence({digits(grammar, '1', '9'), grammar.repeat(digit, 0, 14)})});
  const ExprId part = grammar.sequence({grammar.text("."), grammar.repeat(digit, 1, 15)});
  const ExprId exponent = grammar.sequence(
      {grammar.chars(make_code_set({{'e', 'e'}, {'E', 'E'}})),
       grammar.repeat(grammar.chars(make_code_set({{'+', '+'}, {'-', '-'}})), 0, 1), grammar.repeat(digit, 1, 2)});
  return grammar.sequence({sign, whole, grammar.repeat(part, 0, 1), grammar.repeat(exponent, 0, 1)});
}

}  // namespace smelt
