#include "master/audit/audit_log.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <latch>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/audit/audit_fixture.h"
#include "tests/unit/support/turned_clock.h"

namespace wherry::audit {
namespace {

using wherry::testing::kind_of;
using wherry::testing::run_all;

class AuditLogTest : public AuditFolder {};

TEST_F(AuditLogTest, WhatWasAnsweredStandsInItsFile) {
  wherry::testing::TurnedClock clock;
  AuditOptions options;
  options.clock = &clock;
  auto log = open(options);
  ASSERT_TRUE(record(*log, event_of("login", "user/alice")));
  EXPECT_EQ(lines_of(file(1)),
            std::vector{line_of(1, kNoHash, body_of(event_of("login", "user/alice"), clock.wall()))});
  struct stat about{};
  ASSERT_EQ(::stat(folder().c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0700U);
  ASSERT_EQ(::stat(file(1).c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600U);
}

TEST_F(AuditLogTest, TheChainGoesOnOverFilesAndOpenings) {
  for (int opening = 0; opening < 4; ++opening) write_events(10);
  const AuditVerdict found = verdict();
  EXPECT_FALSE(found.fault) << found.fault->to_string();
  EXPECT_EQ(found.events(), 40U);
  EXPECT_EQ(found.first, 1U);
  EXPECT_GT(found.files, 8U);
  EXPECT_EQ(found.files, names().size());
  EXPECT_EQ(found.last_hash, hash_of(lines_of(folder() + "/" + names().back()).back()));
}

TEST_F(AuditLogTest, OldFilesGoBeyondWhatIsToBeKeptAndTheRestIsVerified) {
  AuditOptions options;
  options.rotate_bytes = 1024;
  options.keep_bytes = 4096;
  auto log = open(options);
  ASSERT_TRUE(record_all(*log, std::vector(60, event_of("login"))));
  std::uint64_t bytes = 0;
  for (const std::string& name : names()) bytes += std::filesystem::file_size(folder() + "/" + name);
  EXPECT_LE(bytes, options.keep_bytes + 1024);
  EXPECT_GT(bytes, options.keep_bytes / 2);
  AuditVerdict found = verdict();
  EXPECT_FALSE(found.fault) << found.fault->to_string();
  EXPECT_GT(found.first, 40U);
  EXPECT_EQ(found.last, 60U);
  log.reset();
  log = open(options);
  ASSERT_TRUE(record(*log, event_of("login")));
  found = verdict();
  EXPECT_FALSE(found.fault) << found.fault->to_string();
  EXPECT_EQ(found.last, 61U);
}

TEST_F(AuditLogTest, EventsThatComeTogetherAreSyncedTogetherInTheOrderOfTheirCalls) {
  constexpr int kThreads = 4;
  constexpr int kEach = 500;
  std::latch all_called(kThreads * kEach);
  AuditOptions options;
  options.rotate_bytes = 100'000;
  options.sync = [&all_called](int fd) {
    all_called.wait();
    return ::fdatasync(fd);
  };
  auto log = open(options);
  const auto call = [&](int thread, int number) {
    // Made when the task is made; queued, in order, when run_all() begins them.
    auto task = log->record(event_of("login", std::to_string(number), std::to_string(thread)));
    all_called.count_down();
    return task;
  };
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread)
      threads.emplace_back([&call, thread] {
        std::vector<Task<Result<void>>> tasks;
        for (int i = 0; i < kEach; ++i) tasks.push_back(call(thread, i));
        for (const auto& outcome : run_all(std::move(tasks))) EXPECT_TRUE(outcome);
      });
  }
  std::map<std::string, int> next;
  auto walked = AuditReader(folder()).walk(AuditQuery(), [&next](AuditRecord&& each) {
    EXPECT_EQ(each.event.target, std::to_string(next[each.event.actor.name]++)) << "of " << each.event.actor.name;
    return true;
  });
  EXPECT_TRUE(walked);
  for (const auto& [thread, count] : next) EXPECT_EQ(count, kEach) << thread;
  EXPECT_EQ(verdict().events(), 2'000U);
  EXPECT_EQ(metric("wherry_audit_events_total"), "2000");
  // Each of the six files has one of its own, and each thread may come a little later than the others.
  EXPECT_LE(std::stoi(metric("wherry_audit_syncs_total")), 40);
}

/// A disk whose first sync takes as long as the test wants.
struct SlowDisk {
  std::latch begun{1};
  std::latch go_on{1};
  std::atomic<bool> first{true};

  AuditOptions options() {
    AuditOptions with;
    with.sync = [this](int fd) {
      if (first.exchange(false)) {
        begun.count_down();
        go_on.wait();
      }
      return ::fdatasync(fd);
    };
    return with;
  }
};

TEST_F(AuditLogTest, AFullQueueRefusesEventsAndALaterOneTellsHowManyAreLost) {
  SlowDisk disk;
  auto log = open(disk.options());
  log->note(event_of("first"));
  disk.begun.wait();
  for (std::size_t i = 0; i < AuditLog::kQueueBound + 3; ++i) log->note(event_of("note"));
  EXPECT_EQ(kind_of(record(*log, event_of("refused"))), ErrorKind::kUnavailable);
  EXPECT_EQ(metric("wherry_audit_dropped_total"), "3");
  disk.go_on.count_down();
  log.reset();

  AuditQuery query;
  query.action = "audit.dropped";
  auto page = AuditReader(folder()).read(query);
  ASSERT_TRUE(page);
  ASSERT_EQ(page->records.size(), 1U);
  EXPECT_EQ(page->records[0].sequence, AuditLog::kQueueBound + 2);
  EXPECT_EQ(page->records[0].event.actor.kind, ActorKind::kSystem);
  EXPECT_EQ(page->records[0].event.after.json(), R"({"events":4})");
  EXPECT_EQ(verdict().events(), AuditLog::kQueueBound + 2);
}

TEST_F(AuditLogTest, TheQueueIsBoundedInBytesToo) {
  SlowDisk disk;
  auto log = open(disk.options());
  log->note(event_of("first"));
  disk.begun.wait();
  const AuditEvent large = large_event(30'000);
  std::size_t notes = 0;
  for (; metric("wherry_audit_dropped_total") == "0" && notes < 1'000; ++notes) log->note(large);
  EXPECT_GT(notes, 200U);
  EXPECT_LT(notes, AuditLog::kQueueBytes / 30'000 + 2);
  disk.go_on.count_down();
}

TEST_F(AuditLogTest, NothingIsAnsweredAfterAFailedSync) {
  int syncs = 0;
  std::atomic<int> told = 0;
  AuditOptions options;
  options.sync = [&syncs](int fd) {
    if (++syncs != 2) return ::fdatasync(fd);
    errno = EIO;
    return -1;
  };
  options.on_fatal = [&told](const Error&) { ++told; };
  auto log = open(options);
  EXPECT_TRUE(record(*log, event_of("first")));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(kind_of(record(*log, event_of("lost"))), ErrorKind::kIo);
  log->note(event_of("lost"));
  log.reset();
  EXPECT_EQ(syncs, 2) << "a failed sync is never tried again";
  EXPECT_EQ(told, 1);
  EXPECT_EQ(metric("wherry_audit_events_total"), "1");
}

TEST_F(AuditLogTest, AFullDiskRefusesEventsUntilThereIsRoom) {
  const std::string disk = folder();
  std::filesystem::create_directory(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=64k") != 0) GTEST_SKIP() << "may not mount";
  struct Unmount {
    std::string path;
    ~Unmount() { ::umount2(path.c_str(), MNT_DETACH); }
  } unmount{disk};
  wherry::testing::write_file(disk + "/other", std::string(40'000, 'x'));
  auto log = open();
  const AuditEvent event = large_event(3'000);
  Result<void> recorded;
  int fit = 0;
  for (; fit < 30 && recorded; ++fit) recorded = record(*log, event);
  EXPECT_EQ(kind_of(recorded), ErrorKind::kNoSpace);
  log->note(event);
  EXPECT_EQ(kind_of(record(*log, event)), ErrorKind::kNoSpace);
  std::filesystem::remove(disk + "/other");
  EXPECT_TRUE(record(*log, event_of("again")));
  log.reset();
  const AuditVerdict found = verdict();
  EXPECT_FALSE(found.fault) << found.fault->to_string();
  EXPECT_EQ(found.unfinished_bytes, 0U);
  EXPECT_EQ(found.events(), static_cast<std::uint64_t>(fit - 1) + 2) << "of those, one tells of the note";
}

/// A small file system for the log alone, where this may be mounted.
struct SmallDisk {
  std::string path;
  bool is_mounted;
  SmallDisk(std::string at, const char* size) : path(std::move(at)) {
    std::filesystem::create_directory(path);
    is_mounted = ::mount("tmpfs", path.c_str(), "tmpfs", 0, size) == 0;
  }
  ~SmallDisk() {
    if (is_mounted) ::umount2(path.c_str(), MNT_DETACH);
  }
  void fill() const {
    std::ofstream filler(path + "/filler", std::ios::app);
    while (filler << std::string(4096, 'x') << std::flush) {
    }
  }
};

Task<Result<void>> record_in_room(AuditLog* log, const AuditEvent* event, std::function<void()> meanwhile) {
  auto room = co_await log->room();
  if (!room) co_return room.error();
  meanwhile();
  co_return co_await log->record(*event, *room);
}

TEST_F(AuditLogTest, WhatRoomWasPromisedToIsWrittenHoweverFullTheDiskIs) {
  const SmallDisk disk(folder(), "size=4m");
  if (!disk.is_mounted) GTEST_SKIP() << "may not mount";
  AuditOptions options;
  options.rotate_bytes = 2'000;  // so that a new file is due, for which there is no room
  auto log = open(options);
  EXPECT_TRUE(record(*log, large_event(3'000)));
  AuditEvent event = large_event(30'000);
  event.action = "promised";
  const auto promised = wherry::testing::run_task(record_in_room(log.get(), &event, [&] {
    disk.fill();
    for (int i = 0; i < 1'000; ++i) log->note(large_event(30'000));  // takes all that is not promised
  }));
  EXPECT_TRUE(promised) << promised.error().to_string();
  const auto refused = wherry::testing::run_task(record_in_room(log.get(), &event, [] { ADD_FAILURE(); }));
  EXPECT_EQ(kind_of(refused), ErrorKind::kNoSpace);
  EXPECT_NE(metric("wherry_audit_dropped_total"), "0");
  std::filesystem::remove(disk.path + "/filler");
  EXPECT_TRUE(wherry::testing::run_task(record_in_room(log.get(), &event, [] {})));
  log.reset();
  const AuditVerdict found = verdict();
  EXPECT_FALSE(found.fault) << found.fault->to_string();
  EXPECT_EQ(found.unfinished_bytes, 0U);
  AuditQuery query;
  query.action = "promised";
  auto page = AuditReader(folder()).read(query);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->records.size(), 2U);
}

TEST_F(AuditLogTest, RoomThatIsNotUsedIsGivenBackAndThereIsSoMuchOfIt) {
  auto log = open();
  const auto take_all = [](AuditLog* of) -> Task<Result<void>> {
    std::vector<AuditLog::Room> rooms;
    for (std::size_t i = 0; i < AuditLog::kMostRooms; ++i) {
      auto room = co_await of->room();
      if (!room) co_return room.error();
      rooms.push_back(std::move(*room));
    }
    auto one_more = co_await of->room();
    EXPECT_EQ(kind_of(one_more), ErrorKind::kUnavailable);
    rooms.clear();
    auto again = co_await of->room();
    if (!again) co_return again.error();
    co_return co_await of->record(event_of("at last"), *again);
  };
  const auto done = wherry::testing::run_task(take_all(log.get()));
  EXPECT_TRUE(done) << done.error().to_string();
  log.reset();
  EXPECT_EQ(verdict().events(), 1U);
  EXPECT_EQ(std::filesystem::file_size(file(1)), lines_of(file(1))[0].size() + 1) << "readers see nothing of the room";
}

}  // namespace
}  // namespace wherry::audit
