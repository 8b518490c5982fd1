#include <filesystem>
#include <string>

#include "tests/unit/audit/audit_fixture.h"

namespace wherry::audit {
namespace {

using wherry::testing::kind_of;
using wherry::testing::read_file;
using wherry::testing::write_file;

class AuditRecovery : public AuditFolder {
 protected:
  void expect_corrupt(const std::string& place) {
    auto log = try_open();
    ASSERT_EQ(kind_of(log), ErrorKind::kCorrupt);
    EXPECT_TRUE(log.error().message().starts_with(place + ": ")) << log.error().message();
  }
};

TEST_F(AuditRecovery, ATornLastLineIsMovedAsideAndTheChainGoesOn) {
  write_events(2, 1 << 20);
  const std::string whole = read_file(file(1));
  for (const std::string& torn : {std::string("{\"seq\":3,\"pr"), std::string(700, '\0')}) {
    write_file(file(1), whole + torn);
    ASSERT_TRUE(open());
    EXPECT_EQ(read_file(file(1)), whole);
    EXPECT_EQ(read_file(file(1) + "." + std::to_string(whole.size()) + ".torn"), torn);
  }
  write_events(1, 1 << 20);
  const AuditVerdict found = verdict();
  EXPECT_FALSE(found.fault) << found.fault->to_string();
  EXPECT_EQ(found.last, 3U);
}

TEST_F(AuditRecovery, AFileWhoseFirstLineWasTornGoesOnAfterTheOneBeforeIt) {
  write_events(7);
  const std::string newest = folder() + "/" + names().back();
  const std::string first_line = lines_of(newest).front();
  const auto record = parse_record(first_line);
  ASSERT_TRUE(record);
  for (const std::string& left : {std::string(), first_line.substr(0, 30)}) {
    write_file(newest, left);
    ASSERT_TRUE(open());
    EXPECT_EQ(read_file(newest), "");
  }
  write_events(1);
  EXPECT_EQ(lines_of(newest).size(), 1U);
  const AuditVerdict found = verdict();
  EXPECT_FALSE(found.fault) << found.fault->to_string();
  EXPECT_EQ(found.last, record->sequence);
}

TEST_F(AuditRecovery, ACrashBeforeTheFirstLineOfAFileLeavesAChainThoughOldFilesAreNotKept) {
  AuditOptions options;
  options.rotate_bytes = 1024;
  options.keep_bytes = 1;
  auto log = open(options);
  ASSERT_TRUE(record_all(*log, std::vector(9, event_of("login"))));
  log.reset();
  ASSERT_EQ(names().size(), 2U);
  const std::uint64_t events = verdict().last;
  write_file(folder() + "/" + names().back(), "");
  log = open(options);
  ASSERT_TRUE(log);
  ASSERT_TRUE(record_all(*log, std::vector(9, event_of("login"))));
  const AuditVerdict found = verdict();
  EXPECT_FALSE(found.fault) << found.fault->to_string();
  EXPECT_GT(found.last, events);
}

TEST_F(AuditRecovery, AnEmptyLogIsMadeAnewWhenItsFirstLineWasTorn) {
  write_events(1);
  write_file(file(1), "{\"se");
  write_events(1);
  EXPECT_EQ(verdict().last, 1U);
}

TEST_F(AuditRecovery, WhatElseDoesNotFitIsAnErrorWithFileAndLine) {
  write_events(6, 1 << 20);
  const std::string whole = read_file(file(1));
  const auto lines = lines_of(file(1));
  struct Case {
    std::string content;
    int line;
  };
  std::string flipped = whole;
  flipped[flipped.find("app:2")] ^= 1;
  const std::vector<Case> cases = {
      {flipped, 4},
      {lines[0] + "\n" + lines[2] + "\n", 2},
      {lines[0] + "\n\n", 2},
      {lines[1] + "\n", 1},
      {whole + "garbage\n", 7},
      {whole + std::string(kMaxLineBytes, 'x'), 7},
  };
  for (const Case& each : cases) {
    write_file(file(1), each.content);
    expect_corrupt(file(1) + ":" + std::to_string(each.line));
    EXPECT_EQ(read_file(file(1)), each.content) << "nothing is changed";
  }
}

TEST_F(AuditRecovery, AnEmptyNewestFileHasToFollowTheOneBeforeIt) {
  write_events(2, 1 << 20);
  write_file(file(9), "");
  expect_corrupt(file(9) + ":1");
  std::filesystem::remove(file(1));
  expect_corrupt(file(9) + ":1");
}

}  // namespace
}  // namespace wherry::audit
