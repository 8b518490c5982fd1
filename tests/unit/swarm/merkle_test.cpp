#include "common/swarm/merkle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "common/base/bytes.h"
#include "tests/unit/support/temp_dir.h"
#include "tests/unit/swarm/real_torrent.h"
#include "tests/unit/swarm/some_bytes.h"

namespace wherry::swarm {
namespace {

constexpr std::uint64_t kKiB = 1024;

TEST(Merkle, RootsAreThoseOfLibtorrentWhateverTheSizes) {
  const testing::TempDir dir;
  struct Case {
    std::uint64_t size;
    std::uint64_t piece;
  };
  for (const auto& [size, piece] : {Case{16 * kKiB + 1, 16 * kKiB},
                                    {64 * kKiB + 1, 64 * kKiB},
                                    {128 * kKiB - 1, 64 * kKiB},
                                    {128 * kKiB, 64 * kKiB},
                                    {128 * kKiB + 1, 64 * kKiB},
                                    {3 * 64 * kKiB, 64 * kKiB},
                                    {3 * 64 * kKiB + 16 * kKiB, 64 * kKiB},
                                    {3 * 64 * kKiB + 16 * kKiB + 1, 64 * kKiB},
                                    {5 * 64 * kKiB - 7, 64 * kKiB},
                                    {16 * 64 * kKiB, 64 * kKiB},
                                    {17 * 64 * kKiB + 48 * kKiB - 1, 64 * kKiB},
                                    {11 * 256 * kKiB + 13, 256 * kKiB},
                                    {9000 * kKiB + 333, 1024 * kKiB}}) {
    const std::string bytes = testing::some_bytes(size);
    const std::string path = dir / "blob";
    testing::write_file(path, bytes);
    const auto real = testing::real_torrent(path, static_cast<std::uint32_t>(piece));

    std::vector<Sha256> roots;
    for (std::uint64_t offset = 0; offset < size; offset += piece)
      roots.push_back(
          piece_root(as_bytes(std::string_view(bytes).substr(offset, piece)), static_cast<std::uint32_t>(piece)));
    EXPECT_EQ(roots, real.pieces) << size << " in pieces of " << piece;
    EXPECT_EQ(file_root(roots, static_cast<std::uint32_t>(piece)), real.root) << size << " in pieces of " << piece;
  }
}

TEST(Merkle, EachByteAndThePlaceOfEachLeafCount) {
  std::string bytes = testing::some_bytes(4 * kLeafBytes);
  const Sha256 right = piece_root(as_bytes(bytes), 4 * kLeafBytes);
  for (const std::size_t at : {std::size_t{0}, std::size_t{kLeafBytes}, bytes.size() - 1}) {
    bytes[at] ^= 1;
    EXPECT_NE(piece_root(as_bytes(bytes), 4 * kLeafBytes), right) << at;
    bytes[at] ^= 1;
  }
  std::swap_ranges(bytes.begin(), bytes.begin() + kLeafBytes, bytes.begin() + kLeafBytes);
  EXPECT_NE(piece_root(as_bytes(bytes), 4 * kLeafBytes), right);
}

}  // namespace
}  // namespace wherry::swarm
