// Multi-line messages and slash commands.
#include "apps/chat_input.h"

#include <gtest/gtest.h>

#include <vector>

namespace smelt {
namespace {

// The messages that these lines make; what is open at the end is the last one, in brackets.
std::vector<std::string> messages(const std::vector<std::string>& lines) {
  MessageReader reader;
  std::vector<std::string> out;
  for (const std::string& line : lines) {
    if (reader.add_line(line)) out.push_back(reader.take());
  }
  if (reader.is_open()) out.push_back("[" + reader.take() + "]");
  return out;
}

using Messages = std::vector<std::string>;

TEST(MessageReader, TakesALineAsAMessage) { EXPECT_EQ(messages({"one", "", " two "}), (Messages{"one", "", " two "})); }

TEST(MessageReader, GoesOnAfterABackslash) {
  EXPECT_EQ(messages({"one\\", "two\\", "three", "four"}), (Messages{"one\ntwo\nthree", "four"}));
  EXPECT_EQ(messages({"one\\"}), (Messages{"[one\n]"}));
}

TEST(MessageReader, KeepsABlockAsItIs) {
  EXPECT_EQ(messages({"\"\"\"", "  a\\", "", "b", "\"\"\"", "c"}), (Messages{"  a\\\n\nb", "c"}));
  EXPECT_EQ(messages({"\"\"\"a", "b\"\"\""}), (Messages{"a\nb"}));
  EXPECT_EQ(messages({"\"\"\"a\"\"\""}), (Messages{"a"}));
  EXPECT_EQ(messages({"\"\"\"a", "b"}), (Messages{"[a\nb\n]"}));
}

TEST(MessageReader, LeavesQuotesInsideALineAlone) { EXPECT_EQ(messages({"say \"\"\""}), (Messages{"say \"\"\""})); }

TEST(ChatCommand, SplitsNameAndArgument) {
  const auto command = parse_chat_command("  /save  my chat.json ");
  ASSERT_TRUE(command);
  EXPECT_EQ(command->name, "save");
  EXPECT_EQ(command->argument, "my chat.json");
  EXPECT_EQ(parse_chat_command("/exit")->argument, "");
}

TEST(ChatCommand, LeavesOtherTextAlone) {
  for (const char* text : {"hello /exit", "/", "// comment", "/ 2", "/usr/bin is a folder", "/save\nx", ""})
    EXPECT_FALSE(parse_chat_command(text)) << text;
}

}  // namespace
}  // namespace smelt
