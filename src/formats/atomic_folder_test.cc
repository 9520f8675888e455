#include "formats/atomic_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_folder.h"

namespace smelt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

AtomicFolder create(const std::string& path, Overwrite overwrite) {
  auto folder = AtomicFolder::create(path, overwrite);
  if (!folder) throw std::runtime_error(folder.error().message);
  return std::move(*folder);
}

TEST(AtomicFolder, NothingIsThereBeforeTheCommitAndAllOfItAfter) {
  const TestFolder test;
  {
    AtomicFolder folder = create(test.file("model"), Overwrite::refuse);
    ASSERT_TRUE(write_file(folder.file("a"), "text", Overwrite::refuse));
    EXPECT_FALSE(std::filesystem::exists(test.file("model")));
    ASSERT_TRUE(folder.commit());
    EXPECT_EQ(test.read("model/a"), "text");
  }
  EXPECT_THAT(test.names(), ElementsAre("model"));
  EXPECT_EQ(test.read("model/a"), "text");
}

TEST(AtomicFolder, WithoutACommitNothingIsLeft) {
  const TestFolder test;
  {
    const AtomicFolder folder = create(test.file("model"), Overwrite::refuse);
    ASSERT_TRUE(write_file(folder.file("a"), "text", Overwrite::refuse));
  }
  EXPECT_THAT(test.names(), IsEmpty());
}

TEST(AtomicFolder, ASlashAtTheEndIsTheSameName) {
  const TestFolder test;
  AtomicFolder folder = create(test.file("model//"), Overwrite::refuse);
  ASSERT_TRUE(folder.commit());
  EXPECT_TRUE(std::filesystem::is_directory(test.file("model")));
}

TEST(AtomicFolder, AnExistingFolderIsRefusedUnlessItMayBeReplaced) {
  const TestFolder test;
  test.write("model/config.json", "old");
  test.write("model/extra", "old");
  const auto refused = AtomicFolder::create(test.file("model"), Overwrite::refuse);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("--force"));
  {
    AtomicFolder folder = create(test.file("model"), Overwrite::replace);
    ASSERT_TRUE(write_file(folder.file("config.json"), "new", Overwrite::refuse));
    EXPECT_EQ(test.read("model/config.json"), "old");
    ASSERT_TRUE(folder.commit());
  }
  EXPECT_THAT(test.names(), ElementsAre("model"));
  EXPECT_EQ(test.read("model/config.json"), "new");
  EXPECT_FALSE(std::filesystem::exists(test.file("model/extra")));
}

TEST(AtomicFolder, AFolderThatIsNoModelIsNeverReplaced) {
  const TestFolder test;
  test.write("home/letters.txt", "dear");
  test.write("file", "text");
  const auto home = AtomicFolder::create(test.file("home"), Overwrite::replace);
  ASSERT_FALSE(home);
  EXPECT_THAT(home.error().message, HasSubstr("even with --force"));
  const auto file = AtomicFolder::create(test.file("file"), Overwrite::replace);
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message, HasSubstr("not a folder"));
  EXPECT_EQ(test.read("home/letters.txt"), "dear");
}

TEST(AtomicFolder, AFolderThatAppearsMeanwhileIsNotReplaced) {
  const TestFolder test;
  {
    AtomicFolder folder = create(test.file("model"), Overwrite::refuse);
    test.write("model/config.json", "of another program");
    EXPECT_FALSE(folder.commit());
  }
  EXPECT_EQ(test.read("model/config.json"), "of another program");
  EXPECT_THAT(test.names(), ElementsAre("model"));
}

TEST(AtomicFolder, NamesThatCannotBeMadeAreRefused) {
  const TestFolder test;
  for (const std::string& name : {std::string(), std::string("a\0b", 3), test.file("missing/model")}) {
    const auto folder = AtomicFolder::create(name, Overwrite::refuse);
    ASSERT_FALSE(folder);
    EXPECT_EQ(folder.error().kind, ErrorKind::input);
  }
}

}  // namespace
}  // namespace smelt
