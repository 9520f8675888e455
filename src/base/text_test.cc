// UTF-8 and display helpers, by the tables of the Unicode Standard and against exhaustive loops.
#include "base/text.h"

#include <gtest/gtest.h>

namespace smelt {
namespace {

TEST(Utf8, EveryCodePointGoesThereAndBack) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    append_utf8(text, c);
    ASSERT_EQ(utf8_length(text, 0), text.size()) << std::hex << static_cast<uint32_t>(c);
    ASSERT_EQ(decode_utf8(text), std::u32string(1, c)) << std::hex << static_cast<uint32_t>(c);
  }
}

TEST(Utf8, IllFormedSequencesHaveNoLength) {
  const std::string_view cases[] = {
      "\x80",
      "\xBF",
      "\xC0\x80",
      "\xC1\xBF",
      "\xE0\x9F\xBF",
      "\xED\xA0\x80",
      "\xED\xBF\xBF",
      "\xF0\x8F\xBF\xBF",
      "\xF4\x90\x80\x80",
      "\xF5\x80\x80\x80",
      "\xFF",
      "\xC3",
      "\xE2\x82",
      "\xF0\x9F\x98",
      "\xC3(",
      "\xE2(\x82",
      "",
  };
  for (const std::string_view text : cases) {
    EXPECT_EQ(utf8_length(text, 0), 0U) << escape_for_display(text);
    EXPECT_EQ(is_valid_utf8(text), text.empty()) << escape_for_display(text);
  }
}

TEST(Utf8, IllFormedCodePointsBecomeTheReplacement) {
  for (const char32_t c : {char32_t{0xD800}, char32_t{0xDFFF}, char32_t{0x110000}, char32_t{0xFFFFFFFF}}) {
    std::string text;
    append_utf8(text, c);
    EXPECT_EQ(text, "\uFFFD");
  }
  EXPECT_EQ(decode_utf8("a\xE2\x82z"), U"a\uFFFD\uFFFDz");
}

TEST(Utf8, CompletePrefixKeepsWholeCharacters) {
  const std::string text = "aé€😀";
  const size_t ends[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10};
  for (size_t n = 0; n <= text.size(); ++n) EXPECT_EQ(utf8_complete_prefix(text.substr(0, n)), ends[n]) << n;
}

// Bytes that can never become a character are not waited for.
TEST(Utf8, CompletePrefixDoesNotWaitForBadBytes) {
  EXPECT_EQ(utf8_complete_prefix("a\xFF"), 2U);
  EXPECT_EQ(utf8_complete_prefix("a\x80\x80"), 3U);
  EXPECT_EQ(utf8_complete_prefix("\xE2("), 2U);
  EXPECT_EQ(utf8_complete_prefix("\xC3\xC3"), 1U);
  EXPECT_EQ(utf8_complete_prefix("\xED\xA0"), 2U);
  EXPECT_EQ(utf8_complete_prefix("\xC3z"), 2U);
}

TEST(EscapeForDisplay, ShowsNothingThatSteersATerminal) {
  EXPECT_EQ(escape_for_display("plain é 😀"), "plain é 😀");
  EXPECT_EQ(escape_for_display("\x1b[31m\n\t\x7f"), "\\x1b[31m\\x0a\\x09\\x7f");
  EXPECT_EQ(escape_for_display("it's\\"), "it\\'s\\\\");
  EXPECT_EQ(escape_for_display("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(escape_for_display("\xc2\x9b"
                               "31m"),
            "\\xc2\\x9b31m");
  EXPECT_EQ(escape_for_display(std::string_view("a\0b", 3)), "a\\x00b");
}

TEST(EscapeForDisplay, CutsLongNames) {
  EXPECT_EQ(escape_for_display(std::string(200, 'a')), std::string(96, 'a') + "…");
  EXPECT_EQ(escape_for_display("abcd", 4), "abcd");
  EXPECT_EQ(escape_for_display("abcde", 4), "abcd…");
}

TEST(FindNearest, SuggestsOnlyWhatIsNear) {
  const std::vector<std::string> types = {"Q4_K_M", "Q4_K_S", "Q8_0", "F16"};
  EXPECT_EQ(find_nearest("Q4_KM", types), "Q4_K_M");
  EXPECT_EQ(find_nearest("q8_0", types), "Q8_0");
  EXPECT_EQ(find_nearest("completely different", types), "");
  EXPECT_EQ(find_nearest("", types), "");
  EXPECT_EQ(find_nearest("x", {}), "");
  EXPECT_EQ(find_nearest(std::string(100'000, 'Q'), types), "");
}

}  // namespace
}  // namespace smelt
