// Waiting for input: no signal is missed, whenever it comes.
#include "apps/signals.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

namespace smelt {
namespace {

TEST(Signals, OneThatComesBeforeTheReadEndsIt) {
  install_signal_handlers();
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  char byte = 0;
  ASSERT_EQ(std::raise(SIGINT), 0);
  ASSERT_TRUE(interrupt_token().cancelled());
  reset_interrupt();
  EXPECT_EQ(read_or_wake(ends[0], &byte, 1), -1) << "a plain read would wait here for ever";
  EXPECT_EQ(errno, EINTR);

  ASSERT_EQ(::write(ends[1], "x", 1), 1);
  EXPECT_EQ(read_or_wake(ends[0], &byte, 1), 1) << "once noticed, the signal is over";
  EXPECT_EQ(byte, 'x');
  ::close(ends[1]);
  EXPECT_EQ(read_or_wake(ends[0], &byte, 1), 0) << "the end of the input";
  ::close(ends[0]);
}

}  // namespace
}  // namespace smelt
