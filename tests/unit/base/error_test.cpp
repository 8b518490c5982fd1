#include "common/base/error.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "common/base/log.h"
#include "common/base/random.h"
#include "tests/unit/support/error_kind.h"

namespace wherry {
namespace {

TEST(Error, TellsItsCausesToTheLogAlone) {
  const Error error = Error(ErrorKind::kUpstream, "fetch {}", "x")
                          .with_cause(Error(ErrorKind::kIo, "read").with_cause(Error(ErrorKind::kIo, "disk")));
  EXPECT_EQ(error.message(), "fetch x");
  EXPECT_EQ(error.to_string(), "fetch x: read: disk");
  EXPECT_EQ(error.kind(), ErrorKind::kUpstream);
  ASSERT_NE(error.cause(), nullptr);
  EXPECT_EQ(error.cause()->message(), "read");
}

TEST(Error, AMessageWithoutArgumentsIsNotAFormat) {
  EXPECT_EQ(Error(ErrorKind::kInvalid, "{} %s {0}").message(), "{} %s {0}");
}

TEST(Error, ACopyKeepsDetailAndCause) {
  const Error error = Error(ErrorKind::kDenied, "no").with_detail("{}").with_cause(Error(ErrorKind::kIo, "why"));
  const Error copy = error;
  EXPECT_EQ(copy.detail_json(), "{}");
  EXPECT_EQ(copy.to_string(), "no: why");
}

TEST(Error, AFullDiskOrQuotaIsNotAnyFailure) {
  EXPECT_EQ(system_error(ENOSPC, "write x").kind(), ErrorKind::kNoSpace);
  EXPECT_EQ(system_error(EDQUOT, "write x").kind(), ErrorKind::kNoSpace);
  EXPECT_EQ(system_error(EIO, "write x").kind(), ErrorKind::kIo);
  EXPECT_EQ(system_error(ENOENT, "open x").message(), "open x: No such file or directory");
}

TEST(Result, AnErrorIsAResultOfAnyType) {
  const auto fails = []() -> Result<std::string> { return Error(ErrorKind::kNotFound, "no"); };
  const auto works = []() -> Result<std::string> { return "yes"; };
  EXPECT_EQ(testing::kind_of(fails()), ErrorKind::kNotFound);
  EXPECT_EQ(works().value(), "yes");
}

TEST(Log, ALevelHasOneNameAlone) {
  EXPECT_EQ(log::parse_level("warn").value(), log::Level::kWarn);
  for (const char* wrong : {"", "WARN", "warning", "trace", "info ", "0"})
    EXPECT_EQ(testing::kind_of(log::parse_level(wrong)), ErrorKind::kInvalid) << wrong;
}

TEST(Random, HasTheLengthAskedForAndNeverComesTwice) {
  EXPECT_EQ(random_hex(0), "");
  const std::string one = random_hex(16);
  EXPECT_EQ(one.size(), 32u);
  EXPECT_EQ(one.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(one, random_hex(16));
}

}  // namespace
}  // namespace wherry
