// Constrained output through the public header: what is written matches, what cannot is an error.
#include "smelt/text_session.h"

#include <gtest/gtest.h>

namespace smelt {
namespace {

TEST(TextSession, TextIsHeldToAConstraint) {
  const auto model = TextModel::open(std::string(SMELT_SOURCE_DIR) + "/tests/fixtures/stories260K/stories260K.bin");
  ASSERT_TRUE(model) << model.error().message;
  auto session = TextSession::create(*model);
  ASSERT_TRUE(session) << session.error().message;
  TextRequest request;
  request.constraint = {TextConstraint::Kind::regex, "(yes|no)!"};
  for (uint64_t seed = 0; seed < 5; ++seed) {
    request.sampling.seed = seed;
    const auto reply = session->generate("Is it so? ", request);
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_TRUE(reply->text == "yes!" || reply->text == "no!") << reply->text;
    EXPECT_EQ(reply->end, TextEnd::complete);
  }
  request.constraint = {TextConstraint::Kind::gbnf, "root ::= \"a\"{3}"};
  EXPECT_EQ(session->generate("x", request)->text, "aaa");
  request.constraint = {TextConstraint::Kind::json_schema, R"({"enum": [{"a": 1}]})"};
  EXPECT_EQ(session->generate("x", request)->text, R"({"a":1})");
  request.n_predict = 2;
  EXPECT_FALSE(session->generate("x", request));  // cut
  request.constraint.source = R"({"not": {}})";
  const auto refused = session->generate("x", request);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("not: this keyword is not supported"), std::string::npos);
  request.constraint = {TextConstraint::Kind::regex, "a"};
  request.stop = {"a"};
  EXPECT_FALSE(session->generate("x", request));
}

}  // namespace
}  // namespace smelt
