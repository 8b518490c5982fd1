#include "master/registry/upload_sessions.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/async/scope.h"
#include "common/async/sleep.h"
#include "common/base/bytes.h"
#include "common/registry/tables.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/run_task.h"
#include "tests/unit/support/temp_dir.h"
#include "tests/unit/support/turned_clock.h"

namespace wherry::master {
namespace {

using namespace std::chrono_literals;
using testing::kind_of;
using testing::run_task;
using testing::TurnedClock;

const std::string kId(32, 'a');

store::UploadState state_of(std::string_view bytes, DigestAlgorithm algorithm = DigestAlgorithm::kSha256) {
  Hasher hasher(algorithm);
  hasher.update(bytes);
  return {std::move(hasher), {}};
}

TEST(UploadSession, IsReadBackAsItWasWritten) {
  for (const auto algorithm : {DigestAlgorithm::kSha256, DigestAlgorithm::kSha512})
    for (const bool has_bytes : {false, true}) {
      UploadSession session(kId, "team/app", algorithm, "u-1", from_millis(1790000000123));
      if (has_bytes) session.advance(state_of("twelve bytes", algorithm), from_millis(1790000000456));
      const auto read = UploadSession::decode(kId, session.encode());
      ASSERT_TRUE(read) << read.error().message();
      EXPECT_EQ(read->id(), kId);
      EXPECT_EQ(read->repository(), "team/app");
      EXPECT_EQ(read->algorithm(), algorithm);
      EXPECT_EQ(read->touched(), session.touched());
      EXPECT_EQ(read->size(), has_bytes ? 12u : 0u);
      EXPECT_EQ(read->state().has_value(), has_bytes);
      EXPECT_EQ(read->encode(), session.encode());
      EXPECT_EQ(read->file(), "upload-" + kId);
    }
}

TEST(UploadSession, ARowThatIsNotInItsFormIsDamage) {
  UploadSession session(kId, "team/app", DigestAlgorithm::kSha256, "u-1", from_millis(1));
  const std::string empty = session.encode();
  session.advance(state_of("x"), from_millis(1));
  const std::string whole = session.encode();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    if (size == empty.size()) continue;  // that is a session without bytes
    EXPECT_EQ(kind_of(UploadSession::decode(kId, whole.substr(0, size))), ErrorKind::kCorrupt) << size;
  }
  EXPECT_EQ(kind_of(UploadSession::decode(kId, whole + '\0')), ErrorKind::kCorrupt);
  for (const char version : {'\0', '\1', '\3', '\x7f'}) {
    std::string other = whole;
    other[0] = version;
    EXPECT_EQ(kind_of(UploadSession::decode(kId, other)), ErrorKind::kCorrupt);
    other = whole;
    other[1] = static_cast<char>(version + 16);
    EXPECT_EQ(kind_of(UploadSession::decode(kId, other)), ErrorKind::kCorrupt);
  }
}

TEST(UploadSession, WhatIsReadOfAChangedRowIsWrittenBackTheSame) {
  UploadSession session(kId, "team/app", DigestAlgorithm::kSha256, "u-1", from_millis(1790000000123));
  session.advance(state_of("x"), from_millis(1790000000123));
  const std::string whole = session.encode();
  for (std::size_t i = 0; i < whole.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string other = whole;
      other[i] = static_cast<char>(other[i] ^ (1 << bit));
      const auto read = UploadSession::decode(kId, other);
      if (read) {
        EXPECT_EQ(read->encode(), other);
      }
    }
}

TEST(UploadSession, AStateOfAnotherAlgorithmOrATimeBefore1970IsDamage) {
  UploadSession session(kId, "a", DigestAlgorithm::kSha256, "u-1", from_millis(1));
  session.advance(state_of("x", DigestAlgorithm::kSha512), from_millis(1));
  EXPECT_EQ(kind_of(UploadSession::decode(kId, session.encode())), ErrorKind::kCorrupt);
  for (const std::int64_t millis : {std::int64_t{-1}, INT64_MIN}) {
    const UploadSession early(kId, "a", DigestAlgorithm::kSha256, "u-1", from_millis(millis));
    EXPECT_EQ(kind_of(UploadSession::decode(kId, early.encode())), ErrorKind::kCorrupt);
  }
}

class UploadSessionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    registry::StorageOptions options;
    options.directory = dir / "data";
    options.low_water_bytes = 1;
    auto opened = run_task(registry::Storage::open(options, pool, metrics));
    ASSERT_TRUE(opened) << opened.error().to_string();
    storage = std::move(*opened);
    sessions.emplace(*storage, clock);
  }
  UploadSession begin(std::string_view repository = "a") {
    return run_task(sessions->begin(RepositoryName::parse(repository).value(), DigestAlgorithm::kSha256, "u-1"))
        .value();
  }
  Result<UploadSession> find(const std::string& id, std::string_view repository = "a",
                             const std::string& owner = "u-1") {
    return run_task(sessions->find(RepositoryName::parse(repository).value(), id, owner));
  }
  std::size_t expire(std::chrono::milliseconds age) { return run_task(sessions->expire(age)).value(); }
  void write_row(const std::string& id, const std::string& row) {
    ASSERT_TRUE(run_task(storage->names().transact([&](kv::Transaction& transaction) -> Result<void> {
      transaction.put(registry::tables::upload_key(id), row);
      return {};
    })));
  }

  testing::TempDir dir;
  Pool pool{"disk", 2};
  Metrics metrics{"test"};
  TurnedClock clock;
  std::unique_ptr<registry::Storage> storage;
  std::optional<UploadSessions> sessions;
};

TEST_F(UploadSessionsTest, ASessionIsFoundInItsRepositoryAlone) {
  const auto session = begin("a");
  ASSERT_TRUE(find(session.id()));
  EXPECT_EQ(find(session.id())->size(), 0u);
  EXPECT_EQ(kind_of(find(session.id(), "b")), ErrorKind::kUploadUnknown);
  EXPECT_NE(begin("a").id(), session.id());
}

TEST_F(UploadSessionsTest, AnIdThatWeNeverGaveIsUnknownWhateverItHolds) {
  for (const std::string& id :
       {std::string(), std::string("x"), std::string(31, 'a'), std::string(33, 'a'), std::string(32, 'A'),
        std::string(32, 'g'), "../" + std::string(29, 'a'), std::string(31, 'a') + '\0', kId}) {
    EXPECT_EQ(kind_of(find(id)), ErrorKind::kUploadUnknown) << id;
    if (id != kId) {
      EXPECT_EQ(kind_of(run_task(sessions->hold(id))), ErrorKind::kUploadUnknown) << id;
    }
  }
}

TEST_F(UploadSessionsTest, WhatWasSavedIsFoundAndWhatWasCancelledIsNot) {
  auto session = begin();
  session.advance(state_of("x"), from_millis(1790000000999));
  ASSERT_TRUE(run_task(sessions->save(session)));
  EXPECT_EQ(find(session.id())->size(), 1u);
  EXPECT_EQ(find(session.id())->touched(), from_millis(1790000000999));
  ASSERT_TRUE(run_task(sessions->cancel(session)));
  EXPECT_EQ(kind_of(find(session.id())), ErrorKind::kUploadUnknown);
}

TEST_F(UploadSessionsTest, ADamagedRowIsNotTakenForAnUnknownSession) {
  write_row(kId, "?");
  EXPECT_EQ(kind_of(find(kId)), ErrorKind::kCorrupt);
}

Task<void> hold_and_note(UploadSessions& sessions, std::string id, std::vector<std::string>& story, std::string name) {
  auto held = co_await sessions.hold(std::move(id));
  story.push_back(name + (held ? " holds" : " does not"));
}

Task<std::vector<std::string>> two_hold(UploadSessions& sessions) {
  std::vector<std::string> story;
  auto first = co_await sessions.hold(kId);
  story.emplace_back(first ? "first holds" : "first does not");
  Scope scope;
  scope.spawn(hold_and_note(sessions, kId, story, "second"));
  scope.spawn(hold_and_note(sessions, std::string(32, 'b'), story, "another"));
  co_await sleep_for(1ms);
  story.emplace_back("first ends");
  first->end();
  first->end();
  co_await scope.join();
  co_return story;
}

TEST_F(UploadSessionsTest, OneRequestAtATimeHoldsASessionAndTheNextOneWaits) {
  EXPECT_EQ(run_task(two_hold(*sessions)),
            (std::vector<std::string>{"first holds", "another holds", "first ends", "second holds"}));
}

Task<std::vector<std::optional<ErrorKind>>> hold_too_long(UploadSessions& sessions, TurnedClock& clock) {
  std::vector<std::optional<ErrorKind>> kinds;
  {
    const auto first = co_await sessions.hold(kId);
    clock.advance_when_asked(3s);
    const auto second = co_await sessions.hold(kId);
    kinds.push_back(kind_of(second));
  }
  const auto third = co_await sessions.hold(kId);
  kinds.push_back(kind_of(third));
  co_return kinds;
}

TEST_F(UploadSessionsTest, WhoWaitsTooLongForASessionIsSentAwayAndDroppingAHoldEndsIt) {
  EXPECT_EQ(run_task(hold_too_long(*sessions, clock)),
            (std::vector<std::optional<ErrorKind>>{ErrorKind::kUnavailable, std::nullopt}));
}

Task<std::size_t> expire_while_held(UploadSessions& sessions, std::string id) {
  const auto held = co_await sessions.hold(std::move(id));
  co_return (co_await sessions.expire(0ms)).value();
}

TEST_F(UploadSessionsTest, OnlyWhatNobodyTouchesForLongEndsAndNothingThatIsHeld) {
  const auto old = begin();
  clock.advance(1s);
  const auto young = begin();
  EXPECT_EQ(expire(2s), 0u);
  EXPECT_EQ(expire(1s), 1u);
  EXPECT_EQ(kind_of(find(old.id())), ErrorKind::kUploadUnknown);
  EXPECT_TRUE(find(young.id()));
  EXPECT_EQ(run_task(expire_while_held(*sessions, young.id())), 0u);
  EXPECT_EQ(expire(0ms), 1u);
  EXPECT_EQ(expire(0ms), 0u);
}

TEST_F(UploadSessionsTest, RowsThatCannotBeReadEndAndStopNobodyElsesEnd) {
  for (const std::string& id : {std::string(32, '0'), std::string("../../etc/passwd"), std::string("\0\xff", 2),
                                std::string(300, 'x'), std::string()})
    write_row(id, "?");
  std::string far_away = UploadSession(kId, "a", DigestAlgorithm::kSha256, "u-1", from_millis(INT64_MIN)).encode();
  write_row(kId, far_away);
  const auto old = begin();
  clock.advance(10s);
  EXPECT_EQ(expire(1s), 7u);
  EXPECT_EQ(kind_of(find(old.id())), ErrorKind::kUploadUnknown);
  const auto left = run_task(storage->names().scan(kv::ScanRequest(registry::tables::uploads_prefix()))).value();
  EXPECT_TRUE(left.entries.empty());
}

}  // namespace
}  // namespace wherry::master
