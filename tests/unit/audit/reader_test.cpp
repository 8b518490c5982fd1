#include "master/audit/reader.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "tests/unit/audit/audit_fixture.h"

namespace wherry::audit {
namespace {

using wherry::testing::kind_of;
using wherry::testing::read_file;
using wherry::testing::write_file;

std::string joined_lines(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

class AuditReaderTest : public AuditFolder {
 protected:
  /// Sequences of the events that are asked for.
  std::vector<std::uint64_t> found(const AuditQuery& query) const {
    auto page = AuditReader(folder()).read(query);
    EXPECT_TRUE(page) << page.error().to_string();
    std::vector<std::uint64_t> sequences;
    if (page)
      for (const AuditRecord& record : page->records) sequences.push_back(record.sequence);
    return sequences;
  }
  void expect_fault(const std::string& path, std::uint64_t line, const std::string& what) const {
    const AuditVerdict seen = verdict();
    ASSERT_TRUE(seen.fault);
    EXPECT_EQ(seen.fault->file, path);
    EXPECT_EQ(seen.fault->line, line);
    EXPECT_NE(seen.fault->what.find(what), std::string::npos) << seen.fault->what;
  }
};

TEST_F(AuditReaderTest, EachConditionLeavesWhatFits) {
  AuditOptions options;
  options.rotate_bytes = 700;
  auto log = open(options);
  struct Event {
    const char* action;
    const char* target;
    const char* actor;
    const char* time;
  };
  constexpr Event kEvents[] = {
      {"login", "user/alice", "alice", "2026-11-24T10:00:00Z"},
      {"tag.delete", "repository/team/app:1", "bob", "2026-11-24T11:00:00Z"},
      {"tag.set", "repository/team/app:1", "alice", "2026-11-24T12:00:00Z"},
      {"tag.delete", "repository/other/app:1", "alice", "2026-11-24T11:30:00Z"},
      {"login", "user/b\"\\\n\xc3\xa4", "bob", "2026-11-24T13:00:00Z"},
  };
  for (const Event& each : kEvents) {
    AuditEvent event = event_of(each.action, each.target, each.actor);
    event.time = parse_time(each.time);
    // What stands in a document is not what is asked for.
    event.before =
        AuditDocument(nlohmann::ordered_json{{"name", "ali"}, {"action", "tag.x"}, {"target", "repository/team/"}});
    ASSERT_TRUE(record(*log, event));
  }
  using Change = std::function<void(AuditQuery&)>;
  struct Case {
    const char* name;
    Change change;
    std::vector<std::uint64_t> sequences;
  };
  const std::vector<Case> cases = {
      {"all", [](AuditQuery&) {}, {1, 2, 3, 4, 5}},
      {"actor", [](AuditQuery& q) { q.actor = "alice"; }, {1, 3, 4}},
      {"a part of an actor", [](AuditQuery& q) { q.actor = "ali"; }, {}},
      {"action", [](AuditQuery& q) { q.action = "tag."; }, {2, 3, 4}},
      {"target", [](AuditQuery& q) { q.target = "repository/team/"; }, {2, 3}},
      {"an escaped target", [](AuditQuery& q) { q.target = "user/b\"\\\n\xc3\xa4"; }, {5}},
      {"a part of one", [](AuditQuery& q) { q.target = "user/b\"\\"; }, {5}},
      {"since", [](AuditQuery& q) { q.since = parse_time("2026-11-24T11:30:00Z"); }, {3, 4, 5}},
      {"until", [](AuditQuery& q) { q.until = parse_time("2026-11-24T12:00:00Z"); }, {1, 2, 4}},
      {"after", [](AuditQuery& q) { q.after = 3; }, {4, 5}},
      {"after all", [](AuditQuery& q) { q.after = 9; }, {}},
      {"before", [](AuditQuery& q) { q.before = 3; }, {1, 2}},
      {"limit", [](AuditQuery& q) { q.limit = 2; }, {1, 2}},
      {"newest", [](AuditQuery& q) { q.newest = true, q.limit = 2; }, {4, 5}},
      {"newest of those", [](AuditQuery& q) { q.newest = true, q.limit = 2, q.actor = "alice"; }, {3, 4}},
      {"newest before", [](AuditQuery& q) { q.newest = true, q.limit = 2, q.before = 4; }, {2, 3}},
      {"newest, all", [](AuditQuery& q) { q.newest = true; }, {1, 2, 3, 4, 5}},
      {"all of it", [](AuditQuery& q) { q.actor = "alice", q.action = "tag", q.after = 3; }, {4}},
  };
  for (const Case& each : cases) {
    AuditQuery query;
    each.change(query);
    EXPECT_EQ(found(query), each.sequences) << each.name;
  }
}

TEST_F(AuditReaderTest, PagesGiveEachEventOnceInBothDirections) {
  write_events(20);
  for (const bool newest : {false, true}) {
    std::vector<std::uint64_t> all;
    AuditQuery query;
    query.limit = 3;
    query.newest = newest;
    for (bool more = true; more;) {
      auto page = AuditReader(folder()).read(query);
      ASSERT_TRUE(page);
      if (page->records.empty()) break;
      for (const AuditRecord& each : page->records) all.push_back(each.sequence);
      query.after = newest ? 0 : page->records.back().sequence;
      query.before = newest ? page->records.front().sequence : 0;
      more = page->more;
    }
    std::sort(all.begin(), all.end());
    ASSERT_EQ(all.size(), 20U);
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], i + 1);
  }
}

TEST_F(AuditReaderTest, APageOfLargeEventsIsBounded) {
  auto log = open();
  const AuditEvent large = large_event(30'000);
  constexpr std::uint64_t kEvents = AuditPage::kMaxBytes / 30'000 + 20;
  for (std::uint64_t i = 1; i < kEvents; ++i) log->note(large);
  ASSERT_TRUE(record(*log, large));
  for (const bool newest : {false, true}) {
    AuditQuery query;
    query.limit = 1'000;
    query.newest = newest;
    auto page = AuditReader(folder()).read(query);
    ASSERT_TRUE(page);
    EXPECT_TRUE(page->more);
    EXPECT_LT(page->records.size(), kEvents - 10);
    EXPECT_GT(page->records.size(), kEvents - 30);
    EXPECT_EQ((newest ? page->records.back() : page->records.front()).sequence, newest ? kEvents : 1);
  }
}

TEST_F(AuditReaderTest, AChangeIsFoundWithFileAndLine) {
  struct Case {
    const char* name;
    std::function<void(std::vector<std::string>&)> change;
    std::uint64_t line;
    const char* what;
  };
  const std::vector<Case> cases = {
      {"a flipped byte", [](auto& lines) { lines[1][lines[1].find("app:")] ^= 1; }, 3, "does not name the line before"},
      {"a flipped byte of a hash", [](auto& lines) { lines[1][30] = lines[1][30] == '0' ? '1' : '0'; }, 2,
       "does not name"},
      {"a removed line", [](auto& lines) { lines.erase(lines.begin() + 2); }, 3, "has the sequence 4 where 3 follows"},
      {"a removed first line", [](auto& lines) { lines.erase(lines.begin()); }, 1,
       "has the sequence 2 where 1 follows"},
      {"swapped lines", [](auto& lines) { std::swap(lines[3], lines[2]); }, 3, "has the sequence 4 where 3 follows"},
      {"a doubled line", [](auto& lines) { lines.insert(lines.begin() + 1, lines[0]); }, 2, "has the sequence 1"},
      {"a line between", [](auto& lines) { lines.insert(lines.begin() + 1, "{}"); }, 2, "does not begin with"},
      {"an empty line", [](auto& lines) { lines.insert(lines.begin() + 1, ""); }, 2, "does not begin with"},
      {"a broken last line", [](auto& lines) { lines[5].pop_back(); }, 6, "is not a JSON object"},
      {"a last line of something else",
       [](auto& lines) { lines[5].replace(lines[5].find("\"action\""), 8, "\"Action\""); }, 6, "action"},
      {"an endless line", [](auto& lines) { lines[4] += std::string(kMaxLineBytes, 'x'); }, 5, "is longer than"},
  };
  write_events(6, 1 << 20);
  const auto lines = lines_of(file(1));
  EXPECT_FALSE(verdict().fault);
  for (const Case& each : cases) {
    SCOPED_TRACE(each.name);
    auto changed = lines;
    each.change(changed);
    write_file(file(1), joined_lines(changed));
    expect_fault(file(1), each.line, each.what);
  }
}

TEST_F(AuditReaderTest, AChangeBetweenFilesIsFound) {
  write_events(14);
  const auto all = names();
  ASSERT_GE(all.size(), 4U);
  const auto path = [&](std::size_t i) { return folder() + "/" + all[i]; };
  const std::string second = read_file(path(1));
  std::string flipped = second;
  flipped[flipped.rfind("app:")] ^= 1;  // in its last line
  write_file(path(1), flipped);
  expect_fault(path(2), 1, "does not name the line before it");
  write_file(path(1), second.substr(0, second.size() - 1));
  expect_fault(path(1), lines_of(path(1)).size(), "ends before its newline");
  write_file(path(1), "");
  expect_fault(path(1), 1, "ends before its newline");
  std::filesystem::remove(path(1));
  expect_fault(path(2), 1, "where");
  write_file(path(1), second);
  std::filesystem::rename(path(3), folder() + "/" + segment_name(99));
  const AuditVerdict renamed = verdict();
  ASSERT_TRUE(renamed.fault);
  EXPECT_EQ(renamed.fault->line, 1U);
}

TEST_F(AuditReaderTest, OldFilesMayBeGoneFromTheFront) {
  write_events(14);
  std::filesystem::remove(file(1));
  const AuditVerdict rest = verdict();
  EXPECT_FALSE(rest.fault) << rest.fault->to_string();
  EXPECT_GT(rest.first, 1U);
  EXPECT_EQ(rest.events(), 14 - rest.first + 1);
}

TEST_F(AuditReaderTest, ALineThatIsBeingWrittenIsLeftForLater) {
  write_events(3, 1 << 20);
  write_file(file(1), read_file(file(1)) + "{\"seq\":4,\"prev");
  EXPECT_EQ(found(AuditQuery()), (std::vector<std::uint64_t>{1, 2, 3}));
  const AuditVerdict seen = verdict();
  EXPECT_FALSE(seen.fault);
  EXPECT_EQ(seen.last, 3U);
  EXPECT_EQ(seen.unfinished_bytes, 14U);
}

TEST_F(AuditReaderTest, ReadsAndVerifiesWhileTheLogIsWritten) {
  AuditOptions options;
  options.rotate_bytes = 4096;
  options.keep_bytes = 16'384;
  auto log = open(options);
  ASSERT_TRUE(record(*log, event_of("first")));
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < 20; ++i) log->note(event_of("login"));
    const AuditVerdict seen = verdict();
    ASSERT_FALSE(seen.fault) << seen.fault->to_string();
    AuditQuery query;
    query.newest = true;
    ASSERT_TRUE(AuditReader(folder()).read(query));
  }
}

TEST_F(AuditReaderTest, SaysWhereALineIsNoEventAndThatThereIsNoLog) {
  write_events(3, 1 << 20);
  auto lines = lines_of(file(1));
  lines[1] = "{}";
  write_file(file(1), joined_lines(lines));
  auto page = AuditReader(folder()).read(AuditQuery());
  ASSERT_EQ(kind_of(page), ErrorKind::kCorrupt);
  EXPECT_TRUE(page.error().message().starts_with(file(1) + ":2: ")) << page.error().message();
  EXPECT_EQ(kind_of(AuditReader(dir_ / "none").read(AuditQuery())), ErrorKind::kNotFound);
  EXPECT_EQ(kind_of(AuditReader(dir_ / "none").verify()), ErrorKind::kNotFound);
}

}  // namespace
}  // namespace wherry::audit
