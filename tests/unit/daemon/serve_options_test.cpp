#include "common/daemon/serve_options.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/temp_dir.h"

namespace wherry {
namespace {

using testing::kind_of;

Result<void> no_keys_of_its_own(ConfigSection&) { return {}; }

class ServeOptionsTest : public ::testing::Test {
 protected:
  /// Options that are complete without a file.
  static ServeOptions good() {
    ServeOptions options;
    options.data = "/data";
    options.listen = "127.0.0.1:5000";
    options.insecure_open = true;
    return options;
  }
  ServeOptions with_file(const std::string& text) {
    testing::write_file(path, text);
    ServeOptions options = good();
    options.config = path;
    return options;
  }
  static std::string complaint(ServeOptions options) {
    const auto completed = options.complete(no_keys_of_its_own);
    if (completed) return "none";
    EXPECT_EQ(completed.error().kind(), ErrorKind::kInvalid);
    return completed.error().message();
  }

  testing::TempDir dir;
  std::string path = dir / "w.yaml";
};

TEST_F(ServeOptionsTest, FlagsAloneAreEnough) {
  ServeOptions options = good();
  options.observe = "[::1]:5001";
  options.log_level = "debug";
  ASSERT_TRUE(options.complete(no_keys_of_its_own));
  EXPECT_EQ(options.daemon.listen.to_string(), "127.0.0.1:5000");
  EXPECT_EQ(options.daemon.observe->to_string(), "[::1]:5001");
  EXPECT_EQ(options.daemon.log_level, log::Level::kDebug);
}

TEST_F(ServeOptionsTest, AFlagWinsOverTheFile) {
  ServeOptions options = with_file("data: /elsewhere\nlisten: 127.0.0.1:1\nobserve: 127.0.0.1:2\n");
  ASSERT_TRUE(options.complete(no_keys_of_its_own));
  EXPECT_EQ(options.data, "/data");
  EXPECT_EQ(options.daemon.listen.port(), 5000);
  EXPECT_EQ(options.daemon.observe->port(), 2);
}

TEST_F(ServeOptionsTest, TheFileGivesWhatNoFlagDoes) {
  ServeOptions options = with_file(
      "data: /elsewhere\nlisten: 127.0.0.1:1\ndrain-time: 5s\ncore-files: true\nloops: 3\nlimits:\n  head-time: 1s\n  "
      "idle-time: 2s\n"
      "  body-silence: 3s\n  send-silence: 4s\n  body-bytes-per-second: 1MiB\n  connections: 9\nspace:\n"
      "  low-water-bytes: 1GiB\nscrub:\n  round: 3d\nown: yes it is\n");
  options.data.clear();
  options.listen.clear();
  std::string own;
  ASSERT_TRUE(options.complete([&](ConfigSection& file) { return file.read("own", own); }));
  EXPECT_EQ(options.data, "/elsewhere");
  EXPECT_EQ(options.daemon.listen.port(), 1);
  EXPECT_EQ(options.daemon.drain_time, std::chrono::seconds(5));
  EXPECT_EQ(options.daemon.loops, 3u);
  EXPECT_TRUE(options.daemon.core_files);
  EXPECT_EQ(options.daemon.limits.head_time, std::chrono::seconds(1));
  EXPECT_EQ(options.daemon.limits.idle_time, std::chrono::seconds(2));
  EXPECT_EQ(options.daemon.limits.body_silence, std::chrono::seconds(3));
  EXPECT_EQ(options.daemon.limits.send_silence, std::chrono::seconds(4));
  EXPECT_EQ(options.daemon.limits.body_bytes_per_second, std::uint64_t{1} << 20);
  EXPECT_EQ(options.daemon.limits.connections, 9u);
  EXPECT_EQ(options.low_water_bytes, std::uint64_t{1} << 30);
  EXPECT_EQ(options.scrub_round, std::chrono::hours(72));
  EXPECT_EQ(own, "yes it is");
}

TEST_F(ServeOptionsTest, WhatIsWrongIsNamed) {
  const auto changed = [](auto change) {
    ServeOptions options = good();
    change(options);
    return complaint(options);
  };
  EXPECT_TRUE(changed([](ServeOptions& o) { o.data.clear(); }).starts_with("--data: "));
  EXPECT_TRUE(changed([](ServeOptions& o) { o.listen.clear(); }).starts_with("--listen: "));
  EXPECT_TRUE(changed([](ServeOptions& o) { o.listen = "nowhere"; }).starts_with("--listen: 'nowhere'"));
  EXPECT_TRUE(changed([](ServeOptions& o) { o.observe = "x:y"; }).starts_with("--observe: 'x:y'"));
  EXPECT_TRUE(changed([](ServeOptions& o) { o.log_level = "loud"; }).starts_with("--log-level: "));
  EXPECT_TRUE(changed([this](ServeOptions& o) { o.config = dir / "no.yaml"; }).starts_with(dir / "no.yaml: "));
}

TEST_F(ServeOptionsTest, WhatIsWrongInTheFileIsNamedWithItsLine) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"\nlimits:\n  connections: 0\n", ":3: limits.connections: "},
      {"limits:\n  head-time: soon\n", ":2: limits.head-time: "},
      {"loops: 257\n", ":1: loops: "},
      {"space:\n  low-water: 1\n", ":2: space.low-water: there is no such key"},
      {"scrub: weekly\n", ":1: scrub: "},
      {"lisen: a\n", ":1: lisen: there is no such key"},
      {"data: [a]\n", ":1: data: "},
  };
  for (const auto& [text, expected] : cases) {
    const auto said = complaint(with_file(text));
    EXPECT_TRUE(said.starts_with(path + expected)) << said;
  }
  ServeOptions options = with_file("data: x\nlisten: nowhere\n");
  options.listen.clear();
  EXPECT_TRUE(complaint(options).starts_with(path + ":2: listen: 'nowhere'")) << complaint(options);
}

TEST_F(ServeOptionsTest, PasswordsDoNotLeaveThisMachineInClear) {
  ServeOptions options = good();
  options.insecure_open = false;
  EXPECT_EQ(complaint(options), "none");
  options.listen = "0.0.0.0:5000";
  EXPECT_TRUE(complaint(options).starts_with("--listen: ")) << complaint(options);
  options = with_file("data: x\nlisten: 0.0.0.0:5000\naccess:\n  behind-tls: true\n");
  options.insecure_open = false;
  options.listen.clear();
  EXPECT_EQ(complaint(options), "none");
}

TEST_F(ServeOptionsTest, WithoutAuthenticationNobodyButThisMachineIsLetIn) {
  ServeOptions options = good();
  for (const char* outside :
       {"0.0.0.0:5000", "[::]:5000", "192.168.1.1:5000", "[fe80::1]:5000", "[::ffff:127.0.0.1]:5000"}) {
    options = good();
    options.listen = outside;
    EXPECT_TRUE(complaint(options).starts_with("--insecure-open: ")) << outside;
  }
  for (const char* inside : {"127.0.0.1:0", "127.1.2.3:5000", "localhost:5000", "[::1]:5000"}) {
    options = good();
    options.listen = inside;
    EXPECT_EQ(complaint(options), "none") << inside;
  }
}

struct Ran {
  int code = 0;
  ServeOptions options;
  std::string said;
};

Ran run(std::vector<std::string> words) {
  Ran ran;
  words.insert(words.begin(), "wherry-test");
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  ::testing::internal::CaptureStderr();
  ::testing::internal::CaptureStdout();
  ran.code = run_program("wherry-test", "for tests", static_cast<int>(argv.size()), argv.data(), [&](Command& program) {
    ran.options.add_flags(program.command("serve", "run", [] { return 5; }));
  });
  ran.said = ::testing::internal::GetCapturedStderr() + ::testing::internal::GetCapturedStdout();
  return ran;
}

TEST_F(ServeOptionsTest, FlagsAreTakenAndTheCommandRuns) {
  const auto ran = run({"serve", "--data", "d", "--listen=127.0.0.1:1", "--observe", "o", "--config", "c",
                        "--log-level", "warn", "--insecure-open"});
  EXPECT_EQ(ran.code, 5);
  EXPECT_EQ(ran.options.data, "d");
  EXPECT_EQ(ran.options.listen, "127.0.0.1:1");
  EXPECT_EQ(ran.options.observe, "o");
  EXPECT_EQ(ran.options.config, "c");
  EXPECT_EQ(ran.options.log_level, "warn");
  EXPECT_TRUE(ran.options.insecure_open);
}

TEST(HideArgument, ASecretIsInNoListOfProcessesAnyMore) {
  std::vector<std::string> words = {"wherry-test", "--join", "wjt1.a", "--join=wjt1.a", "wjt1.ab", "xwjt1.a", "a"};
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  hide_argument(static_cast<int>(argv.size()), argv.data(), "");
  hide_argument(static_cast<int>(argv.size()), argv.data(), "wjt1.a");
  const std::vector<std::string> hidden = {"wherry-test", "--join",  "******", "--join=******",
                                           "wjt1.ab",     "xwjt1.a", "a"};
  EXPECT_EQ(words, hidden);
}

TEST_F(ServeOptionsTest, WrongUseEndsWith64AndOneLineThatHelps) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{},
                                                {"surve"},
                                                {"serve", "--lisen", "x"},
                                                {"serve", "--data"},
                                                {"serve", "stray"},
                                                {"serve", "--insecure-open=perhaps"},
                                                {"--data", "x"}}) {
    const auto ran = run(words);
    EXPECT_EQ(ran.code, kExitUsage);
    EXPECT_TRUE(ran.said.starts_with("wherry-test: ")) << ran.said;
    EXPECT_NE(ran.said.find("--help"), std::string::npos);
    EXPECT_EQ(std::ranges::count(ran.said, '\n'), 1) << ran.said;
  }
}

TEST_F(ServeOptionsTest, HelpAndVersionAreNoErrors) {
  EXPECT_EQ(run({"--help"}).code, 0);
  EXPECT_EQ(run({"serve", "--help"}).code, 0);
  const auto version = run({"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_NE(version.said.find(WHERRY_VERSION), std::string::npos);
}

}  // namespace
}  // namespace wherry
