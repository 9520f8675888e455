// JSON Schema: texts that match and do not, refusals by keyword and place, hostile schemas. tests/sweeps/schemas.py
// judges what is written under random schemas by an independent validator.
#include <gmock/gmock.h>

#include <chrono>

#include "base/mapped_file.h"
#include "grammar/schema_tree.h"
#include "grammar/schema_values.h"
#include "grammar/test_grammars.h"

namespace smelt {
namespace {

using testing::HasSubstr;

std::string error_of(const std::string& schema) {
  const auto grammar = parse_json_schema(schema, "s.json");
  if (!grammar) return grammar.error().message;
  const auto nfa = Nfa::compile(*grammar);
  return nfa ? "" : nfa.error().message;
}

struct Case {
  const char* schema;
  std::vector<const char*> good, bad;
};

void check(const std::vector<Case>& cases) {
  for (const Case& each : cases) {
    const auto nfa = compile(parse_json_schema(each.schema, "s.json"));
    ASSERT_NE(nfa, nullptr) << each.schema;
    for (const char* text : each.good) EXPECT_TRUE(matches(nfa, text)) << each.schema << " on " << text;
    for (const char* text : each.bad) EXPECT_FALSE(matches(nfa, text)) << each.schema << " on " << text;
  }
}

TEST(Schema, Types) {
  check({
      {"true", {"null", "-1.5e+3", "\"x\"", "[1, {\"a\": []}]", "{}"}, {"", "nul", "01", "[1,]", "{a:1}", "\"\n\""}},
      {"{\"type\":\"null\"}", {"null"}, {"0"}},
      {"{\"type\":\"boolean\"}", {"true", "false"}, {"null"}},
      {"{\"type\":[\"integer\",\"null\"]}", {"null", "0", "-12"}, {"1.5", "-0.5", "true", "00"}},
      {"{\"type\":\"string\"}", {"\"\"", "\"é\\n\\u00e9\\\"\""}, {"\"\\ud800\"", "\"\\x\"", "\"\x01\""}},
      {"{\"const\":{\"a\":[1,2.5,\"\\\"\",null]}}", {"{\"a\":[1,2.5,\"\\\"\",null]}"}, {"{}"}},
      {"{\"enum\":[1,\"a\",null,2.5],\"type\":[\"string\",\"number\"],\"exclusiveMinimum\":1}",
       {"\"a\"", "2.5"},
       {"1", "null"}},
  });
}

TEST(Schema, Numbers) {
  check({
      {"{\"type\":\"integer\",\"minimum\":-5,\"maximum\":123}",
       {"-5", "-1", "0", "9", "10", "99", "100", "123"},
       {"-6", "124", "007", "1000", "1.0"}},
      {"{\"type\":\"integer\",\"exclusiveMinimum\":9,\"exclusiveMaximum\":11}", {"10"}, {"9", "11"}},
      {"{\"type\":\"integer\",\"minimum\":1.5,\"maximum\":3.5}", {"2", "3"}, {"1", "4"}},
      {"{\"type\":\"integer\",\"multipleOf\":7,\"minimum\":100}", {"105", "700000"}, {"7", "106", "98"}},
      {"{\"type\":\"integer\",\"multipleOf\":6,\"maximum\":12,\"minimum\":-7}",
       {"-6", "0", "6", "12"},
       {"-7", "3", "18"}},
      {"{\"type\":\"number\",\"minimum\":0.5,\"exclusiveMaximum\":2}",
       {"0.5", "0.51", "1", "1.999999"},
       {"0.4", "2", "2.0", "-1"}},
      {"{\"type\":\"number\",\"exclusiveMinimum\":-1.25,\"maximum\":-0.1}",
       {"-1.249999", "-1", "-0.1"},
       {"-1.25", "0", "-0.05", "-2"}},
      {"{\"type\":\"number\",\"multipleOf\":4}", {"0", "-8", "16"}, {"2", "4.0"}},
      {"{\"type\":\"number\"}", {"1", "-0.5", "1e10", "1.5E-3"}, {"1.", ".5", "1e"}},
      {"{\"minimum\":1e15,\"type\":\"integer\"}", {"1000000000000000"}, {"1"}},
  });
}

TEST(Schema, Strings) {
  check({
      {"{\"type\":\"string\",\"minLength\":2,\"maxLength\":3}",
       {"\"ab\"", "\"é€😀\"", "\"\\n\\u0041\""},
       {"\"a\"", "\"abcd\""}},
      {"{\"pattern\":\"^a.b$\"}", {"\"axb\"", "\"a\\\"b\"", "\"a\\u0001b\""}, {"\"xaxb\"", "\"a\nb\""}},
      {"{\"pattern\":\"b\",\"maxLength\":3,\"type\":\"string\"}", {"\"b\"", "\"abc\""}, {"\"a\"", "\"abcd\""}},
      {"{\"type\":\"string\",\"allOf\":[{\"pattern\":\"^[a-z]+$\"},{\"pattern\":\"e\"},{\"minLength\":2}]}",
       {"\"xe\"", "\"ee\""},
       {"\"e\"", "\"xx\"", "\"E1\""}},
      {"{\"format\":\"date\"}",
       {"\"2024-02-29\"", "\"2000-02-29\"", "\"0001-12-31\""},
       {"\"2023-02-29\"", "\"1900-02-29\"", "\"2024-04-31\"", "\"0000-01-01\"", "\"2024-13-01\""}},
      {"{\"format\":\"date-time\"}",
       {"\"2024-02-29T23:59:59Z\"", "\"2024-01-01T00:00:00.5+02:00\""},
       {"\"2024-02-29 23:59:59Z\"", "\"2024-02-29T24:00:00Z\"", "\"2024-01-01T00:00:00\""}},
      {"{\"format\":\"ipv4\"}", {"\"0.0.0.0\"", "\"255.249.199.10\""}, {"\"256.0.0.0\"", "\"01.0.0.0\"", "\"1.2.3\""}},
      {"{\"format\":\"uuid\"}", {"\"01234567-89ab-cdef-0123-456789abcdef\""}, {"\"0123456789abcdef0123456789abcdef\""}},
      {"{\"format\":\"email\",\"maxLength\":6}", {"\"a@b.c\""}, {"\"a@b\"", "\"abc@b.c\""}},
  });
}

TEST(Schema, Objects) {
  check({
      {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"null\"}},\"required\":["
       "\"b\"]}",
       {"{\"b\":null}", "{\"a\":1, \"b\": null}"},
       {"{}", "{\"a\":1}", "{\"b\":null,\"a\":1}", "{\"b\":null,\"c\":1}", "{,\"b\":null}"}},
      {"{\"type\":\"object\"}", {"{}", "{\"x\":1,\"y\":[{}]}"}, {"[]"}},
      {"{\"properties\":{\"a\":{\"type\":\"null\"}},\"additionalProperties\":{\"type\":\"integer\"}}",
       {"{}", "{\"a\":null}", "{\"a\":null,\"b\":1}", "{\"aa\":1,\"\":2}"},
       {"{\"a\":1}", "{\"b\":null}", "{\"\\u0061\":1}"}},
      {"{\"type\":\"object\",\"additionalProperties\":{\"type\":\"null\"},\"minProperties\":1,\"maxProperties\":2}",
       {"{\"x\":null}", "{\"x\":null,\"y\":null}"},
       {"{}", "{\"x\":null,\"y\":null,\"z\":null}"}},
      {"{\"properties\":{\"a\":{\"const\":1},\"b\":{\"const\":2},\"c\":{\"const\":3}},\"minProperties\":2,"
       "\"maxProperties\":2}",
       {"{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":3}", "{\"b\":2,\"c\":3}"},
       {"{\"a\":1}", "{\"a\":1,\"b\":2,\"c\":3}", "{}"}},
      {"{\"properties\":{\"a\":false,\"b\":{\"const\":1}},\"additionalProperties\":false}",
       {"{}", "{\"b\":1}"},
       {"{\"a\":1}"}},
      {"{\"allOf\":[{\"properties\":{\"a\":{\"minimum\":3}},\"required\":[\"a\"]},{\"properties\":{\"a\":{\"type\":"
       "\"integer\",\"maximum\":4}}}]}",
       {"{\"a\":3}", "{\"a\":4}"},
       {"{}", "{\"a\":2}", "{\"a\":5}"}},
      {"{\"additionalProperties\":false,\"properties\":{\"a\":{\"const\":1}},\"anyOf\":[{\"required\":[\"a\"]},{"
       "\"required\":[\"b\"]}]}",
       {"{\"a\":1}"},
       {"{}", "{\"b\":1}"}},
  });
}

TEST(Schema, Arrays) {
  check({
      {"{\"type\":\"array\"}", {"[]", "[1, null]"}, {"[,]", "[1 ,2]"}},
      {"{\"items\":{\"const\":1},\"minItems\":2,\"maxItems\":3}",
       {"[1,1]", "[1, 1, 1]"},
       {"[]", "[1]", "[1,1,1,1]", "[1,2]"}},
      {"{\"prefixItems\":[{\"const\":1},{\"const\":2}],\"items\":{\"const\":3}}",
       {"[]", "[1]", "[1,2]", "[1,2,3,3]"},
       {"[2]", "[1,3]", "[1,2,1]"}},
      {"{\"prefixItems\":[{\"const\":1},{\"const\":2}],\"items\":false,\"minItems\":1}",
       {"[1]", "[1,2]"},
       {"[]", "[1,2,3]"}},
      {"{\"items\":false}", {"[]"}, {"[1]"}},
      {"{\"prefixItems\":[{\"const\":1},{\"const\":2}],\"maxItems\":1}", {"[]", "[1]"}, {"[1,2]"}},
      {"{\"type\":\"array\",\"uniqueItems\":true,\"maxItems\":1}", {"[]", "[0]"}, {"[0,0]"}},
  });
}

TEST(Schema, ReferencesAndChoices) {
  check({
      {"{\"$ref\":\"#/$defs/a~1b\",\"$defs\":{\"a/b\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/a~1b\"}}}}",
       {"[]", "[[],[[]]]"},
       {"[1]", "[[]"}},
      {"{\"anyOf\":[{\"type\":\"integer\"},{\"const\":\"x\"}],\"enum\":[1,\"x\",\"y\"]}",
       {"1", "\"x\""},
       {"\"y\"", "2"}},
      {"{\"oneOf\":[{\"properties\":{\"k\":{\"const\":\"a\"},\"v\":{\"type\":\"null\"}},\"required\":[\"k\",\"v\"]},"
       "{\"properties\":{\"k\":{\"const\":\"b\"}},\"required\":[\"k\"]}]}",
       {"{\"k\":\"a\",\"v\":null}", "{\"k\":\"b\"}"},
       {"{\"k\":\"a\"}", "{\"k\":\"b\",\"v\":null}"}},
      {"{\"oneOf\":[{\"properties\":{\"a\":true},\"required\":[\"a\"]},{\"properties\":{\"b\":true},\"required\":["
       "\"b\"]}]}",
       {"{\"a\":1}", "{\"b\":1}"},
       {"{}", "{\"a\":1,\"b\":1}"}},
      {"{\"oneOf\":[{\"type\":\"integer\",\"maximum\":3},{\"type\":\"integer\",\"exclusiveMinimum\":3}]}",
       {"3", "4"},
       {}},
      {"{\"$id\":\"https://x/y\",\"$ref\":\"https://x/y#/$defs/n\",\"$defs\":{\"n\":{\"const\":5}}}", {"5"}, {"6"}},
  });
}

TEST(Schema, RefusesByNameAndPlace) {
  const struct {
    const char *schema, *wanted;
  } cases[] = {
      {"{", "s.json: line 1:2"},
      {"3", "s.json: a schema is"},
      {"{\"properties\":{\"a/b\":{\"not\":{}}}}", "#/properties/a~1b: not: this keyword is not supported"},
      {"{\"type\":\"strin\"}", "#: type: must be a type"},
      {"{\"propertys\":{}}", "#: propertys: this keyword is not known; did you mean 'properties'?"},
      {"{\"items\":[{}]}", "#: items: must be a schema"},
      {"{\"minLength\":-1}", "#: minLength: must be a whole number"},
      {"{\"$ref\":\"other.json\"}", "#: $ref: 'other.json' is not supported"},
      {"{\"$ref\":\"#/$defs/x\"}", "#: $ref: '#/$defs/x' does not exist"},
      {"{\"$ref\":\"#\"}", "#: $ref: refers to itself without end"},
      {"{\"allOf\":[{\"$ref\":\"#/$defs/a\"}],\"$defs\":{\"a\":{\"$ref\":\"#/$defs/b\"},\"b\":{\"$ref\":\"#/$defs/"
       "a\"}}}",
       "refers to itself without end"},
      {"{\"format\":\"regex\"}", "#: format: 'regex' is not supported; known are date"},
      {"{\"pattern\":\"(?=x)\"}", "#: pattern: column 1: look-ahead"},
      {"{\"pattern\":\"[\"}", "#: pattern: column 1: the class"},
      {"{\"multipleOf\":0.1,\"type\":\"number\"}", "#: multipleOf: is supported for whole numbers"},
      {"{\"multipleOf\":0,\"type\":\"number\"}", "#: multipleOf: must be above 0"},
      {"{\"minimum\":1e300,\"type\":\"number\"}", "minimum"},
      {"{\"type\":\"array\",\"uniqueItems\":true}", "#: uniqueItems"},
      {"{\"oneOf\":[{\"type\":\"string\"},{\"minLength\":3}]}",
       "#: oneOf: a value of branch 0 might be valid for branch 1"},
      {"{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"number\"}]}", "#: oneOf"},
      {"{\"enum\":[\"a\"],\"format\":\"uuid\"}", "#: format: is not supported beside enum"},
      {"{\"type\":\"object\",\"additionalProperties\":{},\"minProperties\":2}", "#: minProperties"},
      {"{\"$schema\":\"http://json-schema.org/draft-04/schema#\"}", "#: $schema"},
      {"{\"properties\":{\"a\":{\"$id\":\"x\"}}}", "#/properties/a: $id"},
      {"{\"enum\":[]}", "no text at all"},
      {"{\"type\":\"integer\",\"minimum\":5,\"maximum\":4}", "no text at all"},
      {"{\"properties\":{\"a\":false},\"required\":[\"a\"]}", "no text at all"},
      {"{\"required\":[\"a\"],\"properties\":{\"a\":{\"$ref\":\"#\"}}}", "no text at all"},
      {"{\"anyOf\":[{\"$ref\":\"#\"},{\"type\":\"null\"}]}", "calls itself"},
  };
  for (const auto& each : cases) EXPECT_THAT(error_of(each.schema), HasSubstr(each.wanted)) << each.schema;
}

TEST(Schema, EveryKeywordOfTheListIsInTheDocuments) {
  const auto page = read_file(std::string(SMELT_SOURCE_DIR) + "/docs/constrained-output.md", 1 << 20);
  ASSERT_TRUE(page);
  for (const SchemaKeyword& keyword : schema_keywords())
    EXPECT_NE(page->find("`" + std::string(keyword.name) + "`"), std::string::npos) << keyword.name;
  for (const SchemaKeyword& keyword : schema_keywords()) {
    if (keyword.kind != SchemaKeyword::Kind::refused) continue;
    const std::string name(keyword.name);
    EXPECT_THAT(error_of("{\"" + name + "\":{}}"), HasSubstr("#: " + name + ": this keyword is not supported"));
  }
}

TEST(Schema, HostileSchemasEndSoon) {
  const auto repeat = [](const std::string& text, int n) {
    std::string out;
    for (int i = 0; i < n; ++i) out += text;
    return out;
  };
  std::string doubling = "{\"$ref\":\"#/$defs/d0\",\"$defs\":{", wide = "{\"anyOf\":[{}", values = "{\"enum\":[0",
              keys = "{\"properties\":{\"a\":{}", merged = "{\"allOf\":[{}";
  for (int i = 0; i < 40; ++i) {
    const std::string next = "{\"$ref\":\"#/$defs/d" + std::to_string(i + 1) + "\"}";
    doubling += "\"d" + std::to_string(i) + "\":{\"anyOf\":[{\"properties\":{\"a\":" + next + "}},{\"allOf\":[" + next +
                "," + next + "]}]},";
  }
  doubling += "\"d40\":{\"type\":\"null\"}}}";
  for (int i = 0; i < 50000; ++i) {
    wide += ",{\"const\":" + std::to_string(i) + "}";
    values += "," + std::to_string(i);
    keys += ",\"k" + std::to_string(i) + "\":{}";
    merged += ",{}";
  }
  const std::string choices = "{\"anyOf\":[{\"minimum\":1},{\"minimum\":2},{\"minimum\":3}]}";
  const std::string cases[] = {
      repeat("{\"items\":", 10000) + "{}" + repeat("}", 10000),
      repeat("[", 200000),
      "{\"type\":\"string\",\"maxLength\":1000000000}",
      "{\"type\":\"string\",\"pattern\":\"(a+)+$\",\"minLength\":100000}",
      "{\"pattern\":\"(a|b)*a(a|b){60}\",\"maxLength\":200,\"type\":\"string\"}",
      "{\"pattern\":\"((x{999}){999}){999}\"}",
      "{\"type\":\"array\",\"minItems\":1000000000}",
      "{\"type\":\"integer\",\"multipleOf\":999983}",
      "{\"allOf\":[" + repeat(choices + ",", 30) + choices + "]}",
      doubling,
      wide + "]}",
      values + "]}",
      keys + "}}",
      merged + "]}",
      "{\"enum\":[1],\"anyOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"}]}",
  };
  for (const std::string& text : cases) {
    const auto start = std::chrono::steady_clock::now();
    const std::string error = error_of(text);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    EXPECT_LT(took.count(), 5) << text.substr(0, 60);  // 1 s on a quiet machine without sanitizers
    if (took.count() > 0.3)
      std::printf("%.2f s: %s -> %s\n", took.count(), text.substr(0, 60).c_str(), error.substr(0, 100).c_str());
  }
}

TEST(Schema, ValuesAreJudged) {
  const auto valid = [](const char* schema, const char* value) {
    const auto tree = SchemaTree::parse(schema, "s");
    const auto parsed = parse_json_tree(value, "v");
    EXPECT_TRUE(tree && parsed);
    const auto result = is_valid(*tree, tree->root(), *parsed);
    EXPECT_TRUE(result) << schema;
    return result && *result;
  };
  EXPECT_TRUE(valid("{\"oneOf\":[{\"type\":\"integer\"},{\"minimum\":3}]}", "2"));
  EXPECT_FALSE(valid("{\"oneOf\":[{\"type\":\"integer\"},{\"minimum\":3}]}", "4"));
  EXPECT_TRUE(valid("{\"oneOf\":[{\"type\":\"integer\"},{\"minimum\":3}]}", "4.5"));
  EXPECT_TRUE(valid("{\"prefixItems\":[{\"const\":1}],\"items\":{\"type\":\"null\"}}", "[1.0,null]"));
  EXPECT_FALSE(valid("{\"uniqueItems\":true}", "[{\"a\":1},{\"a\":1.0}]"));
  EXPECT_FALSE(valid("{\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"b\":1}"));
  EXPECT_TRUE(valid("{\"pattern\":\"b$\",\"maxLength\":2}", "\"éb\""));
  EXPECT_FALSE(valid("{\"anyOf\":[{\"required\":[\"x\"]},{\"maxProperties\":0}]}", "{\"y\":1}"));
}

}  // namespace
}  // namespace smelt
