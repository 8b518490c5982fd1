// A BlobStore in a directory of its own, and short forms for what tests do with it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/bytes.h"
#include "common/store/blob_store.h"
#include "tests/unit/support/run_task.h"
#include "tests/unit/support/temp_dir.h"

namespace wherry::store {

/// Bytes that repeat nowhere within a block, the same for the same seed.
inline std::string some_bytes(std::size_t size, std::uint64_t seed = 1) {
  std::string bytes(size, '\0');
  std::uint64_t state = seed * 0x9e3779b97f4a7c15ull + 1;
  for (char& byte : bytes) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    byte = static_cast<char>(state);
  }
  return bytes;
}

inline Digest sha256(std::string_view bytes) { return Digest::of(DigestAlgorithm::kSha256, bytes); }

inline Task<Result<void>> append_all(BlobWriter& writer, std::string_view bytes) {
  while (!bytes.empty()) {
    Buffer buffer = Buffer::take();
    bytes.remove_prefix(buffer.append(as_bytes(bytes)));
    auto appended = co_await writer.append(std::move(buffer));
    if (!appended) co_return appended;
  }
  auto flushed = co_await writer.flush();
  co_return flushed;
}

inline Task<Result<BlobRow>> store_blob(BlobStore& store, std::string name, std::string_view bytes, Digest digest) {
  auto writer = co_await store.create(std::move(name), digest.algorithm());
  if (!writer) co_return std::move(writer.error());
  auto appended = co_await append_all(*writer, bytes);
  if (!appended) co_return std::move(appended.error());
  auto row = co_await writer->commit(digest);
  co_return row;
}

class StoreFixture : public ::testing::Test {
 protected:
  void SetUp() override { open(); }
  void open() {
    store.reset();
    auto opened = BlobStore::open(root(), pool, options);
    ASSERT_TRUE(opened) << opened.error().to_string();
    store = std::move(*opened);
  }
  std::string root() const { return dir / "data"; }
  std::string path(const Digest& digest) const { return store->layout().blob(digest); }

  BlobRow put(std::string_view bytes) {
    return wherry::testing::run_task(store_blob(*store, "put", bytes, sha256(bytes))).value();
  }
  Result<std::shared_ptr<OpenBlob>> open_blob(std::string_view bytes, const BlobRow& row) {
    return wherry::testing::run_task(store->open_blob(sha256(bytes), row));
  }

  wherry::testing::TempDir dir;
  Pool pool{"files", 2};
  BlobOptions options;
  std::unique_ptr<BlobStore> store;
};

}  // namespace wherry::store
