// The history file of the chat: kept, shortened, private, and harmless where it cannot be.
#include "apps/chat_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>

#include "base/test_folder.h"

namespace smelt {
namespace {

using testing::ElementsAre;

TEST(ChatHistory, IsKeptForTheNextChatAndForTheOwnerOnly) {
  const TestFolder folder;
  const std::string path = folder.file("state/smelt/chat_history");
  {
    ChatHistory history(path);
    EXPECT_TRUE(history.lines().empty());
    history.add("hello");
    history.add("hello");  // once is enough
    history.add("tell me \"more\\\"");
  }
  EXPECT_THAT(ChatHistory(path).lines(), ElementsAre("hello", "tell me \"more\\\""));
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  ASSERT_EQ(::stat(folder.file("state/smelt").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
}

TEST(ChatHistory, KeepsTheLastLines) {
  const TestFolder folder;
  const std::string path = folder.file("history");
  ChatHistory history(path);
  for (int i = 0; i < 1200; ++i) history.add("line " + std::to_string(i));
  const ChatHistory again(path);
  ASSERT_EQ(again.lines().size(), kHistoryLines);
  EXPECT_EQ(again.lines().front(), "line 700");
  EXPECT_EQ(again.lines().back(), "line 1199");
  EXPECT_EQ(folder.read("history").substr(0, 9), "line 700\n") << "the file was not shortened";
}

TEST(ChatHistory, IsDoneWithoutWhereItCannotBe) {
  ChatHistory none("");
  none.add("a line");
  ChatHistory device("/dev/null/smelt/chat_history");
  device.add("a line");
}

TEST(ChatHistory, LiesWhereXdgSays) {
  ::setenv("HOME", "/home/someone", 1);
  ::setenv("XDG_STATE_HOME", "/state", 1);
  EXPECT_EQ(chat_history_path(), "/state/smelt/chat_history");
  ::setenv("XDG_STATE_HOME", "relative", 1);
  EXPECT_EQ(chat_history_path(), "/home/someone/.local/state/smelt/chat_history");
  ::unsetenv("XDG_STATE_HOME");
  ::unsetenv("HOME");
  EXPECT_EQ(chat_history_path(), "");
}

}  // namespace
}  // namespace smelt
