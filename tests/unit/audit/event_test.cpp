#include "master/audit/event.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "master/audit/chain.h"
#include "tests/unit/audit/audit_fixture.h"

namespace wherry::audit {
namespace {

using Json = nlohmann::ordered_json;
using wherry::testing::kind_of;

const WallTime kThen = *parse_time("2026-11-24T14:15:58.123Z");

std::string body_line(const AuditEvent& event) { return line_of(1, kNoHash, body_of(event, kThen)); }

TEST(AuditEvent, StandsInOneLineOfJson) {
  AuditEvent event = event_of("user.update", "user/bob");
  event.result = Outcome::kDenied;
  event.reason = "no grant";
  event.before = AuditDocument(Json{{"admin", false}});
  event.after = AuditDocument(Json{{"admin", true}, {"password", "p"}});
  EXPECT_EQ(
      body_line(event),
      R"({"seq":1,"prev":"0000000000000000000000000000000000000000000000000000000000000000",)"
      R"("time":"2026-11-24T14:15:58.123Z","actor":{"id":"u-1","name":"alice","kind":"user"},)"
      R"("action":"user.update","target":"user/bob","remote":"10.0.0.7","request_id":"r-1",)"
      R"("result":"denied","reason":"no grant","before":{"admin":false},"after":{"admin":true,"password":"***"}})");
}

TEST(AuditEvent, IsReadAsItWasWritten) {
  AuditEvent event = event_of("login", "user/\xc3\xa4\n\"");
  event.actor.kind = ActorKind::kRobot;
  event.result = Outcome::kFailed;
  event.after = AuditDocument(Json{{"a", {1, 2}}});
  event.time = *parse_time("2020-02-29");
  const std::string line = body_line(event);
  auto record = parse_record(line);
  ASSERT_TRUE(record) << record.error().to_string();
  EXPECT_EQ(record->line, line);
  EXPECT_EQ(record->sequence, 1U);
  EXPECT_EQ(record->previous_hash, kNoHash);
  EXPECT_EQ(line_of(1, kNoHash, body_of(record->event, kThen)), line);
}

TEST(AuditEvent, TellsOfTheNodeThatVouchesForItsAddress) {
  AuditEvent event = event_of("login");
  event.via = "paris";
  const std::string line = body_line(event);
  EXPECT_NE(line.find(R"("remote":"10.0.0.7","via":"paris","request_id")"), std::string::npos) << line;
  auto record = parse_record(line);
  ASSERT_TRUE(record) << record.error().to_string();
  EXPECT_EQ(record->event.via, "paris");
}

TEST(AuditEvent, ALongTextIsCutWithAMarkBetweenCharacters) {
  for (const char* filler : {"x", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"}) {
    AuditEvent event = event_of("login");
    while (event.target.size() <= 5 * kMaxTextBytes) event.target += filler;
    auto record = parse_record(body_line(event));
    ASSERT_TRUE(record);
    const std::string& target = record->event.target;
    EXPECT_LE(target.size(), kMaxTextBytes);
    EXPECT_GT(target.size(), kMaxTextBytes - 4);
    EXPECT_TRUE(target.ends_with(kCutMark));
    EXPECT_EQ(target.find("\xef\xbf\xbd"), std::string::npos) << "cut in a character";
  }
  AuditEvent event = event_of("login", std::string(kMaxTextBytes, 'x'));
  EXPECT_EQ(parse_record(body_line(event))->event.target, event.target);
}

TEST(AuditEvent, HostileTextsStayInOneValidLineWithinItsBound) {
  const std::string hostile = "a\nb\r\x1b[2J\x7f\xff\xc3\",\"result\":\"ok";
  AuditEvent event(hostile, hostile);
  event.actor.id = event.actor.name = event.remote = event.request_id = event.reason = hostile;
  const std::string line = body_line(event);
  for (const char c : line) EXPECT_TRUE(c < 0 || (c >= 0x20 && c != 0x7f)) << static_cast<int>(c);
  auto record = parse_record(line);
  ASSERT_TRUE(record) << record.error().to_string();
  EXPECT_EQ(record->event.target, "a\nb\r\x1b[2J\x7f\xef\xbf\xbd\xef\xbf\xbd\",\"result\":\"ok");

  const std::string worst(4 * kMaxTextBytes, '\x01');
  AuditEvent longest(worst, worst);
  longest.actor.id = longest.actor.name = longest.remote = longest.request_id = longest.reason = worst;
  longest.before = longest.after = AuditDocument(Json(std::string(100'000, '"')));
  EXPECT_LT(line_of(UINT64_MAX, kNoHash, body_of(longest, kThen)).size(), kMaxLineBytes);
}

TEST(AuditEvent, ALineThatIsNoneIsRefused) {
  const std::string good = body_line(event_of("login"));
  ASSERT_TRUE(parse_record(good));
  for (const std::string member :
       {"seq", "prev", "time", "actor", "id", "name", "kind", "action", "target", "remote", "request_id", "result"}) {
    std::string without = good;
    without.replace(without.find("\"" + member + "\""), member.size() + 2, "\"else\"");
    EXPECT_EQ(kind_of(parse_record(without)), ErrorKind::kCorrupt) << member;
  }
  for (const char* text : {"", "{", "[]", "7", "{}"})
    EXPECT_EQ(kind_of(parse_record(text)), ErrorKind::kCorrupt) << text;
}

TEST(AuditTime, IsReadInEachFormOfRfc3339) {
  struct Case {
    const char* text;
    const char* time;
  };
  constexpr Case kCases[] = {
      {"2026-11-24", "2026-11-24T00:00:00.000Z"},
      {"2026-11-24T14:15:58Z", "2026-11-24T14:15:58.000Z"},
      {"2026-11-24t14:15:58z", "2026-11-24T14:15:58.000Z"},
      {"2026-11-24T14:15:58.5Z", "2026-11-24T14:15:58.500Z"},
      {"2026-11-24T14:15:58.123456789Z", "2026-11-24T14:15:58.123Z"},
      {"2026-11-24T14:15:58.123+01:30", "2026-11-24T12:45:58.123Z"},
      {"2026-11-24T14:15:58-05:00", "2026-11-24T19:15:58.000Z"},
  };
  for (const Case& each : kCases) {
    const auto time = parse_time(each.text);
    ASSERT_TRUE(time) << each.text;
    EXPECT_EQ(to_rfc3339(*time), each.time) << each.text;
  }
  for (const char* text :
       {"", "2026", "2026-13-01", "2026-02-29", "2026-11-24 14:15:58Z", "2026-11-24T14:15Z", "2026-11-24T14:15:58",
        "2026-11-24T24:15:58Z", "2026-11-24T14:15:58.Z", "2026-11-24T14:15:58Zx", "2026-11-24T14:15:58+1:00",
        "2026-11-24x", "+026-11-24", "2026-11-24T14:15:58+01:00x"})
    EXPECT_FALSE(parse_time(text)) << text;
}

}  // namespace
}  // namespace wherry::audit
