#include "common/config/config_file.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/temp_dir.h"

namespace wherry {
namespace {

using testing::kind_of;

class ConfigFileTest : public ::testing::Test {
 protected:
  ConfigSection load(const std::string& text) {
    testing::write_file(path, text);
    auto loaded = ConfigSection::load(path);
    EXPECT_TRUE(loaded) << loaded.error().message();
    return std::move(*loaded);
  }
  /// What loading or `read` says of a file, without the path before it.
  std::string complaint(const std::string& text, const std::function<Result<void>(ConfigSection&)>& read) {
    testing::write_file(path, text);
    auto loaded = ConfigSection::load(path);
    Result<void> outcome = loaded ? read(*loaded) : Result<void>(loaded.error());
    if (outcome) return "none";
    EXPECT_EQ(outcome.error().kind(), ErrorKind::kInvalid);
    EXPECT_TRUE(outcome.error().message().starts_with(path)) << outcome.error().message();
    return outcome.error().message().substr(path.size());
  }

  testing::TempDir dir;
  std::string path = dir / "w.yaml";
};

TEST_F(ConfigFileTest, ValuesAreReadAndAbsentOnesLeaveWhatWasThere) {
  auto file = load(
      "listen: 127.0.0.1:5000\nopen: true\nsize: 512MiB\ncount: 7\ntime: 5m\nempty:\nquoted: \"a: b\"\nin:\n  here: "
      "x\n");
  std::string listen = "before";
  std::string absent = "before";
  std::string empty = "before";
  std::string quoted;
  bool open = false;
  std::uint64_t size = 0;
  std::uint64_t count = 0;
  std::chrono::milliseconds time{0};
  ASSERT_TRUE(file.read("listen", listen));
  ASSERT_TRUE(file.read("absent", absent));
  ASSERT_TRUE(file.read("empty", empty));
  ASSERT_TRUE(file.read("quoted", quoted));
  ASSERT_TRUE(file.read("open", open));
  ASSERT_TRUE(file.read_bytes("size", size));
  ASSERT_TRUE(file.read_count("count", 1, 7, count));
  ASSERT_TRUE(file.read_duration("time", time));
  auto section = file.section("in");
  ASSERT_TRUE(section);
  std::string here;
  ASSERT_TRUE(section->read("here", here));
  EXPECT_TRUE(section->finish());
  EXPECT_TRUE(file.finish());
  EXPECT_EQ(listen, "127.0.0.1:5000");
  EXPECT_EQ(absent, "before");
  EXPECT_EQ(empty, "before");
  EXPECT_EQ(quoted, "a: b");
  EXPECT_TRUE(open);
  EXPECT_EQ(size, std::uint64_t{512} << 20);
  EXPECT_EQ(count, 7u);
  EXPECT_EQ(time, std::chrono::minutes(5));
  EXPECT_EQ(here, "x");
}

TEST_F(ConfigFileTest, AnEmptyFileHasNothingAndAnAbsentSectionIsEmpty) {
  for (const char* text : {"", "# only a comment\n", "---\n", "~\n"}) {
    auto file = load(text);
    auto section = file.section("limits");
    ASSERT_TRUE(section);
    EXPECT_TRUE(section->finish());
    EXPECT_TRUE(file.finish());
  }
}

TEST_F(ConfigFileTest, ADurationHasItsUnitAndABound) {
  const std::vector<std::pair<std::string, std::int64_t>> good = {{"0s", 0},
                                                                  {"250ms", 250},
                                                                  {"30s", 30'000},
                                                                  {"5m", 300'000},
                                                                  {"12h", 43'200'000},
                                                                  {"7d", 604'800'000},
                                                                  {"36500d", 3'153'600'000'000}};
  for (const auto& [text, millis] : good) {
    std::chrono::milliseconds time{-1};
    ASSERT_TRUE(load("t: " + text + "\n").read_duration("t", time)) << text;
    EXPECT_EQ(time.count(), millis) << text;
  }
  for (const std::string text : {"30",
                                 "s",
                                 "-1s",
                                 "+1s",
                                 "1.5s",
                                 "1 s",
                                 "1S",
                                 "1sec",
                                 "1us",
                                 "1w",
                                 "1m30s",
                                 "01s",
                                 "99999999999999999999s",
                                 "9223372036854775807ms",
                                 "18446744073709551615d",
                                 "300000000000d",
                                 "''",
                                 "36501d",
                                 "106751d",
                                 "9223372036854ms"}) {
    std::chrono::milliseconds time{-1};
    EXPECT_EQ(kind_of(load("t: " + text + "\n").read_duration("t", time)), ErrorKind::kInvalid) << text;
    EXPECT_EQ(time.count(), -1);
  }
}

TEST_F(ConfigFileTest, ASizeIsANumberWithOrWithoutItsUnit) {
  const std::vector<std::pair<std::string, std::uint64_t>> good = {{"0", 0},
                                                                   {"1", 1},
                                                                   {"64KiB", 65536},
                                                                   {"10MiB", 10485760},
                                                                   {"2GiB", std::uint64_t{2} << 30},
                                                                   {"1TiB", std::uint64_t{1} << 40},
                                                                   {"18446744073709551615", UINT64_MAX},
                                                                   {"16777215TiB", std::uint64_t{16777215} << 40}};
  for (const auto& [text, bytes] : good) {
    std::uint64_t size = 99;
    ASSERT_TRUE(load("s: " + text + "\n").read_bytes("s", size)) << text;
    EXPECT_EQ(size, bytes) << text;
  }
  for (const std::string text : {"KiB", "-1", "1.5GiB", "1 MiB", "1MB", "1mib", "1M", "0x10", "01", "1e9",
                                 "18446744073709551616", "16777216TiB", "18446744073709551615KiB"}) {
    std::uint64_t size = 99;
    EXPECT_EQ(kind_of(load("s: " + text + "\n").read_bytes("s", size)), ErrorKind::kInvalid) << text;
    EXPECT_EQ(size, 99u);
  }
}

TEST_F(ConfigFileTest, ACountKeepsItsBounds) {
  const auto read = [](ConfigSection& file) {
    std::uint64_t count = 0;
    return file.read_count("n", 1, 256, count);
  };
  for (const char* good : {"n: 1", "n: 256"}) EXPECT_EQ(complaint(good, read), "none") << good;
  for (const char* bad : {"n: 0", "n: 257", "n: -1", "n: 1.0", "n: many", "n: 99999999999999999999"})
    EXPECT_NE(complaint(bad, read), "none") << bad;
}

TEST_F(ConfigFileTest, AFlagIsTrueOrFalseAndNothingLikeIt) {
  for (const char* bad : {"yes", "no", "on", "True", "1", "0", "\"\""}) {
    const auto read = [](ConfigSection& file) {
      bool open = false;
      return file.read("open", open);
    };
    EXPECT_NE(complaint("open: " + std::string(bad) + "\n", read), "none") << bad;
  }
}

TEST_F(ConfigFileTest, AnErrorNamesFileLineAndKey) {
  const auto read_all = [](ConfigSection& file) -> Result<void> {
    std::string listen;
    std::uint64_t size = 0;
    std::uint64_t count = 0;
    std::chrono::milliseconds time{0};
    bool open = false;
    auto read = file.read("listen", listen);
    if (read) read = file.read("open", open);
    if (!read) return read;
    auto limits = file.section("limits");
    if (!limits) return limits.error();
    read = limits->read_bytes("size", size);
    if (read) read = limits->read_duration("time", time);
    if (read) read = limits->read_count("count", 1, 9, count);
    if (!read) return read;
    auto deep = limits->section("deep");
    if (!deep) return deep.error();
    read = deep->finish();
    if (read) read = limits->finish();
    return read ? file.finish() : read;
  };
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"listen: a\n\nopen: maybe\n", ":3: open: 'maybe' is neither true nor false"},
      {"listen: [a, b]\n", ":1: listen: is not a single value"},
      {"listen:\n  a: b\n", ":2: listen: is not a single value"},
      {"limits:\n  size: big\n", ":2: limits.size: 'big' is not a number of bytes, such as 512MiB"},
      {"limits:\n  time: 5\n", ":2: limits.time: '5' is not a duration with its unit, such as 30s or 7d"},
      {"limits:\n  count: 10\n", ":2: limits.count: '10' is not a number from 1 to 9"},
      {"limits: 5\n", ":1: limits: is not a mapping of keys"},
      {"# c\nlimits: []\n", ":2: limits: is not a mapping of keys"},
      {"listen: a\nlisten-on: b\n", ":2: listen-on: there is no such key"},
      {"limits:\n  size: 1\n  sise: 2\n", ":3: limits.sise: there is no such key"},
      {"limits:\n  deep:\n    x: 1\n", ":3: limits.deep.x: there is no such key"},
      {"? [a, b]\n: c\n", ":1: ?: there is no such key"},
      {"- a\n- b\n", ": the top level is not a mapping of keys"},
      {"just text\n", ": the top level is not a mapping of keys"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(complaint(text, read_all), expected) << text;
}

TEST_F(ConfigFileTest, WhatIsNoYamlIsRefusedWithItsLine) {
  for (const char* text : {"a: b\n c: d\n", "a: [b\n", "a: b: c\n", "\tb: c\n", "a: *missing\n"}) {
    const auto said = complaint(text, [](ConfigSection&) { return Result<void>(); });
    EXPECT_TRUE(said.starts_with(":")) << text << " gave " << said;
  }
}

TEST_F(ConfigFileTest, AFileThatCannotBeReadIsAnError) {
  const std::string folder = dir / "folder";
  ASSERT_TRUE(std::filesystem::create_directory(folder));
  for (const std::string& missing : {dir / "missing.yaml", folder}) {
    const auto loaded = ConfigSection::load(missing);
    ASSERT_EQ(kind_of(loaded), ErrorKind::kInvalid) << missing;
    EXPECT_EQ(loaded.error().message(), missing + ": cannot be read");
  }
}

TEST_F(ConfigFileTest, AFileWithoutEndIsRefused) {
  const auto loaded = ConfigSection::load("/dev/zero");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().message(), "/dev/zero: larger than 1 MiB");
}

TEST_F(ConfigFileTest, AKeyThatStandsTwiceIsRefused) {
  const auto read = [](ConfigSection& file) {
    std::string listen;
    auto got = file.read("listen", listen);
    return got ? file.finish() : got;
  };
  EXPECT_EQ(complaint("listen: a\nother: b\nlisten: c\n", read), ":2: other: there is no such key");
  EXPECT_EQ(complaint("listen: a\nlisten: c\n", read), ":2: listen: stands here a second time");
}

TEST_F(ConfigFileTest, AListOfTextsIsReadAndATextAloneIsOne) {
  std::vector<std::string> texts = {"before"};
  auto file = load("flow: [a/*, 'b:c', 7]\nblock:\n- x\n- y\nnone: []\nempty:\n");
  EXPECT_TRUE(file.read_list("absent", texts));
  EXPECT_TRUE(file.read_list("empty", texts));
  EXPECT_EQ(texts, std::vector<std::string>{"before"});
  EXPECT_TRUE(file.read_list("flow", texts));
  EXPECT_EQ(texts, (std::vector<std::string>{"a/*", "b:c", "7"}));
  EXPECT_TRUE(file.read_list("block", texts));
  EXPECT_EQ(texts, (std::vector<std::string>{"x", "y"}));
  EXPECT_TRUE(file.read_list("none", texts));
  EXPECT_TRUE(texts.empty());
  EXPECT_TRUE(file.finish());
  auto alone = load("a: x\n");
  EXPECT_TRUE(alone.read_list("a", texts));
  EXPECT_EQ(texts, std::vector<std::string>{"x"});
  const auto list = [&](ConfigSection& section) { return section.read_list("a", texts); };
  EXPECT_EQ(complaint("\na: [[x]]\n", list), ":2: a: entry 1 is not a single value");
  EXPECT_EQ(complaint("a: {b: c}\n", list), ":1: a: is not a list");
}

}  // namespace
}  // namespace wherry
