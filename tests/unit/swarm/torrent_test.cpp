#include "common/swarm/torrent.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <bit>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/base/unique_fd.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/temp_dir.h"
#include "tests/unit/swarm/real_torrent.h"
#include "tests/unit/swarm/some_bytes.h"

namespace wherry::swarm {
namespace {

constexpr std::uint64_t kKibibyte = 1024;
constexpr std::uint64_t kMiB = 1024 * kKibibyte;
constexpr std::uint64_t kGiB = 1024 * kMiB;

/// Of a file at `path` that is told to have `size` bytes, of which `at_once` are read at a time.
Result<Torrent> torrent_of(const std::string& path, const Digest& blob, std::uint64_t size, std::uint64_t at_once) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::vector<Sha256> roots;
  Hasher whole;
  for (std::size_t before = 0;; before = roots.size()) {
    const auto all = Torrent::hash_some(fd.get(), size, at_once, roots, whole);
    if (!all) return all.error();
    if (*all) break;
    WHERRY_CHECK(roots.size() > before);
  }
  return Torrent::make(blob, size, std::move(roots));
}

/// One that could be, without a blob.
Torrent torrent_of_size(std::uint64_t size) {
  const std::uint64_t piece = piece_bytes_for(size);
  std::vector<Sha256> roots((size + piece - 1) / piece);
  for (std::size_t i = 0; i < roots.size(); ++i) roots[i] = sha256(std::to_string(i));
  return Torrent::make(Digest::of(DigestAlgorithm::kSha256, "blob"), size, std::move(roots)).value();
}

TEST(Torrent, OfAFileIsThatOfLibtorrent) {
  const testing::TempDir dir;
  for (const std::uint64_t size : {kLeastBytes, kLeastBytes + 1, 7 * 64 * kKibibyte - 1,
                                   7 * 64 * kKibibyte + 16 * kKibibyte, 3 * kMiB + 12345, 128 * kMiB + 1}) {
    const std::string bytes = testing::some_bytes(size);
    testing::write_file(dir / "blob", bytes);
    const auto real = testing::real_torrent(dir / "blob", piece_bytes_for(size));
    for (const std::uint64_t at_once : {64 * kKibibyte, 3 * 64 * kKibibyte + 1, 64 * kMiB, 1024 * kMiB}) {
      if (size / at_once > 1000) continue;
      const Digest blob = Digest::of(DigestAlgorithm::kSha256, "blob");
      const Torrent torrent = torrent_of(dir / "blob", blob, size, at_once).value();
      EXPECT_EQ(torrent.roots(), real.pieces) << size << " by " << at_once;
      EXPECT_EQ(torrent.root(), real.root) << size << " by " << at_once;
    }
  }
}

TEST(Torrent, OfAFileThatIsShorterThanItsBlobIsNone) {
  const testing::TempDir dir;
  testing::write_file(dir / "blob", testing::some_bytes(kLeastBytes));
  const Digest blob = Digest::of(DigestAlgorithm::kSha256, "blob");
  EXPECT_EQ(testing::kind_of(torrent_of(dir / "blob", blob, kLeastBytes + 1, kMiB)), ErrorKind::kCorrupt);
}

TEST(Torrent, PiecesAreSmallForSmallBlobsAndFewForLargeOnes) {
  struct Case {
    std::uint64_t size;
    std::uint64_t piece;
  };
  for (const auto& [size, piece] : {Case{kLeastBytes, 64 * kKibibyte},
                                    {128 * kMiB, 64 * kKibibyte},
                                    {128 * kMiB + 1, 128 * kKibibyte},
                                    {256 * kMiB, 128 * kKibibyte},
                                    {kGiB, 512 * kKibibyte},
                                    {8 * kGiB, 4 * kMiB},
                                    {8 * kGiB + 1, 4 * kMiB},
                                    {kMostBytes, 4 * kMiB}})
    EXPECT_EQ(piece_bytes_for(size), piece) << size;
  for (std::uint64_t size = kLeastBytes; size <= kMostBytes; size += size / 7 + 1) {
    const std::uint64_t piece = piece_bytes_for(size);
    EXPECT_TRUE(std::has_single_bit(piece)) << size;
    EXPECT_GE((size + piece - 1) / piece, 2U) << size;
    EXPECT_LE((size + piece - 1) / piece, std::uint64_t{1} << 16) << size;
  }
}

TEST(Torrent, PiecesLieOneAfterTheOtherAndTheLastOneEndsWithTheBlob) {
  for (const std::uint64_t size : {kLeastBytes, kLeastBytes + 1, 5 * 64 * kKibibyte - 1, kGiB + 17}) {
    const Torrent torrent = torrent_of_size(size);
    std::uint64_t end = 0;
    for (std::uint32_t piece = 0; piece < torrent.pieces(); ++piece) {
      EXPECT_EQ(torrent.offset_of(piece), end);
      EXPECT_GT(torrent.bytes_of(piece), 0U);
      EXPECT_EQ(torrent.pieces_before(end), piece);
      end += torrent.bytes_of(piece);
      EXPECT_EQ(torrent.pieces_before(end - 1), piece) << "it is not there whole";
      EXPECT_EQ(torrent.pieces_before(end), piece + 1);
    }
    EXPECT_EQ(end, size);
    EXPECT_EQ(torrent.pieces_before(size + 1), torrent.pieces());
  }
}

TEST(Torrent, ATextGivesBackWhatItWasMadeOf) {
  const Torrent torrent = torrent_of_size(5 * 64 * kKibibyte + 1);
  const Torrent read = Torrent::decode(torrent.blob(), torrent.encode()).value();
  EXPECT_EQ(read.blob(), torrent.blob());
  EXPECT_EQ(read.size(), torrent.size());
  EXPECT_EQ(read.piece_bytes(), torrent.piece_bytes());
  EXPECT_EQ(read.roots(), torrent.roots());
  EXPECT_EQ(read.root(), torrent.root());
}

TEST(Torrent, TextsThatAreNoneAreRefused) {
  const Torrent torrent = torrent_of_size(5 * 64 * kKibibyte + 1);
  const std::string right = torrent.encode();
  const std::string roots = right.substr(9);
  const auto with_size = [&](std::uint64_t size, std::string_view more) {
    std::string text(1, right.front());
    append_be64(text, size);
    return text.append(more);
  };
  const auto refused = [&](const std::string& text, std::string_view why) {
    EXPECT_EQ(testing::kind_of(Torrent::decode(torrent.blob(), text)), ErrorKind::kCorrupt) << why;
  };
  for (std::size_t length = 0; length < right.size(); ++length)
    refused(right.substr(0, length), "cut off after " + std::to_string(length));
  refused(right + "x", "a byte more");
  refused(right + std::string(32, 'x'), "a piece more");
  refused("\3" + right.substr(1), "of another version");
  refused("\2" + right.substr(1), "of a voucher that is not there");
  refused(with_size(0, ""), "of nothing");
  refused(with_size(kLeastBytes - 1, std::string_view(roots).substr(0, 64)), "too small");
  refused(with_size(5 * 64 * kKibibyte, roots), "fewer bytes than pieces");
  refused(with_size(6 * 64 * kKibibyte + 1, roots), "more bytes than pieces");
  refused(with_size(~std::uint64_t{0}, roots), "the largest size");
  refused(with_size(~std::uint64_t{0}, ""), "the largest size without a piece");
  refused(with_size(kMostBytes + 1, std::string(32 * ((kMostBytes >> 22) + 1), 'x')), "too large");
}

TEST(Torrent, KeepsTheWordOfWhoVouchesForIt) {
  const Torrent torrent = torrent_of_size(3 * 64 * kKibibyte);
  EXPECT_EQ(torrent.voucher(), "");
  for (const std::size_t length : {std::size_t{1}, std::size_t{72}, Torrent::kMostVoucherBytes}) {
    const Torrent vouched = torrent.vouched_by(std::string(length, 'v'));
    EXPECT_TRUE(vouched.is_same(torrent));
    EXPECT_EQ(vouched.encode(), torrent.encode());
    const std::string text = vouched.encode_vouched();
    const Torrent read = Torrent::decode(torrent.blob(), text).value();
    EXPECT_EQ(read.voucher(), std::string(length, 'v'));
    EXPECT_EQ(read.roots(), torrent.roots());
    for (std::size_t cut = 0; cut < text.size(); ++cut)
      EXPECT_FALSE(Torrent::decode(torrent.blob(), text.substr(0, cut))) << cut;
  }
  std::string nothing = torrent.encode();
  nothing.replace(0, 1, std::string("\2\0", 2));
  EXPECT_FALSE(Torrent::decode(torrent.blob(), nothing));
}

TEST(Torrent, SizeAndPiecesThatDoNotGoTogetherAreNone) {
  const Digest blob = Digest::of(DigestAlgorithm::kSha256, "blob");
  const auto make = [&](std::uint64_t size, std::size_t pieces) {
    return testing::kind_of(Torrent::make(blob, size, std::vector<Sha256>(pieces)));
  };
  EXPECT_EQ(make(kLeastBytes, 2), std::nullopt);
  EXPECT_EQ(make(kLeastBytes, 1), ErrorKind::kInvalid);
  EXPECT_EQ(make(kLeastBytes, 3), ErrorKind::kInvalid);
  EXPECT_EQ(make(kLeastBytes - 1, 2), ErrorKind::kInvalid);
  EXPECT_EQ(make(0, 0), ErrorKind::kInvalid);
  EXPECT_EQ(make(kMostBytes, std::size_t{1} << 16), std::nullopt);
  EXPECT_EQ(make(kMostBytes + 1, (std::size_t{1} << 16) + 1), ErrorKind::kInvalid);
}

}  // namespace
}  // namespace wherry::swarm
