// Hostile programs: each ends in a clear verdict, and harms nothing. Skipped, with the reason, where this machine
// allows no namespaces; what needs none is tested all the same.
#include "sandbox/sandbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "base/test_folder.h"
#include "sandbox/watch.h"

namespace smelt {
namespace {

using testing::HasSubstr;
using testing::Not;

SandboxProgram python(const std::string& text) {
  return {{"/usr/bin/python3", "-I", "-S", "program.py"}, {{"program.py", text}}};
}

SandboxLimits quick() {
  SandboxLimits limits;
  limits.seconds = 5;
  limits.memory_bytes = uint64_t{256} << 20;
  return limits;
}

class Isolated : public testing::Test {
 protected:
  void SetUp() override {
    auto made = Sandbox::isolated();
    if (!made) GTEST_SKIP() << made.error().message;
    sandbox_ = std::make_unique<Sandbox>(std::move(*made));
  }
  SandboxOutcome run(const std::string& text, const SandboxLimits& limits = quick()) {
    auto outcome = sandbox_->run(python(text), limits);
    EXPECT_TRUE(outcome) << outcome.error().message;
    return outcome ? std::move(*outcome) : SandboxOutcome();
  }
  std::unique_ptr<Sandbox> sandbox_;
};

TEST_F(Isolated, HonestProgramsRun) {
  const auto outcome = run(
      "import json, re, collections, math\nprint(sum(range(10)))\nopen('x', 'w').write('y')\nprint(open('x').read())");
  EXPECT_EQ(outcome.end, SandboxEnd::exited);
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.output, "45\ny\n");
}

TEST_F(Isolated, ErrorsAndSignalsAreTold) {
  EXPECT_EQ(run("import sys; sys.exit(7)").code, 7);
  const auto raised = run("raise ValueError('no')");
  EXPECT_EQ(raised.code, 1);
  EXPECT_THAT(raised.output, HasSubstr("ValueError: no"));
  const auto killed = run("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)");
  EXPECT_EQ(killed.end, SandboxEnd::killed);
  EXPECT_EQ(killed.code, SIGSEGV);
}

TEST_F(Isolated, EndlessLoopsAndSleepersAreStopped) {
  SandboxLimits limits = quick();
  limits.seconds = 0.5;
  EXPECT_EQ(run("while True: pass", limits).end, SandboxEnd::time);
  EXPECT_EQ(run("import time; time.sleep(60)", limits).end, SandboxEnd::time);
  const auto deaf =
      run("import signal, time\nfor s in range(1, 65):\n  try: signal.signal(s, signal.SIG_IGN)\n  except Exception: "
          "pass\nwhile True: time.sleep(1)",
          limits);
  EXPECT_EQ(deaf.end, SandboxEnd::time);
  EXPECT_LT(deaf.seconds, 5);
}

TEST_F(Isolated, ForkBombsBurnOut) {
  SandboxLimits limits = quick();
  limits.seconds = 2;
  const auto bomb = run("import os\nwhile True:\n  try: os.fork()\n  except OSError: pass", limits);
  EXPECT_THAT(bomb.end, testing::AnyOf(SandboxEnd::time, SandboxEnd::processes, SandboxEnd::memory));
  const auto counted =
      run("import os, time\nn = 0\ntry:\n  while True:\n    if os.fork() == 0: time.sleep(60)\n    n += 1\nexcept "
          "OSError: print('forks', n)");
  EXPECT_THAT(counted.output, testing::MatchesRegex("forks [0-9]+\n"));
  EXPECT_LE(std::stoi(counted.output.substr(6)), limits.processes);
}

TEST_F(Isolated, OrphansDieWithTheProgram) {
  const auto outcome =
      run("import os, time\nif os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0:\n    time.sleep(60)\n  "
          "os._exit(0)\nprint('done')");
  EXPECT_EQ(outcome.end, SandboxEnd::exited);
  EXPECT_EQ(outcome.output, "done\n");
  EXPECT_LT(outcome.seconds, 5);
  EXPECT_EQ(measure_use(::getpid(), 0).processes, 0);
}

TEST_F(Isolated, MemoryIsLimitedForEachAndForAll) {
  const auto one = run("x = bytearray(1 << 30)");
  EXPECT_EQ(one.end, SandboxEnd::exited);
  EXPECT_THAT(one.output, HasSubstr("MemoryError"));
  const auto many =
      run("import os, time\nfor i in range(8):\n  if os.fork() == 0:\n    x = b'x' * (100 << 20)\n    "
          "time.sleep(60)\ntime.sleep(60)");
  EXPECT_EQ(many.end, SandboxEnd::memory);
}

TEST_F(Isolated, NoNetwork) {
  const auto outcome =
      run("import socket\ntry:\n  socket.create_connection(('1.1.1.1', 53), 2); print('reached')\nexcept OSError as e: "
          "print('none', e.errno)\n"
          "print([n for _, n in socket.if_nameindex()])\n");
  EXPECT_THAT(outcome.output, HasSubstr("none 101"));  // ENETUNREACH
  EXPECT_THAT(outcome.output, HasSubstr("['lo']"));
}

TEST_F(Isolated, NothingOfTheMachineIsSeenOrWritten) {
  const TestFolder folder;
  const std::string secret = folder.write("secret", "hidden");
  std::filesystem::permissions(folder.path(), std::filesystem::perms::all);
  const auto outcome =
      run("import os\nprint(sorted(os.listdir('/')))\n"
          "for p in ('/etc/passwd', '/proc/self/status', '/home', '/root', '" +
          secret +
          "'):\n"
          "  try: open(p) if not p.endswith(('home', 'root')) else os.listdir(p); print('read', p)\n"
          "  except OSError: pass\n"
          "for p in ('/x', '/usr/x', '/usr/bin/x', '/dev/x', '" +
          folder.file("x") +
          "', '../x', 'program.py'):\n"
          "  try: open(p, 'w').write('x'); print('wrote', p)\n"
          "  except OSError: pass\n"
          "print([k for k in os.environ])\n");
  EXPECT_THAT(outcome.output, HasSubstr("'sandbox', 'sbin', 'usr']"));
  EXPECT_THAT(outcome.output, Not(HasSubstr("read")));
  EXPECT_THAT(outcome.output, Not(HasSubstr("wrote")));
  EXPECT_THAT(outcome.output, Not(HasSubstr("etc")));
  EXPECT_EQ(folder.names(), std::vector<std::string>{"secret"});
}

TEST_F(Isolated, OtherProcessesAreOutOfReach) {
  const auto outcome =
      run("import os, signal\nprint(os.getppid())\n"
          "for pid in (" +
          std::to_string(::getpid()) + ", " + std::to_string(::getppid()) +
          ", os.getppid(), 1):\n"
          "  try: os.kill(pid, signal.SIGKILL)\n  except OSError: pass\nprint('still here')\nos.kill(-1, "
          "signal.SIGKILL)\n");
  EXPECT_THAT(outcome.output, HasSubstr("1\nstill here\n"));
}

TEST_F(Isolated, OutputAndFilesAreLimited) {
  const auto much = run("import sys\nwhile True: sys.stdout.write('x' * 100000)");
  EXPECT_EQ(much.end, SandboxEnd::output);
  EXPECT_EQ(much.output.size(), quick().output_bytes);
  const auto large =
      run("f = open('big', 'wb')\ntry:\n  while True: f.write(b'x' * 1000000); f.flush()\nexcept OSError as e: "
          "print(e.errno)\nimport os; print(os.stat('big').st_size)");
  EXPECT_THAT(large.output, testing::AnyOf(HasSubstr("28\n"), HasSubstr("27\n")));  // no space, file too large
  const auto many =
      run("import os, time\nfor d in range(4):\n  os.mkdir(f'{d}')\n  for i in range(5000): open(f'{d}/{i}', "
          "'w').close()\ntime.sleep(60)");
  EXPECT_EQ(many.end, SandboxEnd::files);
}

TEST_F(Isolated, CancelledProgramsAreGoneAtOnce) {
  CancelToken cancel;
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    cancel.cancel();
  });
  const auto outcome = sandbox_->run(python("import time; time.sleep(60)"), quick(), &cancel);
  later.join();
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->end, SandboxEnd::cancelled);
  EXPECT_LT(outcome->seconds, 3);
}

TEST(Unconfined, LimitsHoldWithoutNamespaces) {
  const Sandbox sandbox = Sandbox::unconfined();
  EXPECT_FALSE(sandbox.is_isolated());
  SandboxLimits limits = quick();
  const auto good = sandbox.run(python("print('hello'); open('x', 'w').write('y')"), limits);
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_EQ(good->output, "hello\n");
  EXPECT_EQ(good->code, 0);
  EXPECT_EQ(sandbox.run(python("import sys\nwhile True: sys.stdout.write('x' * 100000)"), limits)->end,
            SandboxEnd::output);
  EXPECT_THAT(sandbox.run(python("x = bytearray(1 << 30)"), limits)->output, HasSubstr("MemoryError"));
  const auto left = sandbox.run(python("import os, time\nif os.fork() == 0: time.sleep(60)\nprint('done')"), limits);
  EXPECT_EQ(left->output, "done\n") << sandbox_end_name(left->end) << left->code;
  EXPECT_LT(left->seconds, 4);
  limits.seconds = 0.5;
  EXPECT_EQ(sandbox.run(python("while True: pass"), limits)->end, SandboxEnd::time);
}

TEST(Unconfined, WhatCannotStartEndsWith127) {
  const auto outcome = Sandbox::unconfined().run({{"/usr/bin/no-such-program"}, {}}, quick());
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->code, 127);
}

}  // namespace
}  // namespace smelt
