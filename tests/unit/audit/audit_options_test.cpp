#include <string>

#include "master/audit/options.h"
#include "tests/unit/audit/audit_fixture.h"

namespace wherry::audit {
namespace {

using wherry::testing::kind_of;
using wherry::testing::write_file;

class AuditOptionsTest : public AuditFolder {
 protected:
  Result<AuditOptions> options_of(const std::string& yaml) {
    write_file(dir_ / "config.yaml", yaml);
    auto config = ConfigSection::load(dir_ / "config.yaml");
    if (!config) return config.error();
    return read_audit(*config);
  }
};

TEST_F(AuditOptionsTest, AreReadFromTheSectionAudit) {
  auto options = options_of("audit:\n  rotate-bytes: 2MiB\n  keep-bytes: 1GiB\n  syslog: tcp://log.example:601\n");
  ASSERT_TRUE(options) << options.error().to_string();
  EXPECT_EQ(options->rotate_bytes, 2U << 20);
  EXPECT_EQ(options->keep_bytes, 1U << 30);
  EXPECT_EQ(options->syslog->to_string(), "tcp://log.example:601");
  options = options_of("listen: x\n");
  ASSERT_TRUE(options);
  EXPECT_EQ(options->rotate_bytes, 64U << 20);
  EXPECT_EQ(options->keep_bytes, std::uint64_t{10} << 30);
  EXPECT_FALSE(options->syslog);
}

TEST_F(AuditOptionsTest, AWrongValueIsSaidWithItsPlace) {
  for (const char* line : {"rotate-bytes: 1KiB", "rotate-bytes: x", "keep-bytes: 127MiB", "syslog: log.example:601",
                           "syslog: http://log.example:601", "sys-log: x"}) {
    auto options = options_of("audit:\n  " + std::string(line) + "\n");
    ASSERT_EQ(kind_of(options), ErrorKind::kInvalid) << line;
    EXPECT_NE(options.error().message().find("config.yaml:2"), std::string::npos) << options.error().message();
  }
  EXPECT_TRUE(options_of("audit:\n  keep-bytes: 0\n"));
}

TEST(SyslogTarget, IsReadAndWritten) {
  for (const char* text : {"tcp://127.0.0.1:601", "udp://log.example:514", "udp://[::1]:514"}) {
    auto target = SyslogTarget::parse(text);
    ASSERT_TRUE(target) << text;
    EXPECT_EQ(target->to_string(), text);
  }
  for (const char* text : {"", "tcp://", "tcp://host", "tcp://:1", "tcp://host:0", "tcp://host:70000", "tcp://host:x",
                           "tcp://::1:514", "tls://host:1", "tcp://me@host:1", "tcp://host:1/", "udp://[]:1"})
    EXPECT_EQ(kind_of(SyslogTarget::parse(text)), ErrorKind::kInvalid) << text;
}

}  // namespace
}  // namespace wherry::audit
