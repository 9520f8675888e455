// ProgressBar on a pseudo-terminal and on a plain file.
#include "base/progress.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <thread>

#include "base/test_folder.h"

namespace smelt {
namespace {

using std::chrono::milliseconds;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

std::string written_to_file(milliseconds interval, int updates, milliseconds pause) {
  const TestFolder folder;
  std::FILE* stream = std::fopen(folder.file("log").c_str(), "w");
  {
    ProgressBar bar(stream, interval);
    for (int i = 1; i <= updates; ++i) {
      std::this_thread::sleep_for(pause);
      bar.update("quantizing", static_cast<uint64_t>(i), static_cast<uint64_t>(updates), "tensors");
    }
  }
  std::fclose(stream);
  return folder.read("log");
}

TEST(ProgressBar, ShortJobsLeaveNoLinesInALog) {
  EXPECT_EQ(written_to_file(milliseconds(5000), 100, milliseconds(0)), "");
}

TEST(ProgressBar, LongJobsLeavePlainLinesInALog) {
  const std::string log = written_to_file(milliseconds(1), 3, milliseconds(5));
  EXPECT_EQ(log, "quantizing: 1/3 tensors (33 %)\nquantizing: 2/3 tensors (67 %)\nquantizing: 3/3 tensors (100 %)\n");
}

TEST(ProgressBar, ATotalOfNothingIsNotDivided) {
  const TestFolder folder;
  std::FILE* stream = std::fopen(folder.file("log").c_str(), "w");
  {
    ProgressBar bar(stream, milliseconds(0));
    bar.update("reading", 0, 0, "tokens");
    bar.update("reading", 5, 3, "tokens");
  }
  std::fclose(stream);
  EXPECT_THAT(folder.read("log"), HasSubstr("reading: 0/0 tokens\n"));
}

// A terminal hands over what was written in pieces of its choosing; after its other end was closed the last read fails.
std::string read_to_end(int terminal) {
  std::string screen;
  char buffer[8192];
  for (ssize_t n = 0; (n = ::read(terminal, buffer, sizeof(buffer))) > 0;)
    screen.append(buffer, static_cast<size_t>(n));
  return screen;
}

// What a bar of many updates writes to a terminal of so many columns, or nothing if there are no terminals here.
std::optional<std::string> written_to_terminal(uint16_t columns) {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || ::grantpt(terminal) != 0 || ::unlockpt(terminal) != 0) return std::nullopt;
  std::FILE* stream = std::fopen(::ptsname(terminal), "w");
  if (stream == nullptr) return std::nullopt;
  const winsize size{24, columns, 0, 0};
  EXPECT_EQ(::ioctl(terminal, TIOCSWINSZ, &size), 0);
  {
    ProgressBar bar(stream);
    for (uint64_t i = 0; i <= 1000; ++i) bar.update("quantizing", 500, 1000, "tensors");
    bar.update("quantizing", 2000, 1000, "tensors");
  }
  std::fclose(stream);
  const std::string screen = read_to_end(terminal);
  ::close(terminal);
  return screen;
}

// A row that goes on in the next cannot be drawn over: it would fill the screen.
TEST(ProgressBar, StaysWithinTheColumnsOfTheTerminal) {
  const auto screen = written_to_terminal(50);
  if (!screen) GTEST_SKIP() << "no pseudo-terminals here";
  EXPECT_THAT(*screen, HasSubstr("\r\x1b[Kquantizing: 500/1000 tensors (50 %)\r"));
  EXPECT_THAT(written_to_terminal(12).value_or(""), HasSubstr("\r\x1b[Kquantizing:\r"));
}

TEST(ProgressBar, DrawsOnATerminalAndErasesItself) {
  const auto screen = written_to_terminal(0);
  if (!screen) GTEST_SKIP() << "no pseudo-terminals here";
  EXPECT_THAT(*screen, HasSubstr("[############............] quantizing: 500/1000 tensors (50 %)"));
  EXPECT_THAT(*screen, Not(HasSubstr("\n")));
  EXPECT_THAT(*screen, EndsWith("\r\x1b[K"));
  EXPECT_LT(screen->size(), 1000U) << "redrawn too often";
}

TEST(CancelToken, IsSetAndReset) {
  CancelToken token;
  JobControl job;
  EXPECT_FALSE(job.cancelled());
  job.update("nobody listens", 1, 2, "things");
  job.cancel = &token;
  EXPECT_FALSE(job.cancelled());
  token.cancel();
  EXPECT_TRUE(job.cancelled());
  token.reset();
  EXPECT_FALSE(job.cancelled());
}

}  // namespace
}  // namespace smelt
