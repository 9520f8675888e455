// Templates and expressions rendered equal to Python's jinja2, byte for byte, or refused where it refuses. The fixtures
// are made by tests/golden/scripts/make_template_fixtures.py.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/mapped_file.h"
#include "templates/json.h"
#include "templates/template.h"

namespace smelt::jinja {
namespace {

namespace fs = std::filesystem;

constexpr std::time_t kNow = 1721984703;  // 2024-07-26 09:05:03 UTC, as in the script

fs::path folder() { return fs::path(SMELT_SOURCE_DIR) / "tests/golden/templates"; }

std::string read(const std::string& name) {
  auto text = read_file((folder() / name).string(), uint64_t{64} << 20);
  EXPECT_TRUE(text) << text.error().message;
  return text ? *text : "";
}

Value read_json(const std::string& name) {
  auto value = parse_json(read(name), name);
  EXPECT_TRUE(value) << value.error().message;
  return value ? *value : Value();
}

std::vector<std::pair<std::string, Value>> variables_of(const Value& dict) {
  std::vector<std::pair<std::string, Value>> out;
  for (const auto& [key, value] : dict.find_dict()->entries) out.emplace_back(key.find_text()->bytes(), value);
  return out;
}

Result<std::string> render(const std::string& source, const Value& variables) {
  SMELT_ASSIGN(const Template made, Template::parse(source));
  SMELT_ASSIGN(const Text text, made.render(variables_of(variables), {.now = kNow}));
  return text.bytes();
}

void expect_equal(const Result<std::string>& got, const Value& wanted, const std::string& what) {
  if (wanted.is_none()) {
    EXPECT_FALSE(got) << what << ": jinja2 raises, smelt renders: " << (got ? *got : "");
    EXPECT_TRUE(got || got.error().message.find('\n') == std::string::npos) << got.error().message;
    return;
  }
  ASSERT_TRUE(got) << what << ": " << got.error().message;
  EXPECT_EQ(*got, wanted.find_text()->bytes()) << what;
}

class Golden : public testing::Test {
 protected:
  void SetUp() override {
    setenv("TZ", "UTC", 1);
    tzset();
  }
};

TEST_F(Golden, EveryTemplateOnEveryConversation) {
  const Value conversations = read_json("conversations.json");
  const Value results = read_json("results.json");
  ASSERT_GE(results.find_dict()->entries.size(), 25U);
  for (const auto& [name, cases] : results.find_dict()->entries) {
    const std::string source = read(name.find_text()->bytes());
    for (const auto& [conversation, wanted] : cases.find_dict()->entries) {
      const Value* variables = conversations.find_dict()->find(conversation);
      ASSERT_NE(variables, nullptr);
      expect_equal(render(source, *variables), wanted,
                   name.find_text()->bytes() + " on " + conversation.find_text()->bytes());
    }
  }
}

TEST_F(Golden, Expressions) {
  const Value given = read_json("expressions.json");
  const Value results = read_json("expression_results.json");
  const auto& expressions = given.find_dict()->find("expressions")->find_list()->items;
  const Value& variables = *given.find_dict()->find("variables");
  ASSERT_EQ(expressions.size(), results.find_list()->items.size());
  for (size_t i = 0; i < expressions.size(); ++i) {
    const std::string& source = expressions[i].find_text()->bytes();
    expect_equal(render(source, variables), results.find_list()->items[i], source);
  }
}

}  // namespace
}  // namespace smelt::jinja
