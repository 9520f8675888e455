// AtomicFile: whole or not at all, whatever fails, and no temporaries left.
#include "base/atomic_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "base/test_folder.h"

namespace smelt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// Files of this process may not grow past `bytes` while this lives; the signal that goes with it is ignored.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int) = SIG_DFL;
};

TEST(AtomicFile, AppearsOnCommitOnly) {
  const TestFolder folder;
  auto file = AtomicFile::create(folder.file("out"), Overwrite::refuse);
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_TRUE(file->write("head "));
  ASSERT_TRUE(file->write(bytes_of("tail")));
  EXPECT_FALSE(std::filesystem::exists(folder.file("out")));
  ASSERT_TRUE(file->commit());
  EXPECT_EQ(folder.read("out"), "head tail");
  EXPECT_THAT(folder.names(), ElementsAre("out"));
}

TEST(AtomicFile, DestroyedBeforeCommitLeavesNothing) {
  const TestFolder folder;
  {
    auto file = AtomicFile::create(folder.file("out"), Overwrite::refuse);
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->write(std::string(3 << 20, 'x')));
    EXPECT_EQ(folder.names().size(), 1U);
  }
  EXPECT_THAT(folder.names(), IsEmpty());
}

TEST(AtomicFile, RefusesAnExistingFile) {
  const TestFolder folder;
  folder.write("out", "old");
  const auto file = AtomicFile::create(folder.file("out"), Overwrite::refuse);
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message, HasSubstr("exists already"));
  EXPECT_THAT(file.error().message, HasSubstr("--force"));
  EXPECT_EQ(folder.read("out"), "old");
}

TEST(AtomicFile, RefusesAFileThatAppearedMeanwhile) {
  const TestFolder folder;
  auto file = AtomicFile::create(folder.file("out"), Overwrite::refuse);
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->write("new"));
  folder.write("out", "of another process");
  {
    AtomicFile taken = std::move(*file);
    const Status status = taken.commit();
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message, HasSubstr("exists already"));
  }
  EXPECT_EQ(folder.read("out"), "of another process");
  EXPECT_THAT(folder.names(), ElementsAre("out"));
}

TEST(AtomicFile, ReplacesWhenAsked) {
  const TestFolder folder;
  folder.write("out", "old and longer");
  EXPECT_TRUE(write_file(folder.file("out"), "new", Overwrite::replace));
  EXPECT_EQ(folder.read("out"), "new");
  EXPECT_THAT(folder.names(), ElementsAre("out"));
}

TEST(AtomicFile, TheOldFileStaysUntilCommit) {
  const TestFolder folder;
  folder.write("out", "old");
  auto file = AtomicFile::create(folder.file("out"), Overwrite::replace);
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->write(std::string(2 << 20, 'n')));
  EXPECT_EQ(folder.read("out"), "old");
  ASSERT_TRUE(file->commit());
  EXPECT_EQ(folder.read("out").size(), size_t{2} << 20);
}

TEST(AtomicFile, WritesThroughALinkToItsTarget) {
  const TestFolder folder;
  folder.write("target", "old");
  ASSERT_EQ(::symlink("target", folder.file("link").c_str()), 0);
  ASSERT_TRUE(write_file(folder.file("link"), "new", Overwrite::replace));
  EXPECT_EQ(folder.read("target"), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(folder.file("link")));
}

TEST(AtomicFile, RefusesPlacesWhereNoFileCanBe) {
  const TestFolder folder;
  ASSERT_EQ(::symlink("nowhere", folder.file("dangling").c_str()), 0);
  const std::pair<std::string, std::string> cases[] = {
      {folder.file("."), "not a regular file"},
      {"/dev/full", "not a regular file"},
      {folder.file("no/such/folder"), "does not exist"},
      {folder.file("dangling"), "link"},
      {"", "not a file name"},
      {std::string("a\0b", 3), "not a file name"},
      {folder.file("out/"), "cannot create"},
  };
  for (const auto& [path, why] : cases) {
    for (const Overwrite overwrite : {Overwrite::refuse, Overwrite::replace}) {
      const auto file = AtomicFile::create(path, overwrite);
      ASSERT_FALSE(file) << path;
      EXPECT_EQ(file.error().kind, ErrorKind::input);
      EXPECT_THAT(file.error().message, HasSubstr(why)) << path;
    }
  }
  EXPECT_THAT(folder.names(), ElementsAre("dangling"));
}

TEST(AtomicFile, WriteAtChangesEarlierBytes) {
  const TestFolder folder;
  auto file = AtomicFile::create(folder.file("out"), Overwrite::refuse);
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->write("0123456789"));
  ASSERT_TRUE(file->write_at(2, bytes_of("ab")));
  ASSERT_TRUE(file->write("X"));
  ASSERT_TRUE(file->write_at(10, bytes_of("Y")));
  ASSERT_TRUE(file->write("Z"));
  EXPECT_EQ(file->size(), 12U);
  ASSERT_TRUE(file->commit());
  EXPECT_EQ(folder.read("out"), "01ab456789YZ");
}

TEST(AtomicFile, PadsWithZeros) {
  const TestFolder folder;
  auto file = AtomicFile::create(folder.file("out"), Overwrite::refuse);
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->write("a"));
  ASSERT_TRUE(file->pad_to(10'000));
  ASSERT_TRUE(file->pad_to(10));
  ASSERT_TRUE(file->write("b"));
  ASSERT_TRUE(file->commit());
  EXPECT_EQ(folder.read("out"), "a" + std::string(9'999, '\0') + "b");
}

// Every size at which the disk can become full: in the buffer, while it is written, in write_at, in commit.
TEST(AtomicFile, AFullDiskLeavesTheOldFile) {
  const TestFolder folder;
  folder.write("out", "old");
  const std::string piece(700'000, 'p');
  for (const rlim_t limit : {0, 1, 4096, 700'000, 1'400'000, 2'799'999}) {
    const FileSizeLimit full(limit);
    auto file = AtomicFile::create(folder.file("out"), Overwrite::replace);
    ASSERT_TRUE(file) << file.error().message;
    Status status;
    for (int i = 0; i < 4 && status; ++i) status = file->write(piece);
    if (status) status = file->commit();
    ASSERT_FALSE(status) << limit;
    EXPECT_THAT(status.error().message, testing::StartsWith(folder.file("out") + ": "));
    EXPECT_THAT(status.error().message, HasSubstr("File too large"));
    EXPECT_EQ(folder.read("out"), "old");
  }
  EXPECT_THAT(folder.names(), ElementsAre("out"));
}

// A caller that overlooks a failed write must not be able to commit what is left.
TEST(AtomicFile, CommitFailsAfterAFailedWrite) {
  const TestFolder folder;
  folder.write("out", "old");
  {
    auto file = AtomicFile::create(folder.file("out"), Overwrite::replace);
    ASSERT_TRUE(file);
    {
      const FileSizeLimit full(10);
      EXPECT_FALSE(file->write(std::string(5 << 20, 'x')));
    }
    EXPECT_FALSE(file->write("more"));
    const Status status = file->commit();
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message, HasSubstr("File too large"));
  }
  EXPECT_EQ(folder.read("out"), "old");
  EXPECT_THAT(folder.names(), ElementsAre("out"));
}

TEST(AtomicFile, KeepsThePermissionsOfWhatItReplaces) {
  const TestFolder folder;
  folder.write("out", "old");
  ASSERT_EQ(::chmod(folder.file("out").c_str(), 0640), 0);
  ASSERT_TRUE(write_file(folder.file("out"), "new", Overwrite::replace));
  struct stat info {};
  ASSERT_EQ(::stat(folder.file("out").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640U);
}

TEST(AtomicFile, ASignalHandlerCanRemoveTheTemporaries) {
  const TestFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGTERM, [](int) {
      remove_open_temporaries();
      ::_exit(7);
    });
    auto first = AtomicFile::create(folder.file("a"), Overwrite::refuse);
    auto second = AtomicFile::create(folder.file("b"), Overwrite::refuse);
    if (!first || !second || !first->write(std::string(2 << 20, 'x'))) ::_exit(1);
    ::raise(SIGTERM);
    ::_exit(2);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_THAT(folder.names(), IsEmpty());
}

TEST(AtomicFile, ManyMayBeOpenAtOnce) {
  const TestFolder folder;
  {
    std::vector<AtomicFile> files;
    for (int i = 0; i < 40; ++i) {
      auto file = AtomicFile::create(folder.file("f" + std::to_string(i)), Overwrite::refuse);
      ASSERT_TRUE(file) << file.error().message;
      ASSERT_TRUE(file->write(std::to_string(i)));
      files.push_back(std::move(*file));
    }
    for (size_t i = 0; i < files.size(); i += 2) ASSERT_TRUE(files[i].commit());
  }
  EXPECT_EQ(folder.names().size(), 20U);
  EXPECT_EQ(folder.read("f38"), "38");
}

}  // namespace
}  // namespace smelt
