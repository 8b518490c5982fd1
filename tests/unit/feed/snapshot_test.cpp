#include "common/feed/snapshot.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/feed/snapshot_intake.h"
#include "common/kv/rocks_key_value.h"
#include "tests/unit/support/digest_of.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/run_task.h"
#include "tests/unit/support/temp_dir.h"

namespace wherry::feed {
namespace {

using testing::digest_of;
using testing::run_task;
using wherry::testing::kind_of;

/// A piece of a stream that a test has in its hands.
Task<Result<Buffer>> piece_of(std::string_view bytes) {
  Buffer buffer = Buffer::take();
  buffer.append(as_bytes(bytes));
  co_return buffer;
}

class SnapshotTest : public ::testing::Test {
 protected:
  void SetUp() override {
    origin = kv::RocksKeyValue::open(dir / "origin", pool, {}).value();
    copy = kv::RocksKeyValue::open(dir / "copy", pool, {}).value();
    const WallTime time = from_millis(1);
    add(Change::key_announced(KeyRecord::first(key.public_key()).encode(), time));
    for (const char* repository : {"a/one", "b/two", "c/three"}) {
      add(Change::repository_created(repository, time));
      add(Change::manifest_put(repository, digest_of(repository), time));
      add(Change::tag_set(repository, "v1", digest_of(repository), time));
    }
  }

  void add(const Change& change) {
    ASSERT_TRUE(run_task(origin->transact([&](kv::Transaction& transaction) { return append(transaction, change); })));
  }

  std::string written(const Visibility& visibility = {}, SnapshotStart start = {}) {
    std::string out;
    SendPiece send = [&out](std::string_view piece) { return keep(out, piece); };
    EXPECT_TRUE(run_task(write_snapshot(*origin, key, std::move(start), visibility, std::move(send))));
    return out;
  }
  static Task<Result<void>> keep(std::string& out, std::string_view piece) {
    out += piece;
    co_return Result<void>();
  }

  Result<SignedHead> take(const std::string& bytes, bool sees_all = true) {
    TrustedKeys keys;
    keys.add(key.public_key());
    SnapshotIntake intake(*copy, keys, false, sees_all);
    auto progress = run_task(intake.progress()).value();
    std::string_view left = bytes;
    const NextPiece next = [&left] {
      const std::string_view piece = left.substr(0, 100);  // records are cut anywhere
      left.remove_prefix(piece.size());
      return piece_of(piece);
    };
    const SnapshotIntake::Admit admit = [](const Head&) { return Result<void>(); };
    return run_task(intake.take(next, progress, admit));
  }
  /// All records but those that `is_left_out` wants to be missing.
  template <class Predicate>
  static std::string without(const std::string& bytes, Predicate is_left_out) {
    RecordReader reader;
    reader.feed(bytes);
    std::string out;
    for (auto record = reader.next(); record && *record; record = reader.next())
      if (!is_left_out(**record)) append_record(out, (*record)->kind, (*record)->payload);
    return out;
  }
  static std::string without_project(const std::string& bytes, std::string_view project) {
    return without(bytes, [&](const Record& record) {
      std::string_view payload = record.payload;
      if (record.kind == RecordKind::kRow) return project_of_row(*take_text(payload)) == project;
      return record.kind == RecordKind::kProject && SignedProject::decode(payload)->project == project;
    });
  }
  ProjectDigests staged() {
    return run_task(copy->transact([](kv::Transaction& transaction) {
             StagedTransaction within(transaction);
             return project_digests(within);
           }))
        .value();
  }

  testing::TempDir dir;
  Pool pool{"readers", 1};
  std::unique_ptr<kv::RocksKeyValue> origin;
  std::unique_ptr<kv::RocksKeyValue> copy;
  const SigningKey key = SigningKey::make();
};

TEST_F(SnapshotTest, GivesTheStateAtItsHead) {
  const auto head_of_it = take(written());
  ASSERT_TRUE(head_of_it) << head_of_it.error().to_string();
  EXPECT_EQ(head_of_it->head, run_task(head(*origin)).value());
  EXPECT_EQ(staged(), run_task(project_digests(*origin)).value());
}

TEST_F(SnapshotTest, OneThatSomebodyWhoSeesLessIsSentIsThatPartOfTheState) {
  const Visibility some(std::vector<std::string>{"a", "c"});
  ASSERT_TRUE(take(written(some), false));
  ProjectDigests expected = run_task(project_digests(*origin)).value();
  expected.erase("b");
  EXPECT_EQ(staged(), expected);
}

TEST_F(SnapshotTest, AProjectThatIsLeftOutIsMissedByWhoSeesAll) {
  const std::string cut = without_project(written(), "b");
  EXPECT_EQ(kind_of(take(cut)), ErrorKind::kInvalid);
  EXPECT_TRUE(staged().empty());
  EXPECT_TRUE(take(cut, false));  // it may be one that is not for this follower
}

TEST_F(SnapshotTest, ARowThatIsLeftOutIsMissed) {
  for (const std::string& prefix : state_prefixes()) {
    bool left_out = false;
    const std::string cut = without(written(), [&](const Record& record) {
      std::string_view payload = record.payload;
      const bool fits = !left_out && record.kind == RecordKind::kRow && take_text(payload)->starts_with(prefix);
      left_out = left_out || fits;
      return fits;
    });
    if (!left_out) continue;
    EXPECT_EQ(kind_of(take(cut)), ErrorKind::kInvalid) << prefix;
    EXPECT_EQ(kind_of(take(cut, false)), ErrorKind::kInvalid) << prefix;
  }
}

TEST_F(SnapshotTest, DigestsOfTwoMomentsAreNotMixed) {
  const std::string before = written();
  add(Change::repository_created("d/four", from_millis(2)));
  const std::string after = written();
  std::string last_project;
  without(before, [&](const Record& record) {
    if (record.kind == RecordKind::kProject) append_record(last_project, record.kind, record.payload);
    return true;
  });
  const std::string mixed = without(after, [](const Record& record) { return record.kind == RecordKind::kProject; });
  EXPECT_EQ(kind_of(take(mixed + last_project)), ErrorKind::kInvalid);
  EXPECT_TRUE(take(after));
}

TEST_F(SnapshotTest, AProjectIsProvenOnce) {
  std::string projects;
  const std::string whole = written();
  without(whole, [&](const Record& record) {
    if (record.kind == RecordKind::kProject) append_record(projects, record.kind, record.payload);
    return true;
  });
  EXPECT_EQ(kind_of(take(whole + projects)), ErrorKind::kInvalid);
}

TEST_F(SnapshotTest, WhatAnotherKeySignedIsNotBelieved) {
  const SigningKey stranger = SigningKey::make();
  std::string out;
  SendPiece send = [&out](std::string_view piece) { return keep(out, piece); };
  ASSERT_TRUE(run_task(write_snapshot(*origin, stranger, {}, {}, std::move(send))));
  EXPECT_EQ(kind_of(take(out)), ErrorKind::kInvalid);
}

TEST_F(SnapshotTest, OneThatBrokeOffAnywhereGoesOn) {
  const std::string whole = written();
  TrustedKeys keys;
  keys.add(key.public_key());
  for (std::size_t cut = 0; cut < whole.size(); cut += 397) {
    EXPECT_FALSE(take(whole.substr(0, cut))) << cut;
    SnapshotIntake intake(*copy, keys, false, true);
    const auto progress = run_task(intake.progress()).value();
    SnapshotStart start;
    if (progress.base) start = {progress.base->head, progress.last_row};
    ASSERT_TRUE(take(written({}, start))) << cut;
    EXPECT_EQ(staged(), run_task(project_digests(*origin)).value()) << cut;
    ASSERT_TRUE(run_task(intake.drop()));
  }
}

}  // namespace
}  // namespace wherry::feed
