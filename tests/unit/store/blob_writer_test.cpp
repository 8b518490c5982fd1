#include "common/store/blob_writer.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "tests/unit/store/faulty_disk.h"
#include "tests/unit/store/store_fixture.h"
#include "tests/unit/support/error_kind.h"

namespace wherry::store {
namespace {

using wherry::testing::kind_of;

namespace fs = std::filesystem;
using wherry::testing::FaultyDisk;
using wherry::testing::read_file;
using wherry::testing::run_task;
using wherry::testing::write_file;

class BlobWriterTest : public StoreFixture {
 protected:
  BlobWriter create(std::string name = "w", DigestAlgorithm algorithm = DigestAlgorithm::kSha256) {
    return run_task(store->create(std::move(name), algorithm)).value();
  }
  std::string temporary(std::string_view name) { return store->layout().temporary(name); }
};

TEST_F(BlobWriterTest, WhatIsCommittedIsThereUnderItsDigestReadOnlyAndExact) {
  for (const std::size_t size : {0u, 1u, 262144u, 262145u, 1048576u, 3000000u}) {
    const std::string bytes = some_bytes(size);
    const BlobRow row = put(bytes);
    EXPECT_EQ(row.size(), size);
    EXPECT_EQ(row.checksums().size(), block_count(size));
    const std::string file = path(sha256(bytes));
    EXPECT_EQ(read_file(file), bytes);
    struct stat about{};
    ASSERT_EQ(::stat(file.c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 07777, 0444u);
    EXPECT_TRUE(run_task(store->verify(sha256(bytes), row)));
    EXPECT_FALSE(fs::exists(temporary("put")));
  }
}

TEST_F(BlobWriterTest, ABlobMayBeNamedBySha512) {
  const std::string bytes = some_bytes(500000);
  const Digest digest = Digest::of(DigestAlgorithm::kSha512, bytes);
  const auto row = run_task(store_blob(*store, "w", bytes, digest));
  ASSERT_TRUE(row) << row.error().to_string();
  EXPECT_EQ(read_file(path(digest)), bytes);
  EXPECT_TRUE(run_task(store->verify(digest, *row)));
}

TEST_F(BlobWriterTest, CommittingABlobThatIsThereAlreadyIsFine) {
  const std::string bytes = some_bytes(1000);
  const BlobRow first = put(bytes);
  EXPECT_EQ(put(bytes), first);
  EXPECT_EQ(read_file(path(sha256(bytes))), bytes);
}

TEST_F(BlobWriterTest, AWrongDigestNamesBothAndKeepsTheFileForTheCallerToDiscard) {
  BlobWriter writer = create();
  ASSERT_TRUE(run_task(append_all(writer, "content")));
  const auto row = run_task(writer.commit(sha256("other")));
  ASSERT_FALSE(row);
  EXPECT_EQ(kind_of(row), ErrorKind::kDigestInvalid);
  EXPECT_NE(row.error().message().find(sha256("content").to_string()), std::string::npos);
  EXPECT_NE(row.error().message().find(sha256("other").to_string()), std::string::npos);
  EXPECT_TRUE(fs::exists(temporary("w")));
  EXPECT_FALSE(fs::exists(path(sha256("other"))));
  EXPECT_TRUE(run_task(writer.discard()));
  EXPECT_FALSE(fs::exists(temporary("w")));
}

TEST_F(BlobWriterTest, ADigestOfAnotherAlgorithmIsAWrongDigest) {
  BlobWriter writer = create();
  ASSERT_TRUE(run_task(append_all(writer, "content")));
  EXPECT_EQ(kind_of(run_task(writer.commit(Digest::of(DigestAlgorithm::kSha512, "content")))),
            ErrorKind::kDigestInvalid);
}

TEST_F(BlobWriterTest, AnUploadGoesOnAfterARestartAtEveryOffset) {
  const std::string bytes = some_bytes(2 * kBlockBytes + 777);
  options.keep_upload = [](std::string_view) { return true; };
  for (const std::size_t offset :
       {std::size_t{0}, std::size_t{1}, std::size_t{300000}, std::size_t{kBlockBytes - 1}, std::size_t{kBlockBytes},
        std::size_t{kBlockBytes + 1}, std::size_t{2 * kBlockBytes}, bytes.size()}) {
    std::string saved;
    {
      BlobWriter writer = create("upload-1");
      ASSERT_TRUE(run_task(append_all(writer, std::string_view(bytes).substr(0, offset))));
      ASSERT_TRUE(run_task(writer.sync()));
      saved = writer.state().encode();
      ASSERT_TRUE(run_task(append_all(writer, "bytes that nobody acknowledged")));
    }
    open();
    auto writer = run_task(store->resume("upload-1", UploadState::decode(saved).value()));
    ASSERT_TRUE(writer) << writer.error().to_string();
    EXPECT_EQ(writer->size(), offset);
    ASSERT_TRUE(run_task(append_all(*writer, std::string_view(bytes).substr(offset))));
    const auto row = run_task(writer->commit(sha256(bytes)));
    ASSERT_TRUE(row) << row.error().to_string();
    EXPECT_EQ(read_file(path(sha256(bytes))), bytes);
    EXPECT_TRUE(run_task(store->verify(sha256(bytes), *row))) << "the checksums must be those of the whole";
    EXPECT_EQ(*row, put(bytes));
  }
}

TEST_F(BlobWriterTest, AnUploadWhoseFileIsGoneOrTooShortDoesNotGoOn) {
  BlobWriter writer = create("upload-1");
  ASSERT_TRUE(run_task(append_all(writer, "content")));
  const UploadState state = writer.state();
  write_file(temporary("upload-1"), "cont");
  EXPECT_EQ(kind_of(run_task(store->resume("upload-1", state))), ErrorKind::kCorrupt);
  fs::remove(temporary("upload-1"));
  EXPECT_EQ(kind_of(run_task(store->resume("upload-1", state))), ErrorKind::kUploadUnknown);
  fs::create_symlink(dir / "elsewhere", temporary("upload-1"));
  write_file(dir / "elsewhere", "content");
  EXPECT_FALSE(run_task(store->resume("upload-1", state)));
}

TEST_F(BlobWriterTest, AStateThatIsNotWholeIsRefused) {
  BlobWriter writer = create();
  ASSERT_TRUE(run_task(append_all(writer, some_bytes(kBlockBytes + 5))));
  const std::string encoded = writer.state().encode();
  EXPECT_TRUE(UploadState::decode(encoded));
  for (std::size_t size = 0; size < encoded.size(); ++size)
    EXPECT_FALSE(UploadState::decode(std::string_view(encoded).substr(0, size)));
  EXPECT_FALSE(UploadState::decode(encoded + "12345678"));
}

TEST_F(BlobWriterTest, OnAFullDiskThePartialBytesAreCutOffAndTheUploadCanGoOn) {
  const std::string bytes = some_bytes(600000);
  BlobWriter writer = create("upload-1");
  ASSERT_TRUE(run_task(append_all(writer, std::string_view(bytes).substr(0, 1000))));
  {
    const FaultyDisk full(Buffer::kBytes + 5000);
    const auto appended = run_task(append_all(writer, std::string_view(bytes).substr(1000)));
    ASSERT_FALSE(appended);
    EXPECT_EQ(kind_of(appended), ErrorKind::kNoSpace);
  }
  EXPECT_EQ(writer.size(), 1000 + Buffer::kBytes);
  EXPECT_EQ(fs::file_size(temporary("upload-1")), writer.size());
  EXPECT_FALSE(run_task(writer.commit(sha256(bytes)))) << "a failed writer stays failed";

  auto again = run_task(store->resume("upload-1", writer.state())).value();
  ASSERT_TRUE(run_task(append_all(again, std::string_view(bytes).substr(again.size()))));
  EXPECT_TRUE(run_task(again.commit(sha256(bytes))));
  EXPECT_EQ(read_file(path(sha256(bytes))), bytes);
}

TEST_F(BlobWriterTest, AfterAFailedSyncNothingIsCommittedAnyMore) {
  int told = 0;
  options.on_fatal = [&told](const Error& error) {
    ++told;
    EXPECT_EQ(error.kind(), ErrorKind::kIo);
  };
  open();
  BlobWriter writer = create("a");
  BlobWriter other = create("b");
  ASSERT_TRUE(run_task(append_all(writer, "content")));
  ASSERT_TRUE(run_task(append_all(other, "more")));
  {
    const FaultyDisk broken(FaultyDisk::kNoLimit, EIO);
    EXPECT_EQ(kind_of(run_task(writer.commit(sha256("content")))), ErrorKind::kIo);
  }
  EXPECT_TRUE(store->failed());
  EXPECT_FALSE(fs::exists(path(sha256("content"))));
  EXPECT_EQ(kind_of(run_task(writer.commit(sha256("content")))), ErrorKind::kIo);
  EXPECT_EQ(kind_of(run_task(other.sync())), ErrorKind::kIo);
  EXPECT_EQ(kind_of(run_task(other.commit(sha256("more")))), ErrorKind::kIo);
  EXPECT_EQ(told, 1);
}

TEST_F(BlobWriterTest, ADiskThatIsFullAtTheSyncFailsOnlyThatFile) {
  BlobWriter writer = create();
  ASSERT_TRUE(run_task(append_all(writer, "content")));
  {
    const FaultyDisk full(FaultyDisk::kNoLimit, ENOSPC);
    EXPECT_EQ(kind_of(run_task(writer.commit(sha256("content")))), ErrorKind::kNoSpace);
  }
  EXPECT_FALSE(store->failed());
  EXPECT_FALSE(run_task(writer.commit(sha256("content")))) << "what was lost in that sync stays lost";
  put("content");
  EXPECT_EQ(read_file(path(sha256("content"))), "content");
}

TEST_F(BlobWriterTest, WhatIsSyncedAlreadyIsNotSyncedAgainAtTheCommit) {
  BlobWriter writer = create();
  ASSERT_TRUE(run_task(append_all(writer, "content")));
  ASSERT_TRUE(run_task(writer.sync()));
  const std::size_t before = wherry::testing::syncs_so_far();
  ASSERT_TRUE(run_task(writer.sync()));
  ASSERT_TRUE(run_task(writer.commit(sha256("content"))));
  EXPECT_EQ(wherry::testing::syncs_so_far() - before, 1u) << "the folder's";
}

/// As on an ext4 with a journal, whatever the tests lie on. That the journal keeps its order is for the power cuts to
/// show.
class BlobWriterByOneSyncTest : public BlobWriterTest {
 protected:
  void SetUp() override {
    options.ordered_journal = [](const std::string&) { return true; };
    open();
  }
};

TEST_F(BlobWriterByOneSyncTest, ANewBlobTakesOneSync) {
  for (const std::size_t size : {0u, 1u, 1000u, 3000000u}) {
    const std::string bytes = some_bytes(size);
    const std::size_t before = wherry::testing::syncs_so_far();
    const BlobRow row = put(bytes);
    EXPECT_EQ(wherry::testing::syncs_so_far() - before, 1u);
    EXPECT_EQ(read_file(path(sha256(bytes))), bytes);
    EXPECT_EQ(fs::status(path(sha256(bytes))).permissions(), fs::perms(0444));
    EXPECT_FALSE(fs::exists(temporary("put")));
    EXPECT_TRUE(run_task(store->verify(sha256(bytes), row)));
  }
}

TEST_F(BlobWriterByOneSyncTest, AFileThatHasTheNameAlreadyIsReplacedBySyncedOnesAlone) {
  const std::string bytes = some_bytes(1000);
  put(bytes);
  const std::size_t before = wherry::testing::syncs_so_far();
  put(bytes);
  EXPECT_EQ(wherry::testing::syncs_so_far() - before, 2u) << "the file's before it has the name, and the folder's";
  {
    const FaultyDisk full(FaultyDisk::kNoLimit, ENOSPC, 0);
    const auto row = run_task(store_blob(*store, "w", bytes, sha256(bytes)));
    EXPECT_EQ(kind_of(row), ErrorKind::kNoSpace);
  }
  EXPECT_TRUE(fs::exists(temporary("w"))) << "not renamed";
  EXPECT_EQ(read_file(path(sha256(bytes))), bytes);
}

TEST_F(BlobWriterByOneSyncTest, AFolderInThePlaceOfABlobGoes) {
  const std::string bytes = some_bytes(1000);
  fs::create_directories(path(sha256(bytes)) + "/below");
  put(bytes);
  EXPECT_EQ(read_file(path(sha256(bytes))), bytes);
}

TEST_F(BlobWriterByOneSyncTest, WhatCannotBeWrittenNeverHasTheName) {
  {
    const FaultyDisk full(FaultyDisk::kNoLimit, 0, ENOSPC);
    const auto row = run_task(store_blob(*store, "w", "content", sha256("content")));
    EXPECT_EQ(kind_of(row), ErrorKind::kNoSpace);
  }
  EXPECT_FALSE(fs::exists(path(sha256("content"))));
  EXPECT_FALSE(store->failed());
  put("content");
  {
    const FaultyDisk broken(FaultyDisk::kNoLimit, 0, EIO);
    const auto row = run_task(store_blob(*store, "w", "more", sha256("more")));
    EXPECT_EQ(kind_of(row), ErrorKind::kIo);
  }
  EXPECT_FALSE(fs::exists(path(sha256("more"))));
  EXPECT_TRUE(store->failed());
}

TEST_F(BlobWriterByOneSyncTest, AfterAFailedSyncOfABlobThatHasItsNameNothingIsCommittedAnyMore) {
  for (const int error : {EIO, ENOSPC}) {
    int told = 0;
    options.on_fatal = [&told](const Error&) { ++told; };
    open();
    const std::string bytes = some_bytes(1000, static_cast<std::uint64_t>(error));
    {
      const FaultyDisk broken(FaultyDisk::kNoLimit, error, 0);
      const auto row = run_task(store_blob(*store, "w", bytes, sha256(bytes)));
      EXPECT_EQ(kind_of(row), ErrorKind::kIo);
    }
    EXPECT_TRUE(store->failed());
    EXPECT_EQ(told, 1);
    EXPECT_FALSE(run_task(store_blob(*store, "again", bytes, sha256(bytes))));
  }
}

Task<Result<void>> append_and_leave(BlobStore& store, std::string_view bytes) {
  auto writer = co_await store.create("left");
  if (!writer) co_return std::move(writer.error());
  for (int i = 0; i < 2; ++i) {
    Buffer buffer = Buffer::take();
    buffer.append(as_bytes(bytes));
    auto appended = co_await writer->append(std::move(buffer));
    if (!appended) co_return appended;
  }
  co_return Result<void>();  // the writer goes while a buffer is in work
}

TEST_F(BlobWriterTest, AWriterMayBeDroppedWhileABufferIsInWork) {
  const std::string bytes = some_bytes(Buffer::kBytes);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(run_task(append_and_leave(*store, bytes)));
}

TEST_F(BlobWriterTest, ADoneWriterTakesNothingMore) {
  BlobWriter writer = create();
  ASSERT_TRUE(run_task(append_all(writer, "content")));
  ASSERT_TRUE(run_task(writer.commit(sha256("content"))));
  EXPECT_FALSE(run_task(append_all(writer, "more")));
  EXPECT_TRUE(run_task(writer.discard()));
  EXPECT_EQ(read_file(path(sha256("content"))), "content");
}

TEST_F(BlobWriterTest, ANameThatLeavesTheFolderIsRefused) {
  EXPECT_EQ(kind_of(run_task(store->create("../x"))), ErrorKind::kInvalid);
  EXPECT_EQ(kind_of(run_task(store->discard("a/b"))), ErrorKind::kInvalid);
}

TEST(StoreBuffer, TakesWhatItHasRoomFor) {
  Buffer buffer = Buffer::take();
  const std::string bytes(Buffer::kBytes - 10, 'x');
  EXPECT_EQ(buffer.append(as_bytes(bytes)), bytes.size());
  EXPECT_EQ(buffer.append(as_bytes(bytes)), 10u);
  EXPECT_TRUE(buffer.full());
  const Buffer moved = std::move(buffer);
  EXPECT_EQ(moved.size(), Buffer::kBytes);
  EXPECT_TRUE(buffer.empty());  // NOLINT(bugprone-use-after-move): that is the question
  EXPECT_TRUE(buffer.space().empty());
}

}  // namespace
}  // namespace wherry::store
