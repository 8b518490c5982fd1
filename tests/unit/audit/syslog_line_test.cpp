#include "master/audit/syslog_line.h"

#include <string>

#include "tests/unit/audit/audit_fixture.h"

namespace wherry::audit {
namespace {

SyslogOrigin origin_of_tests() {
  SyslogOrigin origin;
  origin.host = "host";
  origin.process = "12";
  return origin;
}

std::string syslog_of(AuditEvent event) {
  AuditRecord record;
  record.sequence = 7;
  record.event = std::move(event);
  record.event.time = parse_time("2026-11-24T14:15:58.123Z");
  return syslog_line(record, origin_of_tests());
}

TEST(SyslogLine, HasTheEventAsStructuredDataAndInWords) {
  EXPECT_EQ(syslog_of(event_of("tag.delete", "repository/team/app:1.0")),
            "<110>1 2026-11-24T14:15:58.123Z host wherry-master 12 tag.delete [audit@32473 seq=\"7\" actor=\"alice\" "
            "kind=\"user\" action=\"tag.delete\" target=\"repository/team/app:1.0\" result=\"ok\"] "
            "tag delete on repository/team/app:1.0 by user alice from 10.0.0.7");
  AuditEvent denied = event_of("login", "");
  denied.actor = AuditActor();
  denied.result = Outcome::kDenied;
  denied.reason = "wrong password";
  EXPECT_EQ(syslog_of(denied),
            "<108>1 2026-11-24T14:15:58.123Z host wherry-master 12 login [audit@32473 seq=\"7\" actor=\"\" "
            "kind=\"anonymous\" action=\"login\" target=\"\" result=\"denied\"] "
            "login by anonymous from 10.0.0.7: denied, wrong password");
  denied.result = Outcome::kFailed;
  EXPECT_TRUE(syslog_of(denied).starts_with("<107>1 "));
}

TEST(SyslogLine, ValuesAreEscaped) {
  struct Case {
    const char* text;
    const char* value;
  };
  constexpr Case kCases[] = {
      {"plain", "plain"},       {"", ""},         {"a\"b", "a\\\"b"},       {"a\\b", "a\\\\b"},
      {"a]b", "a\\]b"},         {"[a=b", "[a=b"}, {"\\\"]", "\\\\\\\"\\]"}, {"a\nb\x1b", "a b "},
      {"\xc3\xa4", "\xc3\xa4"},
  };
  for (const Case& each : kCases) EXPECT_EQ(syslog_value(each.text), each.value) << each.text;
}

TEST(SyslogLine, NothingInAnEventBreaksItsFrameOrItsHeader) {
  AuditEvent hostile = event_of("a b\n" + std::string(40, 'x'), "x\"] <13>1\ny", "q]\"\\");
  hostile.reason = "r\ns";
  const std::string line = syslog_of(hostile);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_NE(line.find(" 12 a?b?xxxxxxxxxxxxxxxxxxxxxxxxxxxx [audit@32473 "), std::string::npos) << line;
  EXPECT_NE(line.find(R"(actor="q\]\"\\")"), std::string::npos) << line;
  EXPECT_NE(line.find(R"(target="x\"\] <13>1 y")"), std::string::npos) << line;
}

TEST(SyslogLine, OctetsAreCounted) {
  EXPECT_EQ(octet_counted("abc"), "3 abc");
  EXPECT_EQ(octet_counted("\xc3\xa4 b"), "4 \xc3\xa4 b");
}

}  // namespace
}  // namespace wherry::audit
