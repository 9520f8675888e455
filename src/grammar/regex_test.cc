// Regular expressions: matches, refusals, and the whole text against any part of it.
#include "grammar/regex.h"

#include "grammar/test_grammars.h"

namespace smelt {
namespace {

std::string error_of(const std::string& pattern) {
  const auto grammar = parse_regex_grammar(pattern);
  return grammar ? "" : grammar.error().message;
}

struct Case {
  const char* pattern;
  std::vector<const char*> good, bad;
};

TEST(Regex, MatchesTheWholeText) {
  const Case cases[] = {
      {"", {""}, {"a"}},
      {"a|b*", {"a", "", "b", "bbb"}, {"ab", "aa"}},
      {"^(?:ab)+c?$", {"ab", "ababc"}, {"", "abcc", "xab"}},
      {"[^a-c\\d]{2,3}", {"xy", "xyz"}, {"x", "a1", "wxyz", "٣x"}},
      {"\\d{4}-\\d\\d", {"2024-05"}, {"2024-5", "2024-055"}},
      {"\\w+@\\w+\\.\\w{2,}", {"a_1@b.cd"}, {"a@b.c", "é@b.cd"}},
      {".", {"x", "é", "€", "😀"}, {"", "\n", "xy"}},
      {"[\\]\\-x]", {"]", "-", "x"}, {"\\"}},
      {"[a-]", {"a", "-"}, {"b"}},
      {"\\x41\\u00e9\\u{1F600}\\t", {"Aé😀\t"}, {"A"}},
      {"(?<year>\\d+)(?P<b>x)", {"1x"}, {"x"}},
      {"a+?b*?", {"a", "aab"}, {"b"}},
      {"a{0}b", {"b"}, {"ab"}},
      {"\\S\\s", {"x ", "é\t"}, {"  ", "xx"}},
      {"\\D\\W", {"x-"}, {"1-", "xx", "é-"}},
      {"(^a$)|(^b$)", {"a", "b"}, {"ab"}},
      {"{a}", {"{a}"}, {"a"}},
  };
  for (const Case& each : cases) {
    const auto nfa = compile(parse_regex_grammar(each.pattern));
    for (const char* text : each.good) EXPECT_TRUE(matches(nfa, text)) << each.pattern << " on " << text;
    for (const char* text : each.bad) EXPECT_FALSE(matches(nfa, text)) << each.pattern << " on " << text;
  }
}

TEST(Regex, SearchFindsAnyPart) {
  const Case cases[] = {
      {"b", {"b", "abc", "bb"}, {"", "ac"}}, {"^b", {"b", "bc"}, {"ab"}},
      {"b$", {"b", "ab"}, {"bc"}},           {"^b$", {"b"}, {"bb", ""}},
      {"^a|b$", {"ax", "xb"}, {"xa", "bx"}}, {"^(?:a|b)$", {"a"}, {"ab"}},
      {"(^a$|^b)", {"a", "bx"}, {"ax"}},     {"", {"", "anything"}, {}},
  };
  for (const Case& each : cases) {
    Grammar grammar;
    grammar.add_rule("root");
    const auto body = add_regex(grammar, each.pattern, RegexMatch::search);
    ASSERT_TRUE(body) << each.pattern;
    grammar.define(0, *body);
    const auto nfa = compile(grammar);
    for (const char* text : each.good) EXPECT_TRUE(matches(nfa, text)) << each.pattern << " on " << text;
    for (const char* text : each.bad) EXPECT_FALSE(matches(nfa, text)) << each.pattern << " on " << text;
  }
}

TEST(Regex, RefusesByNameAndColumn) {
  const struct {
    const char *pattern, *wanted;
  } cases[] = {
      {"a(?=b)", "column 2: look-ahead"},
      {"(?<!b)", "column 1: look-ahead and look-behind"},
      {"(a)\\1", "column 4: back references"},
      {"\\bword", "column 1: \\b"},
      {"\\p{L}", "column 1: the escape \\p"},
      {"*", "column 1: '*' has nothing to repeat"},
      {"a**", "column 3: a repetition of"},
      {"a++", "possessive"},
      {"(a", "column 1: '(' is not closed"},
      {"a)", "column 2: ')' without '('"},
      {"[a", "column 1: the class"},
      {"[z-a]", "column 2: the range"},
      {"a{2,1}", "column 2: the repetition"},
      {"a{x}", "column 2: '{' wants a count"},
      {"a^b", "column 2: '^'"},
      {"a$b", "column 3: '$'"},
      {"a(^b)", "'^' and '$' are supported"},
      {"\\", "column 1: a character should follow"},
      {"\\ud800", "D800"},
      {"é(?#x)", "column 2: this kind of group"},
      {"a{1000000}", "too many"},
      {"[[:alpha:]]", "POSIX"},
      {"\xff", "not UTF-8"},
  };
  for (const auto& each : cases) {
    const std::string error = error_of(each.pattern);
    EXPECT_NE(error.find(each.wanted), std::string::npos) << each.pattern << "\n" << error;
  }
  EXPECT_NE(error_of(std::string(60000, '(')).find("nested deeper"), std::string::npos);
}

}  // namespace
}  // namespace smelt
