// Grammar files: what they match, where errors are said to be, and hostile ones.
#include <chrono>

#include "grammar/test_grammars.h"

namespace smelt {
namespace {

std::string error_of(const std::string& text) {
  const auto grammar = parse_gbnf(text, "g.gbnf");
  if (!grammar) return grammar.error().message;
  const auto nfa = Nfa::compile(*grammar);
  return nfa ? "" : nfa.error().message;
}

TEST(Gbnf, ReadsTheWholeNotation) {
  const auto nfa = compile(parse_gbnf(R"g(
# a comment
root ::= greeting (", " name){1,2} "!"?   # and another
greeting ::= "Hello" |
             "Good\x20day"
       | "\u00e9t\U000000e9"
name ::= [A-Z] [^A-Z,!\n]+ [\]\-x]* .
)g",
                                      "g.gbnf"));
  for (const char* good : {"Hello, Annax", "Good day, Bob, Eve]!", "été, Zoé", "Hello, Jo-]x!!"})
    EXPECT_TRUE(matches(nfa, good)) << good;
  for (const char* bad : {"", "Hello", "hello, Anna", "Hello, A", "Hello, Anna, Bob, Eve", "Goodday, Anna"})
    EXPECT_FALSE(matches(nfa, bad)) << bad;
}

TEST(Gbnf, CountedRepetitions) {
  const auto nfa = compile(parse_gbnf("root ::= \"a\"{2} \"b\"{1,} \"c\"{,2} \"d\"{0,1}", "g"));
  EXPECT_TRUE(matches(nfa, "aab"));
  EXPECT_TRUE(matches(nfa, "aabbbbccd"));
  EXPECT_FALSE(matches(nfa, "abb"));
  EXPECT_FALSE(matches(nfa, "aaabb"));
  EXPECT_FALSE(matches(nfa, "aabccc"));
}

TEST(Gbnf, ErrorsGiveLineAndColumn) {
  const struct {
    const char *text, *wanted;
  } cases[] = {
      {"", "rule 'root'"},
      {"a ::= \"x\"", "rule 'root'"},
      {"root = \"x\"", "line 1:6: '::='"},
      {"root ::= \"x", "line 1:10: the string does not end"},
      {"root ::= [a-", "line 1:11: the class does not end"},
      {"root ::= [ab", "line 1:10: the class '['"},
      {"root ::= [z-a]", "line 1:11: the range"},
      {"root ::= []", "line 1:10: the class is empty"},
      {"root ::= \"é\" é", "line 1:14: here a string"},
      {"root ::= (\"x\"\n", "line 1:10: '(' is not closed"},
      {"root ::= \"x\")", "line 1:13: ')' without '('"},
      {"root ::= *", "line 1:10: here a string"},
      {"root ::= \"x\"{2,1}", "line 1:13: the repetition ends below"},
      {"root ::= \"x\"{,}", ""},
      {"root ::= \"x\"{", "line 1:14: in '{…}'"},
      {"root ::= \"x\"{1000000}", "line 1:13: 1000000 repetitions are too many"},
      {"root ::= \"x\"{99999999999999999999}", "line 1:14: in '{…}'"},
      {"root ::= \"x\"{999999}", "rule 'root': the grammar becomes too large"},
      {"root ::= \"\\q\"", "line 1:11: unknown escape"},
      {"root ::= \"\\xg0\"", "line 1:11: \\x wants 2"},
      {"root ::= \"\\ud800\"", "line 1:11: D800"},
      {"root ::= \"x\"\nroot ::= \"y\"", "line 2:1: rule 'root' is defined twice"},
      {"root ::= item\nitme ::= \"x\"", "line 1:10: rule 'item' is used but not defined; did you mean 'itme'?"},
      {"root ::= root \"x\" | \"y\"", "rule 'root' calls itself before anything is read"},
      {"root ::= a\na ::= e b\nb ::= a | \"x\"\ne ::= \"x\"?", "left recursion"},
      {"root ::= \"x\" root", "no text at all"},
      {"root ::= <think>", "tokens ('<…>')"},
      {"root ::= \"x\" ??????????", "too many repetitions of repetitions"},
  };
  for (const auto& each : cases) {
    const std::string error = error_of(each.text);
    if (*each.wanted == 0) {
      EXPECT_EQ(error, "") << each.text;
    } else {
      EXPECT_NE(error.find(each.wanted), std::string::npos) << each.text << "\n" << error;
    }
  }
}

// design: each hostile grammar ends in under a second.
TEST(Gbnf, HostileGrammarsEndSoonInAnError) {
  const auto repeat = [](const std::string& text, int n) {
    std::string out;
    for (int i = 0; i < n; ++i) out += text;
    return out;
  };
  std::string doubling = "root ::= r0\n", chain = "root ::= c0\n", cycle = "root ::= q0\n";
  for (int i = 0; i < 60; ++i) doubling += "r" + std::to_string(i) + " ::= (r" + std::to_string(i + 1) + "){1000}\n";
  for (int i = 0; i < 20000; ++i) {
    chain += "c" + std::to_string(i) + " ::= c" + std::to_string(i + 1) + "\n";
    cycle += "q" + std::to_string(i) + " ::= q" + std::to_string((i + 1) % 20000) + "\n";
  }
  chain += "c20000 ::= c20000x\n";
  const std::string cases[] = {
      "root ::= " + repeat("(", 60000),
      "root ::= " + repeat("(", 60000) + "\"x\"" + repeat(")", 60000),
      "root ::= \"x\"" + repeat("{999}", 8),
      "root ::= (((((\"x\"{999}){999}){999}){999}){999}){999}",
      "root ::= " + repeat("[", 100000),
      doubling,
      chain,
      cycle,
      "root ::= " + repeat("\"x\"? ", 200000) + repeat("\"x\"", 1) + "{150000}",
      std::string(5 << 20, 'x'),
      "root ::= \"\xff\"",
      std::string("root ::= \"\0", 11),
  };
  for (const std::string& text : cases) {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_NE(error_of(text), "") << text.substr(0, 60);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    EXPECT_LT(took.count(), 5) << text.substr(0, 60);  // 1 s on a quiet machine without sanitizers
  }
}

}  // namespace
}  // namespace smelt
