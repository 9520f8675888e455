// Metadata: order, replacement, and typed look-ups whose errors name key and types.
#include "base/metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace smelt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> keys(const Metadata& metadata) {
  std::vector<std::string> out;
  for (const auto& [key, value] : metadata.entries()) out.push_back(key);
  return out;
}

MetaValue unsigned_array(std::vector<uint64_t> values) {
  return {MetaType::array, MetaArray{MetaType::u64, std::move(values)}};
}

TEST(Metadata, MessagesTellThePlaceOfTheValue) {
  Metadata m;
  MetaValue value = MetaValue::of_string("x");
  m.set("made", value);
  value.place = {.line = 0, .position = 312};
  m.set("binary", value);
  value.place = {.line = 7, .position = 12};
  m.set("text", value);
  EXPECT_EQ(m.title("made"), "key 'made'");
  EXPECT_EQ(m.get_uint("binary").error().message,
            "key 'binary' at byte 312 is of type string, wanted an unsigned integer");
  EXPECT_EQ(m.get_bool("text").error().message, "key 'text' at line 7:12 is of type string, wanted bool");
}

TEST(Metadata, KeepsTheOrderOfItsKeys) {
  Metadata m;
  for (const char* key : {"c", "a", "b"}) m.set(key, MetaValue::of_u32(1));
  m.set("a", MetaValue::of_string("new"));
  EXPECT_THAT(keys(m), ElementsAre("c", "a", "b"));
  EXPECT_EQ(m.get_string("a").value(), "new");
}

TEST(Metadata, EraseKeepsTheOthersReachable) {
  Metadata m;
  for (uint32_t i = 0; i < 5; ++i) m.set("k" + std::to_string(i), MetaValue::of_u32(i));
  EXPECT_TRUE(m.erase("k1"));
  EXPECT_FALSE(m.erase("k1"));
  EXPECT_THAT(keys(m), ElementsAre("k0", "k2", "k3", "k4"));
  for (const uint32_t i : {0U, 2U, 3U, 4U}) EXPECT_EQ(m.get_uint("k" + std::to_string(i)).value(), i);
  m.set("k1", MetaValue::of_u32(9));
  EXPECT_THAT(keys(m), ElementsAre("k0", "k2", "k3", "k4", "k1"));
  EXPECT_EQ(m.get_uint("k1").value(), 9U);
}

TEST(Metadata, AnAbsentKeyIsAnErrorOnlyForGet) {
  const Metadata m;
  const auto missing = m.get_uint("llama.block_count");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "key 'llama.block_count' is missing");
  EXPECT_EQ(m.find_uint("x").value(), std::nullopt);
  EXPECT_EQ(m.find_float("x").value(), std::nullopt);
  EXPECT_EQ(m.find_bool("x").value(), std::nullopt);
  EXPECT_EQ(m.find_string("x").value(), std::nullopt);
  EXPECT_EQ(m.find_strings("x").value(), nullptr);
  EXPECT_EQ(m.find_floats("x").value(), std::nullopt);
  EXPECT_EQ(m.find_ints("x").value(), std::nullopt);
}

TEST(Metadata, IntegersOfAnyWidthConvertIfTheyFit) {
  Metadata m;
  m.set("u64", MetaValue::of_u64(std::numeric_limits<uint64_t>::max()));
  m.set("i64", MetaValue::of_i64(7));
  m.set("negative", MetaValue::of_i32(-1));
  m.set("bool", MetaValue::of_bool(true));
  m.set("float", MetaValue::of_f32(4));
  EXPECT_EQ(m.get_uint("u64").value(), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(m.get_uint("i64").value(), 7U);
  EXPECT_THAT(m.get_uint("negative").error().message, HasSubstr("'negative' is -1"));
  EXPECT_THAT(m.get_uint("bool").error().message, HasSubstr("is of type bool, wanted an unsigned integer"));
  EXPECT_THAT(m.get_uint("float").error().message, HasSubstr("is of type float32"));
}

TEST(Metadata, FloatsAcceptIntegersAndKeepNonFiniteValues) {
  Metadata m;
  m.set("f", MetaValue::of_f32(0.5F));
  m.set("i", MetaValue::of_i32(-3));
  m.set("u", MetaValue::of_u32(3));
  m.set("nan", MetaValue::of_f64(std::nan("")));
  m.set("s", MetaValue::of_string("1.0"));
  m.set("b", MetaValue::of_bool(true));
  EXPECT_EQ(m.get_float("f").value(), 0.5);
  EXPECT_EQ(m.get_float("i").value(), -3);
  EXPECT_EQ(m.get_float("u").value(), 3);
  EXPECT_TRUE(std::isnan(m.get_float("nan").value()));
  EXPECT_FALSE(m.get_float("s"));
  EXPECT_FALSE(m.get_float("b"));
}

TEST(Metadata, OtherTypesAreNeverGuessed) {
  Metadata m;
  m.set("u", MetaValue::of_u32(1));
  m.set("s", MetaValue::of_string("true"));
  m.set("names", MetaValue::of_strings({"a"}));
  EXPECT_THAT(m.find_bool("u").error().message, HasSubstr("'u' is of type uint32, wanted bool"));
  EXPECT_FALSE(m.find_bool("s"));
  EXPECT_THAT(m.find_string("u").error().message, HasSubstr("wanted string"));
  EXPECT_FALSE(m.find_strings("s"));
  EXPECT_FALSE(m.find_ints("names"));
  EXPECT_FALSE(m.find_floats("names"));
  EXPECT_FALSE(m.find_uint("names"));
}

TEST(Metadata, Arrays) {
  Metadata m;
  m.set("names", MetaValue::of_strings({"a", "b"}));
  m.set("f", MetaValue::of_f32s({0.5, -1}));
  m.set("i", MetaValue::of_i32s({-5, 5}));
  m.set("u", unsigned_array({1, 2}));
  EXPECT_THAT(*m.find_strings("names").value(), ElementsAre("a", "b"));
  EXPECT_THAT(*m.find_floats("f").value(), ElementsAre(0.5, -1));
  EXPECT_THAT(*m.find_floats("i").value(), ElementsAre(-5, 5));
  EXPECT_THAT(*m.find_ints("i").value(), ElementsAre(-5, 5));
  EXPECT_THAT(*m.find_ints("u").value(), ElementsAre(1, 2));
  EXPECT_FALSE(m.find_ints("f"));
  EXPECT_EQ(std::get<MetaArray>(m.find("names")->value).size(), 2U);
}

TEST(Metadata, AnUnsignedElementPastInt64IsNotWrapped) {
  Metadata m;
  m.set("big", unsigned_array({1, uint64_t{1} << 63}));
  const auto ints = m.find_ints("big");
  ASSERT_FALSE(ints);
  EXPECT_THAT(ints.error().message, HasSubstr("'big'"));
  EXPECT_THAT(ints.error().message, HasSubstr("9223372036854775808"));
}

TEST(Metadata, ErrorsShowKeysEscaped) {
  Metadata m;
  m.set("a\nb", MetaValue::of_u32(1));
  EXPECT_THAT(m.find_string("a\nb").error().message, HasSubstr("key 'a\\x0ab'"));
}

TEST(MetaType, HasNames) {
  EXPECT_STREQ(meta_type_name(MetaType::u8), "uint8");
  EXPECT_STREQ(meta_type_name(MetaType::f64), "float64");
  EXPECT_STREQ(meta_type_name(static_cast<MetaType>(99)), "unknown");
}

}  // namespace
}  // namespace smelt
