#include "common/store/open_blob.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/unit/store/store_fixture.h"
#include "tests/unit/support/error_kind.h"

namespace wherry::store {
namespace {

using wherry::testing::kind_of;

namespace fs = std::filesystem;
using wherry::testing::read_file;
using wherry::testing::run_task;
using wherry::testing::write_file;

class OpenBlobTest : public StoreFixture {
 protected:
  /// Reads as a sender does: only what was granted, until the end.
  Result<std::string> read_through(OpenBlob& blob) {
    std::string all;
    while (all.size() < blob.size()) {
      auto granted = run_task(blob.ready(all.size(), UINT64_MAX));
      if (!granted) return std::move(granted.error());
      EXPECT_GT(*granted, 0u);
      EXPECT_LE(*granted, OpenBlob::kTurnBytes);
      std::string part(*granted, '\0');
      EXPECT_EQ(::pread(blob.fd(), part.data(), part.size(), static_cast<off_t>(all.size())),
                static_cast<ssize_t>(part.size()));
      all += part;
    }
    return all;
  }
  void flip(const Digest& digest, std::uint64_t offset) {
    ASSERT_EQ(::chmod(path(digest).c_str(), 0644), 0);
    const int fd = ::open(path(digest).c_str(), O_RDWR);
    char byte = 0;
    ASSERT_EQ(::pread(fd, &byte, 1, static_cast<off_t>(offset)), 1);
    byte = static_cast<char>(byte ^ 4);
    ASSERT_EQ(::pwrite(fd, &byte, 1, static_cast<off_t>(offset)), 1);
    ::fsync(fd);
    ::close(fd);
  }
  static void drop_from_memory(OpenBlob& blob) {
    ::fdatasync(blob.fd());
    ASSERT_EQ(::posix_fadvise(blob.fd(), 0, 0, POSIX_FADV_DONTNEED), 0);
  }
};

TEST_F(OpenBlobTest, EveryByteIsGrantedAndIsTheOneThatWasStored) {
  for (const std::size_t size : {0u, 1u, 4096u, 1048575u, 1048576u, 1048577u, 5000000u}) {
    const std::string bytes = some_bytes(size);
    auto blob = open_blob(bytes, put(bytes)).value();
    EXPECT_EQ(read_through(*blob).value(), bytes);
  }
}

TEST_F(OpenBlobTest, ABlockIsGrantedAtOnceAfterItWasCheckedAndNotBefore) {
  const std::string bytes = some_bytes(kBlockBytes + 100);
  auto blob = open_blob(bytes, put(bytes)).value();
  EXPECT_FALSE(blob->try_ready(0, 100).has_value());
  EXPECT_EQ(run_task(blob->ready(0, 100)).value(), 100u);
  EXPECT_EQ(blob->try_ready(0, 200)->value(), 200u) << "its block is checked as a whole";
  EXPECT_EQ(blob->try_ready(kBlockBytes - 10, 50)->value(), 10u) << "the next block is not checked";
  EXPECT_FALSE(blob->try_ready(kBlockBytes, 50).has_value());
  EXPECT_EQ(run_task(blob->ready(kBlockBytes, 1000)).value(), 100u);
  EXPECT_EQ(blob->try_ready(kBlockBytes - 10, 50)->value(), 50u);
}

TEST_F(OpenBlobTest, AtTheEndNothingMoreIsGranted) {
  const std::string bytes = some_bytes(10);
  auto blob = open_blob(bytes, put(bytes)).value();
  EXPECT_EQ(run_task(blob->ready(10, 1)).value(), 0u);
  EXPECT_EQ(run_task(blob->ready(UINT64_MAX, UINT64_MAX)).value(), 0u);
  EXPECT_EQ(run_task(blob->ready(3, 0)).value(), 0u);
  EXPECT_EQ(run_task(blob->ready(3, UINT64_MAX)).value(), 7u);
}

TEST_F(OpenBlobTest, WhatLeftTheMemoryIsCheckedAgain) {
  const std::string bytes = some_bytes(3 * kBlockBytes);
  auto blob = open_blob(bytes, put(bytes)).value();
  ASSERT_EQ(read_through(*blob).value(), bytes);
  ASSERT_TRUE(blob->try_ready(0, kBlockBytes).has_value());
  drop_from_memory(*blob);
  EXPECT_FALSE(blob->try_ready(0, kBlockBytes).has_value());
  flip(sha256(bytes), 5);
  const auto granted = run_task(blob->ready(0, kBlockBytes));
  ASSERT_FALSE(granted) << "the disk has other bytes now";
  EXPECT_EQ(kind_of(granted), ErrorKind::kCorrupt);
}

TEST_F(OpenBlobTest, AFlippedBitIsFoundBeforeItIsSentWhereverItIs) {
  const std::string bytes = some_bytes(2 * kBlockBytes + 500);
  for (const std::uint64_t offset :
       {std::uint64_t{0}, kBlockBytes - 1, kBlockBytes, 2 * kBlockBytes, 2 * kBlockBytes + 499}) {
    const BlobRow row = put(bytes);
    store->retire(sha256(bytes));
    flip(sha256(bytes), offset);
    auto blob = open_blob(bytes, row).value();
    const auto read = read_through(*blob);
    ASSERT_FALSE(read) << offset;
    EXPECT_EQ(kind_of(read), ErrorKind::kCorrupt);
    EXPECT_TRUE(blob->damaged());
    EXPECT_FALSE(blob->try_ready(0, 1)->has_value()) << "a damaged blob gives nothing more";
    EXPECT_EQ(kind_of(run_task(store->verify(sha256(bytes), row))), ErrorKind::kCorrupt);

    const FileId other{1, 1};
    EXPECT_EQ(store->set_aside(sha256(bytes), row, other, Fate::kQuarantine).value(), SetAside::kReplaced);
    EXPECT_EQ(store->set_aside(sha256(bytes), row, blob->file_id(), Fate::kQuarantine).value(), SetAside::kMoved);
    EXPECT_TRUE(fs::exists(store->layout().quarantine(sha256(bytes))));
    EXPECT_EQ(kind_of(open_blob(bytes, row)), ErrorKind::kBlobUnknown);
    put(bytes);
    auto healed = open_blob(bytes, row).value();
    EXPECT_EQ(read_through(*healed).value(), bytes);
  }
}

TEST_F(OpenBlobTest, WhatCannotBeOpenedIsSetAsideUnlessItLooksRightByNow) {
  const std::string bytes = "content";
  const BlobRow row = put(bytes);
  const Digest digest = sha256(bytes);
  EXPECT_EQ(store->set_aside(digest, row, std::nullopt, Fate::kDrop).value(), SetAside::kReplaced);
  EXPECT_EQ(read_file(path(digest)), bytes) << "a good file keeps its name";
  fs::remove(path(digest));
  write_file(path(digest), "cont");
  EXPECT_EQ(store->set_aside(digest, row, std::nullopt, Fate::kDrop).value(), SetAside::kMoved);
  EXPECT_FALSE(fs::exists(path(digest)));
  EXPECT_TRUE(fs::is_empty(root() + "/trash"));
  EXPECT_FALSE(fs::exists(store->layout().quarantine(digest)));
  EXPECT_EQ(store->set_aside(digest, row, std::nullopt, Fate::kDrop).value(), SetAside::kMissing);
}

TEST_F(OpenBlobTest, AFileThatIsCutWhileItIsOpenIsDamaged) {
  const std::string bytes = some_bytes(2 * kBlockBytes);
  auto blob = open_blob(bytes, put(bytes)).value();
  ASSERT_EQ(::chmod(path(sha256(bytes)).c_str(), 0644), 0);
  ASSERT_EQ(::truncate(path(sha256(bytes)).c_str(), kBlockBytes + 5), 0);
  EXPECT_EQ(run_task(blob->ready(0, 10)).value(), 10u);
  EXPECT_EQ(kind_of(run_task(blob->ready(kBlockBytes, 10))), ErrorKind::kCorrupt);
}

TEST_F(OpenBlobTest, OnlyARegularFileOfTheRightSizeIsOpened) {
  const std::string bytes = "content";
  const BlobRow row = put(bytes);
  const std::string file = path(sha256(bytes));
  const BlobRow other = put("longer content");
  EXPECT_EQ(kind_of(open_blob(bytes, other)), ErrorKind::kCorrupt);
  EXPECT_EQ(kind_of(open_blob("nothing", row)), ErrorKind::kBlobUnknown);
  fs::remove(file);
  fs::create_symlink(path(sha256("longer content")), file);
  EXPECT_EQ(kind_of(open_blob(bytes, row)), ErrorKind::kCorrupt);
  fs::remove(file);
  ASSERT_EQ(::mkfifo(file.c_str(), 0644), 0);
  EXPECT_EQ(kind_of(open_blob(bytes, row)), ErrorKind::kCorrupt);
}

TEST_F(OpenBlobTest, VerifyingFindsWhatOnlyTheDigestTells) {
  const std::string bytes = some_bytes(20 * kBlockBytes);  // several steps
  const BlobRow row = put(bytes);
  EXPECT_TRUE(run_task(store->verify(sha256(bytes), row)));
  const std::string forged = some_bytes(1000, 2);
  const BlobRow forged_row = put(forged);
  fs::rename(path(sha256(forged)), path(sha256("claimed")));
  EXPECT_EQ(kind_of(run_task(store->verify(sha256("claimed"), forged_row))), ErrorKind::kCorrupt);
  EXPECT_EQ(kind_of(run_task(store->verify(sha256("absent"), row))), ErrorKind::kBlobUnknown);
}

}  // namespace
}  // namespace wherry::store
