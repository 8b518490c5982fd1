#include "common/store/blob_cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

#include "tests/unit/store/store_fixture.h"

namespace wherry::store {
namespace {

namespace fs = std::filesystem;
using wherry::testing::run_task;

class BlobCacheTest : public StoreFixture {
 protected:
  BlobCacheTest() { options.open_blobs = 4; }

  std::size_t open_files() const {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      const std::string target = fs::read_symlink(entry.path(), gone).string();
      if (target.starts_with(root() + "/blobs/") || target.starts_with(root() + "/trash/")) ++count;
    }
    return count;
  }
  bool is_cached(std::string_view bytes) { return store->cached(sha256(bytes)) != nullptr; }
};

TEST_F(BlobCacheTest, ABlobThatWasOpenedIsOpenForTheNextOne) {
  const BlobRow row = put("content");
  EXPECT_FALSE(is_cached("content"));
  const auto first = open_blob("content", row).value();
  EXPECT_EQ(store->cached(sha256("content")), first);
  EXPECT_EQ(open_blob("content", row).value(), first);
}

TEST_F(BlobCacheTest, OnlySoManyStayOpenAndTheLeastUsedGoFirst) {
  std::vector<std::string> contents;
  for (int i = 0; i < 6; ++i) contents.push_back("content " + std::to_string(i));
  for (const auto& bytes : contents) {
    ASSERT_TRUE(open_blob(bytes, put(bytes)));
    EXPECT_TRUE(is_cached(contents[0])) << "used each time";
  }
  EXPECT_EQ(open_files(), 4u);
  const std::vector<bool> expected{true, false, false, true, true, true};
  for (std::size_t i = 0; i < contents.size(); ++i) EXPECT_EQ(is_cached(contents[i]), expected[i]) << i;
}

TEST_F(BlobCacheTest, ANeighboursOpenBlobIsShared) {
  const auto blob = open_blob("content", put("content")).value();
  std::shared_ptr<OpenBlob> there;
  std::thread([&] { there = store->cached(sha256("content")); }).join();
  EXPECT_EQ(there, blob);
  EXPECT_EQ(open_files(), 1u);
}

TEST_F(BlobCacheTest, ARemovedBlobIsForgottenByAllAndItsReadersGoOn) {
  const std::string bytes = some_bytes(2 * kBlockBytes);
  const BlobRow row = put(bytes);
  auto reader = open_blob(bytes, row).value();
  std::thread([&] { (void)store->cached(sha256(bytes)); }).join();
  ASSERT_TRUE(run_task(store->remove(sha256(bytes))));
  EXPECT_FALSE(is_cached(bytes));
  EXPECT_FALSE(fs::exists(path(sha256(bytes))));
  EXPECT_TRUE(fs::is_empty(root() + "/trash"));
  EXPECT_EQ(run_task(reader->ready(kBlockBytes, 100)).value(), 100u);
  EXPECT_EQ(open_files(), 1u);
  reader.reset();
  store.reset();  // waits for what is closed aside
  EXPECT_EQ(open_files(), 0u);
}

TEST_F(BlobCacheTest, WithoutReadersARemovedBlobHoldsNoSpace) {
  const std::string bytes = some_bytes(100);
  ASSERT_TRUE(open_blob(bytes, put(bytes)));
  ASSERT_TRUE(run_task(store->remove(sha256(bytes))));
  EXPECT_EQ(open_files(), 0u);
}

TEST_F(BlobCacheTest, RemovingWhatIsNotThereIsFine) { EXPECT_TRUE(run_task(store->remove(sha256("nothing")))); }

TEST_F(BlobCacheTest, ABlobThatWasRetiredWhileItWasOpenedIsNotKept) {
  BlobCache cache(4);
  auto blob = open_blob("content", put("content")).value();
  const std::uint64_t epoch = cache.epoch();
  cache.retire(sha256("content"));
  cache.insert(blob, epoch);
  EXPECT_EQ(cache.find(sha256("content")), nullptr);
  cache.insert(blob, cache.epoch());
  EXPECT_EQ(cache.find(sha256("content")), blob);
}

TEST_F(BlobCacheTest, ManyThreadsFindAndRetireAtTheSameTime) {
  std::vector<std::shared_ptr<OpenBlob>> blobs;
  for (int i = 0; i < 8; ++i) {
    const std::string bytes = "content " + std::to_string(i);
    blobs.push_back(open_blob(bytes, put(bytes)).value());
  }
  BlobCache cache(4);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (unsigned i = 0; i < 20000; ++i) {
        const auto& blob = blobs[(i * 7 + t) % blobs.size()];
        const std::uint64_t epoch = cache.epoch();
        const auto found = cache.find(blob->digest());
        if (found && found != blob) ++wrong;
        if (!found) cache.insert(blob, epoch);
        if (i % 97 == 0) cache.retire(blob->digest());
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  for (const auto& blob : blobs) {
    cache.retire(blob->digest());
    EXPECT_EQ(cache.find(blob->digest()), nullptr);
  }
}

}  // namespace
}  // namespace wherry::store
