#include "common/swarm/store_disk.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <fstream>
#include <libtorrent/file_storage.hpp>
#include <libtorrent/io_context.hpp>
#include <libtorrent/peer_request.hpp>

#include "common/swarm/merkle.h"
#include "tests/unit/support/run_task.h"
#include "tests/unit/support/temp_dir.h"
#include "tests/unit/swarm/some_bytes.h"

namespace wherry::swarm {
namespace {

using testing::read_file;
using testing::run_task;
using testing::some_bytes;
using testing::TempDir;

constexpr std::chrono::seconds kAnswered{10};
constexpr std::chrono::milliseconds kMoment{100};
constexpr std::uint32_t kPieceBytes = 64 * 1024;

Task<std::shared_ptr<Bell>> a_bell() { co_return Bell::make(); }

/// A blob of which nothing is there yet, as libtorrent would get it; its network thread is the test's own.
class Gathered {
 public:
  /// `path`: a file that is no blob's, for one that cannot be written.
  explicit Gathered(std::uint64_t size, const std::string& path = "")
      : path_(path.empty() ? folder_ / "blob" : path),
        content_(some_bytes(size)),
        torrent_(*Torrent::make(Digest::of(DigestAlgorithm::kSha256, content_), size,
                                std::vector<Sha256>(pieces_for(size)))),
        state_(std::make_shared<TransferState>(PieceSet(torrent_.pieces()), run_task(a_bell()))) {
    file_ = std::make_shared<BlobFile>(UniqueFd(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)), torrent_,
                                       state_);
    const std::string number = files_->put(file_);
    const lt::file_storage none;
    const lt::aux::vector<lt::download_priority_t, lt::file_index_t> priorities;
    holder_ = disk_.new_torrent(
        lt::storage_params(none, nullptr, number, lt::storage_mode_sparse, priorities, lt::sha1_hash()), nullptr);
  }

  const std::string& content() const { return content_; }
  const Torrent& torrent() const { return torrent_; }
  BlobFile& file() { return *file_; }
  TransferState& state() { return *state_; }
  std::string on_disk() const { return read_file(path_); }

  /// One block as it is, or (`wrong`) not. True when libtorrent is to wait.
  bool write(std::uint32_t piece, std::uint32_t block, bool wrong = false) {
    const std::uint64_t offset = torrent_.offset_of(piece) + block * kLeafBytes;
    std::string bytes = content_.substr(offset, kLeafBytes);
    bytes.resize(kLeafBytes, '\0');  // libtorrent's last block has zeros behind the blob
    if (wrong) bytes.assign(bytes.size(), 'x');
    ++asked_;
    return disk_.async_write(holder_, request(piece, block), bytes.data(), nullptr,
                             [this](const lt::storage_error& error) { told(error); }, {});
  }
  /// True when libtorrent is to wait after one of them.
  bool write_all_of(std::uint32_t piece, bool wrong = false) {
    bool waits = false;
    for (std::uint32_t block = 0; block < blocks_of(piece); ++block) waits = write(piece, block, wrong) || waits;
    return waits;
  }
  /// What comes of it is seen once it is settled.
  std::shared_ptr<std::vector<lt::sha256_hash>> begin_to_hash(std::uint32_t piece) {
    auto leaves = std::make_shared<std::vector<lt::sha256_hash>>(blocks_of(piece));
    ++asked_;
    disk_.async_hash(holder_, index(piece), *leaves, {},
                     [this, leaves](lt::piece_index_t, const lt::sha1_hash&, const lt::storage_error& error) {
                       hash_error_ = error;
                       told(error);
                     });
    return leaves;
  }
  /// The hashes of its blocks.
  std::vector<lt::sha256_hash> hash(std::uint32_t piece) {
    const auto leaves = begin_to_hash(piece);
    settle();
    return *leaves;
  }
  /// Of the last one that was hashed.
  lt::error_code hash_error() const { return hash_error_.ec; }
  int errors() const { return errors_; }
  int unanswered() const { return asked_ - told_; }
  void clear(std::uint32_t piece) {
    ++asked_;
    disk_.async_clear_piece(holder_, index(piece), [this](lt::piece_index_t) { told({}); });
    settle();
  }
  /// Until all that was asked is answered.
  void settle() {
    network_.restart();
    const auto work = boost::asio::make_work_guard(network_);
    while (told_ < asked_ && network_.run_one_for(kAnswered) > 0) continue;
    ASSERT_EQ(told_, asked_);
  }
  /// What is answered within a moment.
  void look() {
    network_.restart();
    const auto work = boost::asio::make_work_guard(network_);
    network_.run_for(kMoment);
  }
  std::vector<lt::sha256_hash> right_hashes(std::uint32_t piece) const {
    std::vector<lt::sha256_hash> leaves;
    const std::string bytes = content_.substr(torrent_.offset_of(piece), torrent_.bytes_of(piece));
    for (std::size_t at = 0; at < bytes.size(); at += kLeafBytes)
      leaves.emplace_back(reinterpret_cast<const char*>(sha256(bytes.substr(at, kLeafBytes)).data()));
    return leaves;
  }
  /// Whether the file has that piece as it is.
  bool has(std::uint32_t piece) const {
    const std::string there = on_disk();
    return there.size() >= torrent_.offset_of(piece) + torrent_.bytes_of(piece) &&
           there.substr(torrent_.offset_of(piece), torrent_.bytes_of(piece)) ==
               content_.substr(torrent_.offset_of(piece), torrent_.bytes_of(piece));
  }

 private:
  void told(const lt::storage_error& error) {
    ++told_;
    if (error) ++errors_;
  }
  std::uint32_t blocks_of(std::uint32_t piece) const {
    return (torrent_.bytes_of(piece) + kLeafBytes - 1) / kLeafBytes;
  }
  static lt::piece_index_t index(std::uint32_t piece) { return lt::piece_index_t(static_cast<int>(piece)); }
  static lt::peer_request request(std::uint32_t piece, std::uint32_t block) {
    return {index(piece), static_cast<int>(block * kLeafBytes), static_cast<int>(kLeafBytes)};
  }

  const TempDir folder_;
  const std::string path_;
  const std::string content_;
  const Torrent torrent_;
  const std::shared_ptr<TransferState> state_;
  const std::shared_ptr<BlobFiles> files_ = std::make_shared<BlobFiles>();
  std::shared_ptr<BlobFile> file_;
  lt::io_context network_;
  StoreDisk disk_{network_, files_};
  lt::storage_holder holder_;
  lt::storage_error hash_error_;
  int asked_ = 0;
  int told_ = 0;
  int errors_ = 0;
};

TEST(StoreDisk, APieceIsWrittenOnceItIsWholeAndHashedThen) {
  Gathered blob(500'000);
  blob.write(2, 3);
  blob.write(2, 0);
  blob.settle();
  EXPECT_EQ(blob.on_disk().size(), 0U);  // libtorrent was told, and goes on
  blob.write(2, 1);
  blob.write(2, 2);
  EXPECT_EQ(blob.hash(2), blob.right_hashes(2));
  EXPECT_TRUE(blob.has(2));
  EXPECT_EQ(blob.errors(), 0);
}

TEST(StoreDisk, TheLastPieceEndsWhereTheBlobDoes) {
  Gathered blob(500'000);
  const std::uint32_t last = blob.torrent().pieces() - 1;
  blob.write_all_of(last);
  EXPECT_EQ(blob.hash(last), blob.right_hashes(last));
  EXPECT_TRUE(blob.has(last));
  EXPECT_EQ(blob.on_disk().size(), blob.content().size());
}

TEST(StoreDisk, APieceThatIsAskedAboutBeforeItIsWholeIsWrittenAsFarAsItCame) {
  Gathered blob(500'000);
  blob.write(1, 0);
  blob.write(1, 3);
  const auto leaves = blob.hash(1);
  EXPECT_EQ(leaves[0], blob.right_hashes(1)[0]);
  EXPECT_NE(leaves[1], blob.right_hashes(1)[1]);
  EXPECT_EQ(leaves[3], blob.right_hashes(1)[3]);
  blob.write(1, 1);
  blob.write(1, 2);
  EXPECT_EQ(blob.hash(1), blob.right_hashes(1));
  EXPECT_TRUE(blob.has(1));
}

TEST(StoreDisk, WhatFindsNoRoomInMemoryIsWrittenAsItComes) {
  const std::uint32_t held = PieceBuffers::kMostBytes / kPieceBytes;
  Gathered blob(std::uint64_t{held + 10} * kPieceBytes);
  for (std::uint32_t piece = 0; piece < held; ++piece) blob.write(piece, 0);
  blob.write(held, 0);
  blob.settle();
  EXPECT_EQ(blob.on_disk().size(), blob.torrent().offset_of(held) + kLeafBytes);
  EXPECT_EQ(blob.hash(0)[0], blob.right_hashes(0)[0]);  // makes room: the rest of the other one waits for its piece
  for (const std::uint32_t block : {1U, 2U, 3U}) blob.write(held, block);
  EXPECT_EQ(blob.hash(held), blob.right_hashes(held));
  EXPECT_TRUE(blob.has(held));
  blob.write_all_of(1);
  EXPECT_EQ(blob.hash(1), blob.right_hashes(1));
  EXPECT_TRUE(blob.has(1));
}

TEST(StoreDisk, AWrongPieceIsWrittenOverByTheRightOne) {
  Gathered blob(500'000);
  blob.write_all_of(0, true);
  EXPECT_NE(blob.hash(0), blob.right_hashes(0));
  blob.clear(0);
  blob.write_all_of(0);
  EXPECT_EQ(blob.hash(0), blob.right_hashes(0));
  EXPECT_TRUE(blob.has(0));
}

TEST(StoreDisk, WhatWasClearedIsNotWrittenLater) {
  Gathered blob(500'000);
  blob.write(0, 0, true);
  blob.clear(0);
  blob.write(0, 1);
  blob.write(0, 2);
  blob.write(0, 3);
  EXPECT_NE(blob.hash(0)[0], blob.right_hashes(0)[0]);
  EXPECT_EQ(blob.on_disk().substr(0, kLeafBytes), std::string(kLeafBytes, '\0'));
}

TEST(StoreDisk, APieceThatIsWholeAfterTheFileWasClosedIsNeitherWrittenNorJudged) {
  Gathered blob(500'000);
  blob.write_all_of(3);  // there from the start, so that the piece before it is zeros
  EXPECT_EQ(blob.hash(3), blob.right_hashes(3));
  blob.write_all_of(2);
  blob.file().stop_writing();
  const std::string before = blob.on_disk();
  blob.hash(2);
  EXPECT_EQ(blob.hash_error(), boost::asio::error::operation_aborted);  // nobody is banned for it
  EXPECT_TRUE(blob.on_disk() == before);
}

TEST(StoreDisk, APieceThatBecameRightWhileItsBlocksWaitedIsNotWrittenTo) {
  Gathered blob(500'000);
  blob.write_all_of(1);
  EXPECT_EQ(blob.hash(1), blob.right_hashes(1));
  blob.write_all_of(1, true);
  blob.state().passed[1] = true;
  EXPECT_EQ(blob.hash(1), blob.right_hashes(1));
  EXPECT_TRUE(blob.has(1));
}

TEST(StoreDisk, APieceOfWhichABlockIsBeingWrittenIsHashedAfterThat) {
  Gathered blob(500'000);
  blob.write_all_of(1);
  EXPECT_TRUE(blob.file().begin_write(1));  // by somebody else
  blob.begin_to_hash(1);
  blob.look();
  EXPECT_EQ(blob.unanswered(), 1);
  blob.file().end_write(1);
  blob.settle();
  EXPECT_TRUE(blob.has(1));
  EXPECT_EQ(blob.errors(), 0);
}

TEST(StoreDisk, AFullDiskFailsTheTransferAndBlamesNobody) {
  Gathered whole(500'000, "/dev/full");
  whole.write_all_of(1);
  whole.hash(1);
  EXPECT_EQ(whole.hash_error().value(), ENOSPC);
  ASSERT_TRUE(whole.state().failure().has_value());
  EXPECT_EQ(whole.state().failure()->kind(), ErrorKind::kNoSpace);
  Gathered part(500'000, "/dev/full");
  part.write(1, 0);
  part.hash(1);
  EXPECT_EQ(part.hash_error(), boost::asio::error::operation_aborted);
  EXPECT_TRUE(part.state().failure().has_value());
}

TEST(StoreDisk, WhatComesWhileTooMuchWaitsForTheDiskIsAnsweredOnceItIsWritten) {
  const std::uint32_t pieces = 2 * StoreDisk::kMostQueuedBytes / kPieceBytes;
  Gathered blob(std::uint64_t{pieces} * kPieceBytes, "/dev/full");
  std::uint32_t written = 0;
  {
    const std::lock_guard nothing_is_written(blob.state().mutex);  // by which each failed write has to go
    while (written < pieces && !blob.write_all_of(written)) blob.begin_to_hash(written++);
    EXPECT_EQ(written, StoreDisk::kMostQueuedBytes / kPieceBytes + 1);
    blob.look();
    EXPECT_EQ(blob.unanswered(), static_cast<int>(written + 4));  // each hash, and that piece's blocks
    EXPECT_TRUE(blob.write(written + 1, 0));
    blob.look();
    EXPECT_EQ(blob.unanswered(), static_cast<int>(written + 5));
  }
  blob.settle();
  EXPECT_EQ(blob.errors(), static_cast<int>(written + 5));
  EXPECT_FALSE(blob.write(written + 2, 0));
}

TEST(StoreDisk, APieceThatIsRightIsNotWrittenTo) {
  Gathered blob(500'000);
  blob.write_all_of(1);
  EXPECT_EQ(blob.hash(1), blob.right_hashes(1));
  blob.state().passed[1] = true;
  blob.write_all_of(1, true);
  EXPECT_EQ(blob.hash(1), blob.right_hashes(1));
  EXPECT_TRUE(blob.has(1));
}

}  // namespace
}  // namespace wherry::swarm
