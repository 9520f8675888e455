// MappedFile and read_file: what is mapped, and that everything but a regular file is refused at once.
#include "base/mapped_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "base/test_folder.h"

namespace smelt {
namespace {

using testing::HasSubstr;

void expect_refused(const std::string& path, const std::string& why) {
  const auto mapped = MappedFile::open(path);
  ASSERT_FALSE(mapped) << path;
  EXPECT_EQ(mapped.error().kind, ErrorKind::input);
  EXPECT_THAT(mapped.error().message, testing::StartsWith(path + ": "));
  EXPECT_THAT(mapped.error().message, HasSubstr(why));
  const auto text = read_file(path, 1 << 20);
  ASSERT_FALSE(text) << path;
  EXPECT_EQ(text.error().message, mapped.error().message);
}

TEST(MappedFile, ShowsTheBytes) {
  const TestFolder folder;
  const std::string bytes("a\0b\n\xff", 5);
  const auto file = MappedFile::open(folder.write("x", bytes));
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ((*file)->text(), bytes);
  EXPECT_EQ((*file)->size(), 5U);
  EXPECT_EQ((*file)->bytes().size(), 5U);
  EXPECT_EQ((*file)->path(), folder.file("x"));
}

TEST(MappedFile, AnEmptyFileIsAnEmptySpan) {
  const TestFolder folder;
  const auto file = MappedFile::open(folder.write("empty", ""));
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_TRUE((*file)->bytes().empty());
  EXPECT_TRUE((*file)->text().empty());
}

TEST(MappedFile, OutlivesItsName) {
  const TestFolder folder;
  const auto file = MappedFile::open(folder.write("x", "kept"));
  ASSERT_TRUE(file);
  ASSERT_EQ(::unlink(folder.file("x").c_str()), 0);
  EXPECT_EQ((*file)->text(), "kept");
}

TEST(MappedFile, FollowsALink) {
  const TestFolder folder;
  folder.write("x", "target");
  ASSERT_EQ(::symlink("x", folder.file("link").c_str()), 0);
  const auto file = MappedFile::open(folder.file("link"));
  ASSERT_TRUE(file);
  EXPECT_EQ((*file)->text(), "target");
}

TEST(MappedFile, ReleasedPagesReadTheSameAgain) {
  const TestFolder folder;
  const std::string bytes(100'000, 'w');
  const auto file = MappedFile::open(folder.write("x", bytes));
  ASSERT_TRUE(file);
  (*file)->release_range((*file)->text().data() + 10, 90'000);
  (*file)->release_range((*file)->text().data() + 99'999, 1);
  (*file)->release_range((*file)->text().data(), 0);
  EXPECT_EQ((*file)->text(), bytes);
}

TEST(MappedFile, RefusesWhatIsMissing) {
  const TestFolder folder;
  expect_refused(folder.file("nothing"), "No such file");
  ASSERT_EQ(::symlink("nowhere", folder.file("dangling").c_str()), 0);
  expect_refused(folder.file("dangling"), "is a link to 'nowhere', which does not exist");
  ASSERT_EQ(::symlink("loop", folder.file("loop").c_str()), 0);
  expect_refused(folder.file("loop"), "symbolic links");
}

TEST(MappedFile, RefusesWhatIsNotARegularFile) {
  const TestFolder folder;
  expect_refused(folder.file("."), "is a directory");
  expect_refused("/dev/zero", "is a device");
  expect_refused("/dev/null", "is a device");
  // Nobody writes to this pipe: an open that waits would hang here.
  ASSERT_EQ(::mkfifo(folder.file("pipe").c_str(), 0600), 0);
  expect_refused(folder.file("pipe"), "is a named pipe");
}

TEST(MappedFile, RefusesASocket) {
  const TestFolder folder;
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_GE(fd, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = folder.file("socket");
  ASSERT_LT(path.size(), sizeof(address.sun_path));
  std::memcpy(address.sun_path, path.c_str(), path.size());
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const auto file = MappedFile::open(path);
  ::close(fd);
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message, HasSubstr("cannot open"));
}

TEST(MappedFile, ShowsControlCharactersOfANameEscaped) {
  const auto file = MappedFile::open("no\x1b[31m\nsuch");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().message.find('\x1b'), std::string::npos);
  EXPECT_EQ(file.error().message.find('\n'), std::string::npos);
  const auto cut = MappedFile::open(std::string("a\0b", 3));
  ASSERT_FALSE(cut);
  EXPECT_THAT(cut.error().message, HasSubstr("NUL"));
}

TEST(MappedFile, ReleasesNoMemoryOfOthers) {
  const TestFolder folder;
  const auto file = MappedFile::open(folder.write("x", std::string(1 << 16, 'x')));
  ASSERT_TRUE(file);
  const std::vector<char> other(1 << 16, 'o');
  (*file)->release_range(other.data(), other.size());
  EXPECT_EQ(other, std::vector<char>(1 << 16, 'o'));
  (*file)->release_range((*file)->bytes().data(), (*file)->size());
  EXPECT_EQ((*file)->text(), std::string(1 << 16, 'x'));
}

TEST(ReadFile, RefusesMoreThanTheLimit) {
  const TestFolder folder;
  const std::string path = folder.write("x", "12345");
  EXPECT_EQ(read_file(path, 5).value(), "12345");
  const auto refused = read_file(path, 4);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("has 5 bytes, more than the 4 allowed"));
}

TEST(SameFile, ComparesFilesNotNames) {
  const TestFolder folder;
  folder.write("a", "1");
  folder.write("b", "1");
  ASSERT_EQ(::link(folder.file("a").c_str(), folder.file("hard").c_str()), 0);
  ASSERT_EQ(::symlink("a", folder.file("soft").c_str()), 0);
  EXPECT_TRUE(same_file(folder.file("a"), folder.file("./a")));
  EXPECT_TRUE(same_file(folder.file("a"), folder.file("hard")));
  EXPECT_TRUE(same_file(folder.file("a"), folder.file("soft")));
  EXPECT_FALSE(same_file(folder.file("a"), folder.file("b")));
  EXPECT_FALSE(same_file(folder.file("none"), folder.file("none")));
}

}  // namespace
}  // namespace smelt
