#include "common/kv/rocks_key_value.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/run_task.h"
#include "tests/unit/support/temp_dir.h"

namespace wherry::kv {
namespace {

using wherry::testing::kind_of;

using testing::run_all;
using testing::run_task;

class RocksKeyValueTest : public ::testing::Test {
 protected:
  void open() {
    auto opened = RocksKeyValue::open(dir / "kv", pool, options);
    ASSERT_TRUE(opened) << opened.error().to_string();
    store = std::move(*opened);
  }
  void SetUp() override { open(); }

  Result<void> put(std::string key, std::string value, Durability durability = Durability::kSynced) {
    return run_task(store->transact(
        [&](Transaction& transaction) -> Result<void> {
          transaction.put(key, value);
          return {};
        },
        durability));
  }
  std::optional<std::string> get(const std::string& key) { return run_task(store->get(key)).value(); }
  std::vector<std::string> keys(ScanRequest request) {
    std::vector<std::string> found;
    const Page page = run_task(store->scan(std::move(request))).value();
    for (const auto& [key, value] : page.entries) found.push_back(key);
    if (page.more) found.push_back("...");
    return found;
  }

  testing::TempDir dir;
  Pool pool{"readers", 2};
  RocksOptions options;
  std::unique_ptr<RocksKeyValue> store;
};

using Keys = std::vector<std::string>;

TEST_F(RocksKeyValueTest, WhatWasAcknowledgedIsReadAndSurvivesReopening) {
  ASSERT_TRUE(put("key", "value"));
  EXPECT_EQ(get("key"), "value");
  EXPECT_EQ(get("other"), std::nullopt);
  store.reset();
  open();
  EXPECT_EQ(get("key"), "value");
}

TEST_F(RocksKeyValueTest, LazyWritesAreReadAtOnceAndSurviveAnOrderlyEnd) {
  ASSERT_TRUE(put("key", "value", Durability::kLazy));
  EXPECT_EQ(get("key"), "value");
  store.reset();
  open();
  EXPECT_EQ(get("key"), "value");
}

TEST_F(RocksKeyValueTest, WhatIsInMemoryIsReadWithoutWaiting) {
  ASSERT_TRUE(put("key", "value"));
  auto found = store->try_get("key");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->value(), "value");
}

TEST_F(RocksKeyValueTest, WhatOnlyTheDiskKnowsIsReadByThePool) {
  options.write_buffer_bytes = 64 << 10;  // so that entries move to files
  store.reset();
  open();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(put("key" + std::to_string(i), std::string(4096, 'v')));
  store.reset();
  open();
  EXPECT_FALSE(store->try_get("key0").has_value());
  EXPECT_EQ(get("key0"), std::string(4096, 'v'));
  EXPECT_TRUE(store->try_get("key0").has_value()) << "it is in the cache now";
}

TEST_F(RocksKeyValueTest, AFailedBodyLeavesNothingAndGivesItsError) {
  ASSERT_TRUE(put("kept", "old"));
  const auto failed = run_task(store->transact([](Transaction& transaction) -> Result<int> {
    transaction.put("kept", "new");
    transaction.put("more", "x");
    transaction.erase("kept");
    return Error(ErrorKind::kManifestInvalid, "no");
  }));
  ASSERT_FALSE(failed);
  EXPECT_EQ(kind_of(failed), ErrorKind::kManifestInvalid);
  EXPECT_EQ(get("kept"), "old");
  EXPECT_EQ(get("more"), std::nullopt);
}

TEST_F(RocksKeyValueTest, AFailedBodyTakesOnlyItsOwnWritesOutOfAGroup) {
  std::vector<Task<Result<int>>> tasks;
  for (int i = 0; i < 200; ++i)
    tasks.push_back(store->transact([i](Transaction& transaction) -> Result<int> {
      transaction.put("shared", std::to_string(i));
      transaction.put("own" + std::to_string(i), "x");
      if (i % 2 == 1) return Error(ErrorKind::kDenied, "odd");
      return i;
    }));
  const auto results = run_all(std::move(tasks));
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(results[static_cast<std::size_t>(i)].has_value(), i % 2 == 0);
    EXPECT_EQ(get("own" + std::to_string(i)).has_value(), i % 2 == 0);
  }
  EXPECT_EQ(get("shared"), "198");
}

TEST_F(RocksKeyValueTest, AThrowingBodyIsRolledBack) {
  const auto failed = run_task(store->transact([](Transaction& transaction) -> Result<int> {
    transaction.put("key", "x");
    throw std::runtime_error("oops");
  }));
  ASSERT_FALSE(failed);
  EXPECT_EQ(kind_of(failed), ErrorKind::kInternal);
  EXPECT_EQ(get("key"), std::nullopt);
}

TEST_F(RocksKeyValueTest, EveryTransactionSeesAllBeforeIt) {
  std::vector<Task<Result<int>>> tasks;
  for (int i = 0; i < 1000; ++i)
    tasks.push_back(store->transact([](Transaction& transaction) -> Result<int> {
      const auto before = transaction.get("counter").value();
      const int next = before ? std::stoi(*before) + 1 : 1;
      transaction.put("counter", std::to_string(next));
      return next;
    }));
  const auto results = run_all(std::move(tasks));
  for (std::size_t i = 0; i < results.size(); ++i) EXPECT_EQ(results[i].value(), static_cast<int>(i) + 1);
  EXPECT_EQ(get("counter"), "1000");
}

TEST_F(RocksKeyValueTest, ATransactionReadsItsOwnWritesOverTheStore) {
  for (const char* key : {"a1", "a2", "a3", "b1"}) ASSERT_TRUE(put(key, "old"));
  const auto seen = run_task(store->transact([](Transaction& transaction) -> Result<Keys> {
    transaction.erase("a2");
    transaction.put("a3", "new");
    transaction.put("a4", "new");
    EXPECT_FALSE(transaction.exists("a2").value());
    EXPECT_TRUE(transaction.exists("a4").value());
    EXPECT_EQ(transaction.get("a3").value(), "new");
    Keys found;
    const auto collect = [&](std::string_view key, std::string_view value) {
      found.push_back(std::string(key) + "=" + std::string(value));
      return found.size() < 5;
    };
    EXPECT_TRUE(transaction.scan("a", "", collect));
    found.push_back("|");
    EXPECT_TRUE(transaction.scan("a", "a1", collect));
    return found;
  }));
  EXPECT_EQ(seen.value(), (Keys{"a1=old", "a3=new", "a4=new", "|", "a3=new"}));
}

TEST_F(RocksKeyValueTest, AScanKeepsToItsPrefixItsStartAndItsLimits) {
  for (const char* key : {"a", "b", "b1", "b2", "b3", "c", "\xff", "\xff\xff", "\xff\xff\x01"})
    ASSERT_TRUE(put(key, "12345678"));
  EXPECT_EQ(keys(ScanRequest("b")), (Keys{"b", "b1", "b2", "b3"}));
  EXPECT_EQ(keys(ScanRequest("b", "b1")), (Keys{"b2", "b3"}));
  EXPECT_EQ(keys(ScanRequest("b", "b15")), (Keys{"b2", "b3"}));
  EXPECT_EQ(keys(ScanRequest("b", "a")), (Keys{"b", "b1", "b2", "b3"}));
  EXPECT_EQ(keys(ScanRequest("b", "b3")), Keys{});
  EXPECT_EQ(keys(ScanRequest("b", "", 2)), (Keys{"b", "b1", "..."}));
  EXPECT_EQ(keys(ScanRequest("b", "", 4)), (Keys{"b", "b1", "b2", "b3"}));
  EXPECT_EQ(keys(ScanRequest("b", "", 10, 20)), (Keys{"b", "b1", "..."}));
  EXPECT_EQ(keys(ScanRequest("b", "", 10, 1)), (Keys{"b", "..."})) << "the first always comes, or nobody would get on";
  EXPECT_EQ(keys(ScanRequest("\xff\xff")), (Keys{"\xff\xff", "\xff\xff\x01"}));
  EXPECT_EQ(keys(ScanRequest("")).size(), 9u);
  EXPECT_EQ(keys(ScanRequest("nothing")), Keys{});
}

TEST_F(RocksKeyValueTest, ABodyThatWritesTooMuchIsRefusedWhole) {
  const auto failed = run_task(store->transact([](Transaction& transaction) -> Result<void> {
    const std::string big(1 << 20, 'x');
    for (int i = 0; i < 40; ++i) transaction.put("big" + std::to_string(i), big);
    return {};
  }));
  ASSERT_FALSE(failed);
  EXPECT_EQ(kind_of(failed), ErrorKind::kTooLarge);
  EXPECT_EQ(keys(ScanRequest("big")), Keys{});
}

TEST_F(RocksKeyValueTest, WithoutRoomNothingIsWrittenAndLaterItIs) {
  store.reset();
  std::atomic<bool> room{false};
  options.before_commit = [&room]() -> Result<void> {
    if (room) return {};
    return Error(ErrorKind::kNoSpace, "full");
  };
  open();
  const auto refused = put("key", "value");
  ASSERT_FALSE(refused);
  EXPECT_EQ(kind_of(refused), ErrorKind::kNoSpace);
  EXPECT_EQ(get("key"), std::nullopt);
  room = true;
  EXPECT_TRUE(put("other", "value"));
  EXPECT_EQ(get("key"), std::nullopt);
  store.reset();
}

TEST_F(RocksKeyValueTest, AReadOnlyStoreReadsRefusesWritesAndCanBeMadeWritable) {
  ASSERT_TRUE(put("key", "value"));
  store.reset();
  auto opened = RocksKeyValue::open_read_only(dir / "kv", pool, options);
  ASSERT_TRUE(opened) << opened.error().to_string();
  store = std::move(*opened);
  EXPECT_TRUE(store->read_only());
  EXPECT_EQ(get("key"), "value");
  EXPECT_EQ(keys(ScanRequest("k")), Keys{"key"});
  const auto refused = put("other", "value");
  ASSERT_FALSE(refused);
  EXPECT_EQ(kind_of(refused), ErrorKind::kNoSpace);

  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::thread reader([&] {
    while (!stop) {
      const auto found = store->try_get("key");
      if (found && (!*found || **found != "value")) ++wrong;
    }
  });
  ASSERT_TRUE(store->reopen_writable());
  EXPECT_TRUE(put("other", "value"));
  stop = true;
  reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_FALSE(store->read_only());
  EXPECT_EQ(get("key"), "value");
  EXPECT_EQ(get("other"), "value");
  EXPECT_TRUE(store->reopen_writable()) << "a second time it has nothing to do";
}

TEST_F(RocksKeyValueTest, AStoreThatIsNotThereIsNotOpenedReadOnly) {
  EXPECT_FALSE(RocksKeyValue::open_read_only(dir / "none", pool, options));
}

TEST_F(RocksKeyValueTest, AStoreIsOpenedByOneProcessOnly) {
  const auto second = RocksKeyValue::open(dir / "kv", pool, options);
  ASSERT_FALSE(second);
  EXPECT_EQ(kind_of(second), ErrorKind::kIo);
}

TEST_F(RocksKeyValueTest, ADamagedFileIsSaidToBeCorrupt) {
  options.write_buffer_bytes = 64 << 10;
  store.reset();
  open();
  for (int i = 0; i < 100; ++i)
    ASSERT_TRUE(put("key" + std::to_string(i), std::string(4096, static_cast<char>('a' + i % 26))));
  store.reset();
  for (const auto& entry : std::filesystem::directory_iterator(dir / "kv")) {
    if (entry.path().extension() != ".sst") continue;
    std::string bytes = testing::read_file(entry.path());
    for (std::size_t i = 0; i < bytes.size() / 2; i += 512) bytes[i] = static_cast<char>(bytes[i] ^ 1);
    testing::write_file(entry.path(), bytes);
  }
  auto opened = RocksKeyValue::open(dir / "kv", pool, options);
  if (!opened) {
    EXPECT_EQ(kind_of(opened), ErrorKind::kCorrupt);
    return;
  }
  store = std::move(*opened);
  int corrupt = 0;
  for (int i = 0; i < 100; ++i) {
    const auto found = run_task(store->get("key" + std::to_string(i)));
    if (!found) {
      EXPECT_EQ(kind_of(found), ErrorKind::kCorrupt);
      ++corrupt;
    }
  }
  EXPECT_GT(corrupt, 0);
}

}  // namespace
}  // namespace wherry::kv
