#include "common/kv/rocks_key_value.h"

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "common/kv/high_water.h"
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

TEST_F(RocksKeyValueTest, HotRowsAreSharedUntilTheirTableIsWrittenTo) {
  const auto hot = [&](const std::string& key) { return run_task(store->get_hot(key)).value(); };
  EXPECT_EQ(hot("a1"), nullptr);
  ASSERT_TRUE(put("a1", "one"));
  const Row first = hot("a1");
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(*first, "one");
  EXPECT_EQ(hot("a1"), first);
  ASSERT_TRUE(put("b1", "of another table"));
  EXPECT_EQ(hot("a1"), first);
  ASSERT_TRUE(put("a1", "two", Durability::kLazy));
  EXPECT_EQ(*hot("a1"), "two");
  EXPECT_EQ(*first, "one");
  ASSERT_TRUE(run_task(store->transact([&](Transaction& transaction) -> Result<void> {
    transaction.erase("a1");
    return {};
  })));
  EXPECT_EQ(hot("a1"), nullptr);
}

TEST_F(RocksKeyValueTest, AHotRowIsNeverOlderThanWhatWasAcknowledgedBeforeItWasAskedFor) {
  constexpr int kWrites = 2000;
  ASSERT_TRUE(put("a1", "0", Durability::kLazy));
  std::atomic<int> acknowledged{0};
  std::atomic<int> older{0};
  const auto read_all_the_time = [&]() -> Task<void> {
    while (acknowledged.load() < kWrites) {
      const int least = acknowledged.load();
      const auto row = co_await store->get_hot("a1");
      if (std::stoi(**row) < least) older.fetch_add(1);
    }
  };
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) readers.emplace_back([&] { run_task(read_all_the_time()); });
  for (int i = 1; i <= kWrites; ++i) {
    ASSERT_TRUE(put("a1", std::to_string(i), Durability::kLazy));
    acknowledged.store(i);
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(older.load(), 0);
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
  for (auto* opening : {&RocksKeyValue::open, &RocksKeyValue::open_read_only}) {
    const auto second = (*opening)(dir / "kv", pool, options);
    ASSERT_FALSE(second);
    EXPECT_EQ(kind_of(second), ErrorKind::kIo) << "it is not damaged, whatever a look at half of a write would say";
    EXPECT_NE(second.error().message().find("LOCK"), std::string::npos) << second.error().message();
  }
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

/// A store whose entries are in its log, a table and its manifest, and copies of its files to damage.
class RecoveryTest : public RocksKeyValueTest {
 protected:
  void SetUp() override {
    options.write_buffer_bytes = 64 << 10;
    open();
    for (int i = 0; i < 40; ++i) ASSERT_TRUE(put("key" + std::to_string(i), std::string(4096, 'v')));
    store.reset();
    open();  // what was in the log is in a table now
    for (int i = 0; i < 8; ++i) ASSERT_TRUE(put("late" + std::to_string(i), std::string(1000, 'v')));
    store.reset();
    keep();
  }

  std::map<std::string, std::string> all_files() {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir.path()))
      if (entry.is_regular_file() && !entry.path().filename().string().starts_with("LOG"))
        files[entry.path()] = testing::read_file(entry.path());
    return files;
  }
  void keep() { good = all_files(); }
  void restore() {
    std::filesystem::remove_all(dir / "kv");
    std::filesystem::create_directory(dir / "kv");
    std::filesystem::remove(dir / "kv.mark");
    for (const auto& [path, bytes] : good) testing::write_file(path, bytes);
  }
  /// The file that is in use: of the highest number.
  std::string newest(const std::string& kind) {
    std::string found;
    for (const auto& [path, bytes] : good)
      if (path.find(kind) != std::string::npos && !bytes.empty()) found = path;
    return found;
  }
  /// What an open says, in both modes; it changes nothing.
  void refused(std::string_view named) {
    const auto before = all_files();
    for (auto* opening : {&RocksKeyValue::open, &RocksKeyValue::open_read_only}) {
      auto opened = (*opening)(dir / "kv", pool, options);
      ASSERT_FALSE(opened);
      EXPECT_EQ(kind_of(opened), ErrorKind::kCorrupt) << opened.error().to_string();
      EXPECT_NE(opened.error().to_string().find(named), std::string::npos) << opened.error().to_string();
    }
    EXPECT_EQ(all_files(), before);
  }
  bool has_all() {
    for (int i = 0; i < 8; ++i)
      if (get("late" + std::to_string(i)) != std::string(1000, 'v')) return false;
    return get("key39").has_value();
  }

  std::map<std::string, std::string> good;
};

TEST_F(RecoveryTest, AWholeStoreOpensAgainAndAgain) {
  for (int i = 0; i < 5; ++i) {
    open();
    EXPECT_TRUE(has_all());
    store.reset();
  }
}

TEST_F(RecoveryTest, AFlipAnywhereInTheLogIsRefused) {
  const std::string file = newest(".log");
  for (std::size_t at = 0; at < good[file].size(); at += 97) {
    restore();
    std::string bytes = good[file];
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (at % 8)));
    testing::write_file(file, bytes);
    refused(dir / "kv");
    if (HasFatalFailure() || HasFailure()) FAIL() << "byte " << at;
  }
}

TEST_F(RecoveryTest, ALogThatEndsTooEarlyIsRefusedAndItsFileNamed) {
  const std::string file = newest(".log");
  for (std::size_t size = good[file].size() - 1; size > 1100; size -= 331) {
    restore();
    testing::write_file(file, good[file].substr(0, size));
    refused(file);
    if (HasFatalFailure() || HasFailure()) FAIL() << "cut to " << size;
  }
}

TEST_F(RecoveryTest, AMissingLogIsRefused) {
  std::filesystem::remove(newest(".log"));
  refused(dir / "kv");
}

TEST_F(RecoveryTest, AFlipAnywhereInTheManifestIsRefused) {
  const std::string file = newest("MANIFEST-");
  for (std::size_t at = 0; at < good[file].size(); ++at) {
    restore();
    std::string bytes = good[file];
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (at % 8)));
    testing::write_file(file, bytes);
    refused(file);
    if (HasFatalFailure() || HasFailure()) FAIL() << "byte " << at;
  }
}

TEST_F(RecoveryTest, AManifestThatIsCutOrAnOlderOneIsRefused) {
  const std::string file = newest("MANIFEST-");
  testing::write_file(file, good[file].substr(0, good[file].size() - 1));
  refused(file);
  restore();
  testing::write_file(dir / "kv/MANIFEST-000001", good[file]);
  testing::write_file(dir / "kv/CURRENT", "MANIFEST-000001\n");
  refused(dir / "kv/CURRENT");
  restore();
  std::filesystem::remove(dir / "kv/CURRENT");
  refused(dir / "kv/CURRENT");
  restore();
  std::filesystem::remove_all(dir / "kv");
  refused(dir / "kv/CURRENT");
}

TEST_F(RecoveryTest, AnEndThatNobodyWasToldOfMayBeTorn) {
  // What a power cut leaves of a batch on its way: a part of it, or what was in the blocks before.
  for (const std::string& torn : {std::string("\x12"), std::string(500, '\xee'), std::string(40'000, '\0')}) {
    restore();
    const std::string file = newest(".log");
    testing::write_file(file, good[file] + torn);
    open();
    EXPECT_TRUE(has_all());
    EXPECT_TRUE(put("after", "it"));
    store.reset();
    open();
    EXPECT_EQ(get("after"), "it");
    EXPECT_TRUE(has_all());
    store.reset();
  }
}

TEST_F(RecoveryTest, AMarkThatIsBehindOrGoneIsNoReasonToRefuse) {
  const std::string old_mark = good[dir / "kv.mark"];
  open();
  ASSERT_TRUE(put("more", "x"));
  store.reset();
  testing::write_file(dir / "kv.mark", old_mark);
  open();
  EXPECT_EQ(get("more"), "x");
  store.reset();
  std::filesystem::remove(dir / "kv.mark");
  open();
  EXPECT_TRUE(has_all());
  store.reset();
  EXPECT_TRUE(std::filesystem::exists(dir / "kv.mark")) << "it is made anew";
}

TEST_F(RecoveryTest, WithoutItsMarkADamagedStoreOpensWithWhatIsLeft) {
  std::filesystem::remove(newest(".log"));
  refused(dir / "kv.mark");
  std::filesystem::remove(dir / "kv.mark");
  open();
  EXPECT_EQ(get("key39"), std::string(4096, 'v'));
  EXPECT_EQ(get("late0"), std::nullopt);
  ASSERT_TRUE(put("late0", "again"));
  store.reset();
  open();
  EXPECT_EQ(get("late0"), "again");
}

TEST_F(RecoveryTest, TheMarkFollowsTheManifestWhileTheStoreIsOpen) {
  open();
  const auto mark = [&] { return HighWater::read(dir / "kv.mark").value().value(); };
  const Mark before = mark();
  EXPECT_GT(before.manifest.bytes, 0U);
  for (int i = 0; i < 600; ++i) ASSERT_TRUE(put("key" + std::to_string(i % 50), std::string(4096, 'w')));
  EXPECT_EQ(mark().sequence, before.sequence + 600);
  EXPECT_GT(mark().manifest.bytes, before.manifest.bytes) << "tables were written, as the buffer is small";
  EXPECT_EQ(mark().manifest.number, before.manifest.number);
  store.reset();
  for (int i = 0; i < 3; ++i) {
    open();
    EXPECT_EQ(get("key49"), std::string(4096, 'w'));
    store.reset();
  }
}

TEST_F(RecoveryTest, LazyTransactionsAreNoReasonToRefuse) {
  open();
  const std::uint64_t before = HighWater::read(dir / "kv.mark").value()->sequence;
  ASSERT_TRUE(put("lazy", "x", Durability::kLazy));
  EXPECT_EQ(HighWater::read(dir / "kv.mark").value()->sequence, before) << "a power cut may take it";
  ASSERT_TRUE(put("synced", "x"));
  EXPECT_EQ(HighWater::read(dir / "kv.mark").value()->sequence, before + 2);
}

/// Bytes that this process has read of files, from the disk or from the kernel's memory.
std::uint64_t bytes_read() {
  std::ifstream io("/proc/self/io");
  std::string word;
  std::uint64_t bytes = 0;
  io >> word >> bytes;
  return bytes;
}

// A filter of so many rows is larger than a shard of the cache, as a million rows' is with the sizes of every day.
TEST_F(RocksKeyValueTest, ALookUpAmongManyRowsReadsNoWholeFilter) {
  constexpr int kRows = 800'000;
  constexpr int kAtOnce = 10'000;
  constexpr int kLookUps = 2000;
  store.reset();
  options.block_cache_bytes = std::size_t{1} << 20;
  options.write_buffer_bytes = std::size_t{4} << 20;
  open();
  // In no order, so that tables overlap and are merged to a large one.
  const auto key_of = [](std::int64_t row) { return std::to_string(10'000'000 + row * 7919 % kRows); };
  for (int from = 0; from < kRows; from += kAtOnce) {
    const auto put_some = [&](Transaction& transaction) -> Result<void> {
      for (int row = from; row < from + kAtOnce; ++row) transaction.put(key_of(row), "v");
      return {};
    };
    ASSERT_TRUE(run_task(store->transact(put_some, Durability::kLazy)));
  }
  const std::uint64_t before = bytes_read();
  const auto look_up = [&](Transaction& transaction) -> Result<void> {
    for (int i = 0; i < kLookUps; ++i) {
      auto row = transaction.get(key_of(i * (kRows / kLookUps)));
      if (!row) return row.error();
      EXPECT_EQ(*row, "v");
    }
    return {};
  };
  ASSERT_TRUE(run_task(store->transact(look_up)));
  EXPECT_LT(bytes_read() - before, std::uint64_t{200} << 20);
}

}  // namespace
}  // namespace wherry::kv
