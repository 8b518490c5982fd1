#include "common/feed/log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/kv/rocks_key_value.h"
#include "common/oci/hasher.h"
#include "tests/unit/support/digest_of.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/run_task.h"
#include "tests/unit/support/temp_dir.h"

namespace wherry::feed {
namespace {

using testing::digest_of;
using wherry::testing::kind_of;

using testing::run_all;
using testing::run_task;

WallTime time_at(int millis) { return from_millis(millis); }

class FeedLogTest : public ::testing::Test {
 protected:
  void SetUp() override { store = kv::RocksKeyValue::open(dir / "kv", pool, {}).value(); }

  static Result<Head> append_all(kv::Transaction& transaction, const std::vector<Change>& changes) {
    Appender appender(transaction);
    for (const Change& change : changes) appender.append(change);
    return appender.finish();
  }
  Result<Head> append_one(const Change& change) {
    return run_task(store->transact([&](kv::Transaction& transaction) { return append_all(transaction, {change}); }));
  }
  std::string row_key(std::uint64_t position) {
    std::string key(1, kEntryPrefix);
    append_be64(key, position);
    return key;
  }
  void overwrite(const std::string& key, const std::string& value) {
    ASSERT_TRUE(run_task(store->transact([&](kv::Transaction& transaction) -> Result<void> {
      transaction.put(key, value);
      return {};
    })));
  }
  Head head_now() { return run_task(head(*store)).value(); }
  std::vector<Entry> read_from(std::uint64_t from, std::size_t limit = 100) {
    return run_task(read(*store, from, limit)).value().list;
  }

  testing::TempDir dir;
  Pool pool{"readers", 1};
  std::unique_ptr<kv::RocksKeyValue> store;
};

TEST_F(FeedLogTest, AnEmptyLogHasPositionZeroAndNoEntries) {
  EXPECT_EQ(head_now(), Head());
  EXPECT_TRUE(read_from(0).empty());
}

TEST_F(FeedLogTest, PositionsAreGivenWithoutGapsInTheOrderOfCommit) {
  std::vector<Task<Result<Head>>> tasks;
  for (int i = 0; i < 100; ++i)
    tasks.push_back(store->transact([i](kv::Transaction& transaction) -> Result<Head> {
      auto appended = append_all(transaction, {Change::repository_created("r" + std::to_string(i), time_at(i))});
      if (i % 3 == 0) return Error(ErrorKind::kDenied, "this one is rolled back");
      return appended;
    }));
  std::uint64_t last = 0;
  for (const auto& result : run_all(std::move(tasks)))
    if (result) {
      EXPECT_EQ(result->position, last + 1);
      last = result->position;
    }
  EXPECT_EQ(last, 66u);
  EXPECT_EQ(head_now().position, last);
  const auto entries = read_from(1);
  ASSERT_EQ(entries.size(), last);
  for (std::size_t i = 0; i < entries.size(); ++i) EXPECT_EQ(entries[i].position(), i + 1);
}

TEST_F(FeedLogTest, TheChainCoversEveryEntryBeforeIt) {
  ASSERT_TRUE(append_one(Change::tag_set("r", "latest", digest_of("a"), time_at(1))));
  ASSERT_TRUE(append_one(Change::tag_removed("r", "latest", time_at(2))));
  Hash chain{};
  for (const auto& entry : read_from(1)) {
    Hasher of_entry;
    of_entry.update(entry.encoded());
    Hasher hasher;
    hasher.update(std::span<const std::byte>(chain));
    hasher.update(of_entry.finish().raw());
    std::ranges::copy(hasher.finish().raw(), chain.begin());
    EXPECT_EQ(entry.chain(), chain);
  }
  EXPECT_EQ(head_now().chain, chain);
}

TEST_F(FeedLogTest, SeveralChangesOfOneTransactionFollowEachOther) {
  ASSERT_TRUE(run_task(store->transact([](kv::Transaction& transaction) {
    return append_all(transaction, {Change::manifest_put("r", digest_of("m"), time_at(1)),
                                    Change::tag_set("r", "t", digest_of("m"), time_at(1))});
  })));
  const auto entries = read_from(1);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].change()->kind(), ChangeKind::kManifestPut);
  EXPECT_EQ(entries[1].change()->kind(), ChangeKind::kTagSet);
}

TEST_F(FeedLogTest, ReadingStartsAtAPositionAndKeepsItsLimit) {
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(append_one(Change::repository_created("r" + std::to_string(i), time_at(i))));
  const auto entries = read_from(4, 3);
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries.front().change()->position(), 4u);
  EXPECT_EQ(entries.front().change()->repository(), "r3");
  EXPECT_EQ(read_from(10).size(), 1u);
  EXPECT_TRUE(read_from(11).empty());
  EXPECT_TRUE(read_from(UINT64_MAX).empty());
}

TEST_F(FeedLogTest, AMissingEntryIsDamage) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(append_one(Change::repository_created("r", time_at(i))));
  ASSERT_TRUE(run_task(store->transact([&](kv::Transaction& transaction) -> Result<void> {
    transaction.erase(row_key(2));
    return {};
  })));
  for (const std::uint64_t from : {1, 2}) {
    const auto entries = run_task(read(*store, from, 10));
    ASSERT_FALSE(entries);
    EXPECT_EQ(kind_of(entries), ErrorKind::kCorrupt);
    EXPECT_NE(entries.error().message().find("missing"), std::string::npos);
  }
  EXPECT_EQ(read_from(3).size(), 1u);
}

TEST_F(FeedLogTest, AnEntryThatDoesNotCloseTheChainIsDamage) {
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(append_one(Change::repository_created("r", time_at(i))));
  Change forged = Change::repository_created("s", time_at(1));
  forged.place(2, 1, {});
  const auto second = read_from(2).front();
  overwrite(row_key(2), std::string(as_text(second.chain())) + forged.encode());
  const auto entries = run_task(read(*store, 1, 10));
  ASSERT_FALSE(entries);
  EXPECT_EQ(kind_of(entries), ErrorKind::kCorrupt);
}

TEST_F(FeedLogTest, ADamagedHeadIsNotTakenForAnEmptyLog) {
  ASSERT_TRUE(append_one(Change::repository_created("r", time_at(1))));
  overwrite(std::string(1, kHeadKey), "?");
  EXPECT_EQ(kind_of(run_task(head(*store))), ErrorKind::kCorrupt);
  EXPECT_EQ(kind_of(append_one(Change::repository_created("s", time_at(2)))), ErrorKind::kCorrupt);
}

TEST_F(FeedLogTest, ANewEpochIsHigherAndMarksWhatComesAfter) {
  ASSERT_TRUE(append_one(Change::repository_created("r", time_at(1))));
  const auto begin = [&](std::uint64_t epoch) {
    return run_task(store->transact([epoch](kv::Transaction& transaction) { return begin_epoch(transaction, epoch); }));
  };
  EXPECT_FALSE(begin(1));
  ASSERT_TRUE(begin(7));
  ASSERT_TRUE(append_one(Change::repository_removed("r", time_at(2))));
  const auto entries = read_from(1);
  EXPECT_EQ(entries[0].change()->epoch(), 1u);
  EXPECT_EQ(entries[1].change()->epoch(), 7u);
}

TEST_F(FeedLogTest, AChangeThatNobodyCouldReadIsNotAppended) {
  const auto refused = append_one(Change::repository_created(std::string(256, 'r'), time_at(1)));
  ASSERT_FALSE(refused);
  EXPECT_EQ(kind_of(refused), ErrorKind::kInvalid);
  EXPECT_EQ(head_now().position, 0u);
}

TEST_F(FeedLogTest, NoTwoEntriesHaveTheSameHashAlthoughTheySayTheSame) {
  ASSERT_TRUE(append_one(Change::repository_created("r", time_at(1))));
  ASSERT_TRUE(append_one(Change::repository_created("r", time_at(1))));
  const auto entries = read_from(1);
  EXPECT_NE(entries[0].encoded().substr(18, 8), entries[1].encoded().substr(26, 8));
  EXPECT_NE(entries[0].hash(), entries[1].hash());
}

TEST_F(FeedLogTest, WhatWasCompactedIsToldFromDamage) {
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(append_one(Change::repository_created("r", time_at(i))));
  const auto compact_before = [&](std::uint64_t keep_from) {
    return run_task(
        store->transact([keep_from](kv::Transaction& transaction) { return compact(transaction, keep_from, 4); }));
  };
  EXPECT_EQ(run_task(chain_at(*store, 0)).value(), Hash{});
  EXPECT_EQ(compact_before(7).value().size(), 4u);
  EXPECT_EQ(compact_before(7).value().size(), 2u);
  EXPECT_EQ(compact_before(7).value().size(), 0u);
  const auto gone = run_task(read(*store, 6, 10)).value();
  EXPECT_TRUE(gone.compacted && gone.list.empty());
  const auto there = run_task(read(*store, 7, 10)).value();
  EXPECT_FALSE(there.compacted);
  EXPECT_EQ(there.list.size(), 4u);
  EXPECT_FALSE(run_task(chain_at(*store, 0)).value());
  EXPECT_FALSE(run_task(chain_at(*store, 5)).value());
  EXPECT_TRUE(run_task(chain_at(*store, 6)).value());  // whoever stands before the first entry can go on
  EXPECT_EQ(run_task(chain_at(*store, 7)).value(), there.list.front().chain());
}

TEST_F(FeedLogTest, AnotherLogThatReceivesTheEntriesEndsWithTheSameHeadAndState) {
  const Digest digest = digest_of("m");
  for (const Change& change :
       {Change::repository_created("a/x", time_at(1)), Change::manifest_put("a/x", digest, time_at(2)),
        Change::tag_set("a/x", "t", digest, time_at(3)), Change::tag_set("a/x", "t", digest_of("n"), time_at(4)),
        Change::tag_removed("a/x", "gone", time_at(5)), Change::policy_set("p", "{}", time_at(6))})
    ASSERT_TRUE(append_one(change));
  const auto entries = read_from(1);
  const auto other = kv::RocksKeyValue::open(dir / "other", pool, {}).value();
  const auto received = run_task(other->transact([&](kv::Transaction& transaction) {
    Appender appender(transaction);
    for (const Entry& entry : entries) appender.receive(entry);
    return appender.finish();
  }));
  EXPECT_EQ(received.value(), head_now());
  const auto digests = run_task(project_digests(*store)).value();
  EXPECT_EQ(run_task(project_digests(*other)).value(), digests);
  ASSERT_EQ(digests.size(), 2u);
  EXPECT_TRUE(digests.contains("") && digests.contains("a"));
}

TEST_F(FeedLogTest, WhatComesAndGoesLeavesNoTraceInTheDigest) {
  const Digest digest = digest_of("m");
  ASSERT_TRUE(append_one(Change::repository_created("a/x", time_at(1))));
  const auto before = run_task(project_digests(*store)).value();
  ASSERT_TRUE(append_one(Change::tag_set("a/x", "t", digest, time_at(2))));
  EXPECT_NE(run_task(project_digests(*store)).value(), before);
  ASSERT_TRUE(append_one(Change::tag_set("a/x", "t", digest_of("n"), time_at(3))));
  ASSERT_TRUE(append_one(Change::tag_set("a/x", "t", digest_of("n"), time_at(3))));  // as it is already
  ASSERT_TRUE(append_one(Change::tag_removed("a/x", "t", time_at(4))));
  EXPECT_EQ(run_task(project_digests(*store)).value(), before);
}

}  // namespace
}  // namespace wherry::feed
