#include "compress/override_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace smelt {
namespace {

using testing::HasSubstr;

Result<OverrideRules> compile(const std::string& pattern, DType type = DType::q8_0) {
  return OverrideRules::compile({{pattern, type}});
}

TEST(ParseOverride, TheLastEqualsSignSeparates) {
  const auto parsed = parse_override("blk\\.(?=1)=q6_k");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->first, "blk\\.(?=1)");
  EXPECT_EQ(parsed->second, DType::q6_k);
}

TEST(ParseOverride, RefusalsSayHowToWriteIt) {
  for (const char* bad : {"", "attn_v", "=Q6_K"}) {
    const auto parsed = parse_override(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().kind, ErrorKind::usage);
    EXPECT_THAT(parsed.error().message, HasSubstr("regex=type")) << bad;
  }
  for (const char* bad : {"attn_v=", "attn_v=Q7_K", "attn_v=Q4_K_M"}) {
    const auto parsed = parse_override(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_THAT(parsed.error().message, HasSubstr("one of F32, F16, BF16, Q8_0")) << bad;
  }
}

TEST(OverrideRules, TheFirstMatchWinsAnywhereInTheName) {
  auto rules = OverrideRules::compile({{"attn_v", DType::q8_0}, {"^blk\\.[01]\\.", DType::q6_k}, {"ffn", DType::q5_0}});
  ASSERT_TRUE(rules) << rules.error().message;
  EXPECT_EQ(*rules->find("blk.0.attn_v.weight"), DType::q8_0);
  EXPECT_EQ(*rules->find("blk.1.ffn_up.weight"), DType::q6_k);
  EXPECT_EQ(*rules->find("blk.11.ffn_up.weight"), DType::q5_0);
  EXPECT_EQ(*rules->find("blk.11.attn_q.weight"), std::nullopt);
  EXPECT_TRUE(rules->check_all_used({"blk.0.attn_v.weight"}));
}

TEST(OverrideRules, ARuleThatMatchesNothingIsRefusedByName) {
  auto rules = OverrideRules::compile({{"attn_v", DType::q8_0}, {"attn_w", DType::q8_0}});
  ASSERT_TRUE(rules);
  ASSERT_TRUE(rules->find("blk.0.attn_v.weight"));
  const Status used = rules->check_all_used({"blk.0.attn_v.weight"});
  ASSERT_FALSE(used);
  EXPECT_EQ(used.error().kind, ErrorKind::usage);
  EXPECT_THAT(used.error().message, HasSubstr("override 'attn_w'"));
  EXPECT_THAT(used.error().message, HasSubstr("blk.0.attn_v.weight"));
}

TEST(OverrideRules, BadPatternsAreUsageErrors) {
  for (const std::string& bad : {std::string("("), std::string("[a"), std::string(""), std::string("*"),
                                 std::string(5000, 'a'), std::string("a\\C")}) {
    const auto rules = compile(bad);
    ASSERT_FALSE(rules) << bad;
    EXPECT_EQ(rules.error().kind, ErrorKind::usage) << bad;
    EXPECT_THAT(rules.error().message, HasSubstr("override '")) << bad;
  }
  EXPECT_FALSE(compile("attn", DType::q8_k));
  EXPECT_FALSE(compile("attn", DType::i8));
}

TEST(OverrideRules, EndlessBacktrackingEndsInAnError) {
  auto rules = compile("^(a|aa)+(a|aa)+(a|aa)+$");
  ASSERT_TRUE(rules) << rules.error().message;
  const auto found = rules->find(std::string(60, 'a') + "b");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::usage);
  EXPECT_THAT(found.error().message, HasSubstr("gave up matching"));
}

}  // namespace
}  // namespace smelt
