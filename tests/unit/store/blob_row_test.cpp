#include "common/store/blob_row.h"

#include <gtest/gtest.h>

#include "common/base/bytes.h"
#include "tests/unit/store/store_fixture.h"

namespace wherry::store {
namespace {

BlobRow row_of(std::string_view bytes) {
  std::vector<std::uint64_t> checksums;
  for (std::size_t at = 0; at < bytes.size(); at += kBlockBytes)
    checksums.push_back(block_checksum(as_bytes(bytes.substr(at, kBlockBytes))));
  return BlobRow(bytes.size(), std::move(checksums));
}

TEST(BlobRow, IsReadBackAsItWasWritten) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{kBlockBytes}, std::size_t{kBlockBytes + 1}}) {
    const BlobRow row = row_of(some_bytes(size));
    EXPECT_EQ(BlobRow::decode(row.encode()).value(), row);
  }
}

TEST(BlobRow, WhateverIsCutOffOrAddedIsRefused) {
  const std::string encoded = row_of(some_bytes(kBlockBytes + 1)).encode();
  for (std::size_t size = 0; size < encoded.size(); ++size)
    EXPECT_FALSE(BlobRow::decode(std::string_view(encoded).substr(0, size))) << size;
  EXPECT_FALSE(BlobRow::decode(encoded + std::string(8, '\0')));
  EXPECT_FALSE(BlobRow::decode("\x02" + encoded.substr(1)));
  EXPECT_FALSE(BlobRow::decode("\x01\xff\xff\xff\xff\xff\xff\xff\xff"));
}

TEST(BlockChecksums, DoNotDependOnHowTheBytesCame) {
  const std::string bytes = some_bytes(2 * kBlockBytes + 12345);
  for (const std::size_t step :
       {std::size_t{1000}, std::size_t{kBlockBytes / 2}, std::size_t{kBlockBytes}, bytes.size()}) {
    BlockChecksums sums;
    for (std::size_t at = 0; at < bytes.size(); at += step)
      sums.update(as_bytes(std::string_view(bytes).substr(at, step)));
    EXPECT_EQ(sums.row(), row_of(bytes)) << step;
  }
}

}  // namespace
}  // namespace wherry::store
