#include "apps/completion_end.h"

#include <gtest/gtest.h>

namespace smelt {
namespace {

// The text comes letter by letter and all at once.
std::string complete(CompletionStop stop, std::string_view prefix, std::string_view text) {
  CompletionEnd whole(stop, prefix), letters(stop, prefix);
  std::string at_once = whole.push(text), one_by_one;
  at_once += whole.finish();
  for (const char c : text) one_by_one += letters.push(std::string_view(&c, 1));
  one_by_one += letters.finish();
  EXPECT_EQ(at_once, one_by_one);
  return at_once;
}

TEST(CompletionEnd, WithoutARuleAllIsKept) {
  EXPECT_EQ(complete(CompletionStop::none, "    x = ", "1\n\n\ny\n"), "1\n\n\ny\n");
}

TEST(CompletionEnd, ALineEndsBehindItsText) {
  EXPECT_EQ(complete(CompletionStop::line, "x = ", "1 + 2\ny = 3"), "1 + 2");
  EXPECT_EQ(complete(CompletionStop::line, "def f():", "\n    return 1\n    y"), "\n    return 1");
  EXPECT_EQ(complete(CompletionStop::line, "x = ", "1"), "1");
}

TEST(CompletionEnd, ABlockEndsWhereTheIndentationFalls) {
  EXPECT_EQ(complete(CompletionStop::block, "def f():\n    ", "a = 1\n\n    return a\n\ndef g():\n"),
            "a = 1\n\n    return a");
  EXPECT_EQ(complete(CompletionStop::block, "def f():\n    if x:\n        ", "a\n    else:\n"), "a");
  EXPECT_EQ(complete(CompletionStop::block, "\tif (x) {\n\t\t", "y();\n\t\tz();\n\t}\n"), "y();\n\t\tz();");
}

TEST(CompletionEnd, AtTheOutermostLevelABlockEndsBeforeAnEmptyLine) {
  EXPECT_EQ(complete(CompletionStop::block, "def f():", "\n    return 1\n\ndef g():\n"), "\n    return 1");
  EXPECT_EQ(complete(CompletionStop::block, "import ", "os\nimport sys\n"), "os\nimport sys\n");
}

}  // namespace
}  // namespace smelt
