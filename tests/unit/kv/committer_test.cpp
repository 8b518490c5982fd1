#include "common/kv/committer.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "common/base/check.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/run_task.h"

namespace wherry::kv {
namespace {

using wherry::testing::kind_of;

/// A store in memory that can be told to refuse, and that says how it was written to.
class MemoryTarget final : public CommitTarget, private Transaction {
 public:
  struct Write {
    std::map<std::string, std::string> puts;
    bool sync;
  };

  Transaction& begin_body() override {
    before_ = batch_;
    return *this;
  }
  Result<bool> keep() override { return batch_ != before_; }
  void roll_back() override { batch_ = before_; }
  std::size_t batch_bytes() const override { return batch_.size() * value_bytes; }
  Result<void> write(bool sync) override {
    if (fail_writes) return Error(ErrorKind::kIo, "the disk is gone");
    writes.push_back({batch_, sync});
    for (const auto& [key, value] : batch_) stored[key] = value;
    batch_.clear();
    return {};
  }
  void drop() override { batch_.clear(); }

  std::size_t value_bytes = 1;
  bool fail_writes = false;
  std::vector<Write> writes;
  std::map<std::string, std::string> stored;

 private:
  Result<std::optional<std::string>> get(std::string_view key) override {
    for (const auto* map : {&batch_, &stored})
      if (const auto found = map->find(std::string(key)); found != map->end()) return std::optional(found->second);
    return std::optional<std::string>();
  }
  Result<bool> exists(std::string_view key) override { return get(key)->has_value(); }
  void put(std::string_view key, std::string_view value) override { batch_[std::string(key)] = value; }
  void erase(std::string_view) override {}
  Result<void> scan(std::string_view, std::string_view, const Visitor&) override { return {}; }

  std::map<std::string, std::string> batch_;
  std::map<std::string, std::string> before_;
};

/// The committer behind the interface that callers use.
class Store final : public KeyValue {
 public:
  Store(CommitTarget& target, Committer::Callbacks callbacks) : committer(target, std::move(callbacks)) {}
  std::optional<Result<std::optional<std::string>>> try_get(std::string_view) override { return std::nullopt; }
  Task<Result<std::optional<std::string>>> get(std::string) override { co_return std::optional<std::string>(); }
  Task<Result<Row>> get_hot(std::string) override { co_return Row(); }
  Task<Result<Page>> scan(ScanRequest) override { co_return Page(); }
  void watch(char, std::function<void()>) override {}
  Committer committer;

 protected:
  Result<void> submit(Submission& submission) override { return committer.submit(submission); }
};

/// Holds the committer in its first body until the others are queued, so that they form one group.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    opened_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    opened_.wait(lock, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  bool open_ = false;
};

class CommitterTest : public ::testing::Test {
 protected:
  Store& store(Committer::Callbacks callbacks = {}) {
    if (!store_) store_.emplace(target, std::move(callbacks));
    return *store_;
  }

  Task<Result<int>> hold(Gate& gate) {
    return store().transact([&gate](Transaction&) -> Result<int> {
      gate.pass();
      return 0;
    });
  }
  Task<Result<int>> put(std::string key, Durability durability = Durability::kSynced) {
    return store().transact(
        [key](Transaction& transaction) -> Result<int> {
          transaction.put(key, "x");
          return 1;
        },
        durability);
  }
  Task<Result<int>> count(std::vector<std::string> keys) {
    return store().transact([keys](Transaction& transaction) -> Result<int> {
      int found = 0;
      for (const auto& key : keys) found += transaction.exists(key).value() ? 1 : 0;
      return found;
    });
  }
  static Task<Result<int>> open_gate(Gate& gate) {
    gate.open();
    co_return 0;
  }

  MemoryTarget target;
  std::optional<Store> store_;
};

using testing::run_all;
using testing::run_task;

TEST_F(CommitterTest, BodiesThatWaitedTogetherShareOneWriteInTheirOrder) {
  Gate gate;
  std::vector<Task<Result<int>>> tasks;
  tasks.push_back(hold(gate));
  tasks.push_back(put("a"));
  tasks.push_back(count({"a", "b"}));
  tasks.push_back(put("b"));
  tasks.push_back(count({"a", "b"}));
  tasks.push_back(open_gate(gate));
  const auto results = run_all(std::move(tasks));
  EXPECT_EQ(results[2].value(), 1);
  EXPECT_EQ(results[4].value(), 2);
  ASSERT_EQ(target.writes.size(), 1u);
  EXPECT_EQ(target.writes[0].puts.size(), 2u);
  EXPECT_TRUE(target.writes[0].sync);
}

TEST_F(CommitterTest, AGroupOfLazyBodiesIsNotSynced) {
  EXPECT_TRUE(run_task(put("a", Durability::kLazy)));
  ASSERT_EQ(target.writes.size(), 1u);
  EXPECT_FALSE(target.writes[0].sync);
}

TEST_F(CommitterTest, LazyBodiesRideAlongWithASyncedOne) {
  Gate gate;
  std::vector<Task<Result<int>>> tasks;
  tasks.push_back(hold(gate));
  tasks.push_back(put("a", Durability::kLazy));
  tasks.push_back(put("b"));
  tasks.push_back(open_gate(gate));
  (void)run_all(std::move(tasks));
  ASSERT_EQ(target.writes.size(), 1u);
  EXPECT_TRUE(target.writes[0].sync);
}

TEST_F(CommitterTest, ABodyThatOnlyReadsWritesNothing) {
  EXPECT_EQ(run_task(count({"a"})).value(), 0);
  EXPECT_TRUE(target.writes.empty());
}

TEST_F(CommitterTest, AGroupEndsAtItsSize) {
  target.value_bytes = Committer::kGroupBytes;
  Gate gate;
  std::vector<Task<Result<int>>> tasks;
  tasks.push_back(hold(gate));
  for (const char* key : {"a", "b", "c"}) tasks.push_back(put(key));
  tasks.push_back(open_gate(gate));
  (void)run_all(std::move(tasks));
  EXPECT_EQ(target.writes.size(), 3u);
}

TEST_F(CommitterTest, AGroupEndsAtItsNumberOfBodies) {
  Gate gate;
  std::vector<Task<Result<int>>> tasks;
  tasks.push_back(hold(gate));
  for (std::size_t i = 0; i < Committer::kGroupBodies; ++i) tasks.push_back(put("key" + std::to_string(i)));
  tasks.push_back(open_gate(gate));
  for (const auto& result : run_all(std::move(tasks))) EXPECT_TRUE(result);
  ASSERT_EQ(target.writes.size(), 2u);
  EXPECT_EQ(target.writes[0].puts.size(), Committer::kGroupBodies - 1);
}

TEST_F(CommitterTest, BeyondTheQueueABodyIsRefusedAtOnce) {
  Gate gate;
  std::vector<Task<Result<int>>> tasks;
  tasks.push_back(hold(gate));
  for (std::size_t i = 0; i < Committer::kQueueBound + 2; ++i) tasks.push_back(count({}));
  tasks.push_back(open_gate(gate));
  const auto results = run_all(std::move(tasks));
  const Result<int>& last = results[Committer::kQueueBound + 2];
  ASSERT_FALSE(last);
  EXPECT_EQ(kind_of(last), ErrorKind::kUnavailable);
  EXPECT_TRUE(results[1]);
}

TEST_F(CommitterTest, AfterAFailedWriteNothingIsEverAcknowledged) {
  target.fail_writes = true;
  int told = 0;
  store({.before_commit = {}, .on_fatal = [&told](const Error& error) {
           ++told;
           EXPECT_EQ(error.kind(), ErrorKind::kIo);
           ASSERT_NE(error.cause(), nullptr);
         }});
  Gate gate;
  std::vector<Task<Result<int>>> tasks;
  tasks.push_back(hold(gate));
  tasks.push_back(put("a"));
  tasks.push_back(count({"a"}));
  tasks.push_back(open_gate(gate));
  const auto results = run_all(std::move(tasks));
  for (std::size_t i = 0; i < 3; ++i) {
    ASSERT_FALSE(results[i]);
    EXPECT_EQ(kind_of(results[i]), ErrorKind::kIo);
  }
  target.fail_writes = false;
  const auto later = run_task(put("b"));
  ASSERT_FALSE(later);
  EXPECT_EQ(kind_of(later), ErrorKind::kIo);
  store_.reset();
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(target.writes.empty());
}

TEST_F(CommitterTest, WithoutRoomAGroupFailsButForThoseThatReadBeforeIt) {
  bool room = false;
  store({.before_commit = [&room]() -> Result<void> {
           if (room) return {};
           return Error(ErrorKind::kNoSpace, "full");
         },
         .on_fatal = {}});
  Gate gate;
  std::vector<Task<Result<int>>> tasks;
  tasks.push_back(hold(gate));
  tasks.push_back(count({"a"}));
  tasks.push_back(put("a"));
  tasks.push_back(count({"a"}));
  tasks.push_back(open_gate(gate));
  const auto results = run_all(std::move(tasks));
  EXPECT_EQ(results[1].value(), 0);
  ASSERT_FALSE(results[2]);
  EXPECT_EQ(kind_of(results[2]), ErrorKind::kNoSpace);
  ASSERT_FALSE(results[3]) << "it read what was never written";
  EXPECT_TRUE(target.writes.empty());
  room = true;
  EXPECT_TRUE(run_task(put("b")));
  EXPECT_FALSE(target.stored.contains("a"));
}

}  // namespace
}  // namespace wherry::kv
