#include "common/store/layout.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/unit/store/store_fixture.h"
#include "tests/unit/support/error_kind.h"

namespace wherry::store {
namespace {

using wherry::testing::kind_of;

namespace fs = std::filesystem;
using wherry::testing::read_file;
using wherry::testing::write_file;

class LayoutTest : public StoreFixture {};

TEST_F(LayoutTest, AllFoldersAreThereAfterTheFirstStart) {
  for (const char* algorithm : {"sha256", "sha512"}) {
    std::size_t shards = 0;
    for (const auto& entry : fs::directory_iterator(root() + "/blobs/" + algorithm))
      shards += entry.is_directory() ? 1 : 0;
    EXPECT_EQ(shards, 256u);
  }
  for (const char* name : {"/tmp", "/trash", "/quarantine"}) EXPECT_TRUE(fs::is_directory(root() + name));
  EXPECT_EQ(read_file(root() + "/format"), "wherry-blobs 1\n");
}

TEST_F(LayoutTest, AnotherFormatIsRefusedAndNothingIsTouched) {
  write_file(root() + "/format", "wherry-blobs 2\n");
  write_file(root() + "/tmp/x", "x");
  store.reset();
  const auto opened = BlobStore::open(root(), pool, {});
  ASSERT_FALSE(opened);
  EXPECT_EQ(kind_of(opened), ErrorKind::kUnsupported);
  EXPECT_NE(opened.error().message().find("wherry-blobs 2"), std::string::npos);
  EXPECT_TRUE(fs::exists(root() + "/tmp/x"));
}

TEST_F(LayoutTest, AStartEmptiesTmpAndTrashButForUploadsThatAreWanted) {
  for (const char* name : {"/tmp/fill-1", "/tmp/upload-keep", "/tmp/upload-old", "/tmp/.odd", "/trash/1-abc"})
    write_file(root() + name, "x");
  options.keep_upload = [](std::string_view id) { return id == "keep"; };
  open();
  EXPECT_TRUE(fs::exists(root() + "/tmp/upload-keep"));
  for (const char* name : {"/tmp/fill-1", "/tmp/upload-old", "/tmp/.odd", "/trash/1-abc"})
    EXPECT_FALSE(fs::exists(root() + name)) << name;
}

TEST_F(LayoutTest, OddThingsAnywhereDoNotStopAStart) {
  const std::string bytes = "content";
  const BlobRow row = put(bytes);
  for (const char* name : {"/odd", "/blobs/odd", "/blobs/sha256/odd", "/blobs/sha256/00/odd", "/quarantine/odd"})
    write_file(root() + name, "x");
  for (const char* name : {"/tmp/folder", "/trash/folder", "/lost+found"}) fs::create_directory(root() + name);
  fs::create_symlink("/nowhere", root() + "/tmp/link");
  open();
  EXPECT_TRUE(open_blob(bytes, row));
  EXPECT_TRUE(fs::exists(root() + "/blobs/sha256/00/odd"));
  EXPECT_FALSE(fs::is_symlink(root() + "/tmp/link"));
}

TEST_F(LayoutTest, AFolderInTrashGoesWithAllThatItHoldsAndNoLinkIsFollowed) {
  fs::create_directories(root() + "/trash/0-abc/deep/deeper");
  write_file(root() + "/trash/0-abc/deep/file", "x");
  write_file(root() + "/kept", "x");
  fs::create_directory(root() + "/kept-folder");
  write_file(root() + "/kept-folder/file", "x");
  fs::create_symlink(root() + "/kept", root() + "/trash/0-abc/link");
  fs::create_directory_symlink(root() + "/kept-folder", root() + "/trash/0-abc/deep/link");
  fs::create_directory_symlink(root() + "/kept-folder", root() + "/trash/link");
  open();
  EXPECT_TRUE(fs::is_empty(root() + "/trash"));
  EXPECT_TRUE(fs::exists(root() + "/kept"));
  EXPECT_TRUE(fs::exists(root() + "/kept-folder/file"));
}

TEST_F(LayoutTest, AFolderInTrashThatIsTooDeepStaysAndDoesNotStopAStart) {
  std::string path = root() + "/trash/deep";
  for (int depth = 0; depth < 100; ++depth) path += "/d";
  fs::create_directories(path);
  write_file(root() + "/trash/file", "x");
  open();
  EXPECT_TRUE(fs::exists(root() + "/trash/deep"));
  EXPECT_FALSE(fs::exists(root() + "/trash/file"));
}

TEST_F(LayoutTest, AFolderThatWasLostIsMadeAgain) {
  fs::remove(root() + "/blobs/sha256/ab");
  open();
  EXPECT_TRUE(fs::is_directory(root() + "/blobs/sha256/ab"));
}

TEST_F(LayoutTest, AFileInTheWayOfAFolderIsSaid) {
  fs::remove(root() + "/blobs/sha256/ab");
  write_file(root() + "/blobs/sha256/ab", "x");
  const auto opened = BlobStore::open(root(), pool, {});
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message().find("/blobs/sha256/ab"), std::string::npos);
}

TEST(BlobLayout, NamesCannotLeaveTheFolder) {
  for (const char* good : {"a", "upload-7f", "fill_1.part"}) EXPECT_TRUE(BlobLayout::is_name(good)) << good;
  for (const char* bad : {"", ".", "..", ".a", "a/b", "../a", "a b", "a\n"})
    EXPECT_FALSE(BlobLayout::is_name(bad)) << bad;
  EXPECT_FALSE(BlobLayout::is_name(std::string(129, 'a')));
}

}  // namespace
}  // namespace wherry::store
