// A model is never judged by what it was calibrated on.
#include "shrink/texts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace smelt {
namespace {

std::string lines(int first, int n) {
  std::string out;
  for (int i = first; i < first + n; ++i) out += "This is line " + std::to_string(i * 7919) + " of a text.\n";
  return out;
}

TEST(Texts, TheLastTenthIsKeptBack) {
  NamedText calibration{"c.txt", lines(0, 1000)}, held_out;
  const std::string whole = calibration.text;
  ASSERT_TRUE(settle_texts(calibration, held_out));
  EXPECT_EQ(calibration.text + held_out.text, whole);
  EXPECT_NEAR(static_cast<double>(held_out.text.size()), 0.1 * static_cast<double>(whole.size()), 100);
  EXPECT_EQ(held_out.name, "c.txt (last tenth)");
}

TEST(Texts, ASharedPassageIsRefusedWhereverItStands) {
  NamedText calibration{"c.txt", lines(0, 500)};
  NamedText held_out{"h.txt", lines(2000, 100) + "shift" + calibration.text.substr(5001, 600) + lines(3000, 9)};
  const auto status = settle_texts(calibration, held_out);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, testing::HasSubstr("c.txt and h.txt share a passage"));
  NamedText apart{"h.txt", lines(2000, 100)};
  EXPECT_TRUE(settle_texts(calibration, apart));
}

}  // namespace
}  // namespace smelt
