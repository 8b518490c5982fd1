#include "node/clients/client_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/temp_dir.h"

namespace wherry::node {
namespace {

namespace fs = std::filesystem;
using testing::kind_of;
using testing::read_file;
using testing::TempDir;
using testing::write_file;

std::size_t files_in(const std::string& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(ClientFiles, ANewTextKeepsOwnerAndModeAndLeavesTheFirstAsACopy) {
  const TempDir dir;
  const ClientFiles files(dir.path());
  write_file(dir / "a.json", "first");
  ASSERT_EQ(::chmod((dir / "a.json").c_str(), 0640), 0);
  const bool is_root = ::geteuid() == 0;
  const int owned = is_root ? ::chown((dir / "a.json").c_str(), 12, 34) : 0;
  ASSERT_EQ(owned, 0);
  ASSERT_TRUE(files.apply({{"/a.json", "first", "second", FirstCopy::kMake}}));
  ASSERT_TRUE(files.apply({{"/a.json", "second", "third", FirstCopy::kMake}}));
  EXPECT_EQ(read_file(dir / "a.json"), "third");
  EXPECT_EQ(read_file(dir / "a.json.wherry-before"), "first");
  for (const char* name : {"a.json", "a.json.wherry-before"}) {
    struct stat at{};
    ASSERT_EQ(::stat((dir / name).c_str(), &at), 0);
    EXPECT_EQ(at.st_mode & 07777, 0640u) << name;
    if (!is_root) continue;
    EXPECT_EQ(at.st_uid, 12u) << name;
    EXPECT_EQ(at.st_gid, 34u) << name;
  }
  ASSERT_TRUE(files.apply({{"/a.json", "third", "changed", FirstCopy::kEnd}}));
  EXPECT_EQ(files_in(dir.path()), 2u) << "the copy stays while the file is another";
  ASSERT_TRUE(files.apply({{"/a.json", "changed", "first", FirstCopy::kEnd}}));
  EXPECT_EQ(files_in(dir.path()), 1u);
}

TEST(ClientFiles, FoldersAreMadeAndGoWhenTheyAreEmptyAndOurs) {
  const TempDir dir;
  const ClientFiles files(dir.path());
  ASSERT_TRUE(files.apply({{"/x/y/hosts.toml", std::nullopt, "text"}, {"/x/z/hosts.toml", std::nullopt, "text"}}));
  write_file(dir / "x/z/ca.crt", "theirs");
  EXPECT_EQ(files.names_in("/x"), (std::vector<std::string>{"y", "z"}));
  ASSERT_TRUE(files.apply({{"/x/y/hosts.toml", "text", std::nullopt, FirstCopy::kNone, true},
                           {"/x/z/hosts.toml", "text", std::nullopt, FirstCopy::kNone, true}}));
  EXPECT_EQ(files.names_in("/x"), std::vector<std::string>{"z"});
  EXPECT_EQ(files.names_in("/x/z"), std::vector<std::string>{"ca.crt"});
  EXPECT_TRUE(files.names_in("/nowhere").empty());
}

TEST(ClientFiles, WhenOneCannotBeWrittenNoneIs) {
  const TempDir dir;
  const ClientFiles files(dir.path());
  write_file(dir / "a", "first");
  write_file(dir / "file", "no folder");
  const auto applied = files.apply({{"/a", "first", "second", FirstCopy::kMake}, {"/file/b", std::nullopt, "text"}});
  EXPECT_EQ(kind_of(applied), ErrorKind::kIo);
  EXPECT_EQ(read_file(dir / "a"), "first");
  EXPECT_EQ(files_in(dir.path()), 2u) << "nothing is left beside the files";
}

TEST(ClientFiles, ALinkIsFollowedWithinTheRootAndNotOutOfIt) {
  const TempDir dir;
  const TempDir outside;
  const ClientFiles files(dir.path());
  write_file(dir / "real", "first");
  fs::create_symlink("real", dir / "link");
  ASSERT_TRUE(files.apply({{"/link", "first", "second"}}));
  EXPECT_EQ(read_file(dir / "real"), "second");
  EXPECT_TRUE(fs::is_symlink(dir / "link"));
  write_file(outside / "secret", "theirs");
  fs::create_symlink(outside / "secret", dir / "out");
  fs::create_directory_symlink(outside.path(), dir / "folder");
  EXPECT_EQ(kind_of(files.read("/out")), ErrorKind::kIo);
  EXPECT_EQ(kind_of(files.read("/folder/secret")), ErrorKind::kIo);
  EXPECT_EQ(kind_of(files.apply({{"/folder/new", std::nullopt, "text"}})), ErrorKind::kIo);
  EXPECT_EQ(files_in(outside.path()), 1u);
}

TEST(ClientFiles, AFileWithoutBoundIsNotRead) {
  const TempDir dir;
  const ClientFiles files(dir.path());
  write_file(dir / "a", std::string(ClientFiles::kMaxBytes + 1, 'x'));
  EXPECT_EQ(kind_of(files.read("/a")), ErrorKind::kTooLarge);
  write_file(dir / "a", std::string(ClientFiles::kMaxBytes, 'x'));
  EXPECT_EQ(files.read("/a").value()->size(), ClientFiles::kMaxBytes);
  EXPECT_EQ(files.read("/b").value(), std::nullopt);
}

}  // namespace
}  // namespace wherry::node
